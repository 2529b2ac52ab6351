package command

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// The fail points that exist.
const (
	failCommand             = "failCommand"
	failGetMoreCheckedOut   = "failGetMoreAfterCursorCheckout"
	failTransactionalWrites = "onPrimaryTransactionalWrite"
	failTimeLimits          = "maxTimeAlwaysTimeOut"
)

// configureFailPoint {configureFailPoint: <name>, mode: "off" | "alwaysOn" | {times} | {skip} | {activationProbability}, data}
// makes commands fail on purpose, for tests of clients. It exists only with test commands. The reply's count is how often the
// fail point was run into before.
func configureFailPoint(op *operation) error {
	if !op.server.cfg.TestCommands {
		return unknownCommand(op, []byte(op.cmd.name))
	}
	point := op.server.failPoints.byName[op.body.Lookup("configureFailPoint").Str()]
	if point == nil {
		return mongoerr.New(mongoerr.FailPointSetFailed, "%s not found", op.body.Lookup("configureFailPoint").Str())
	}
	mode, err := parseFailMode(op.body.Lookup("mode"))
	if err != nil {
		return err
	}
	data := op.body.Lookup("data")
	if !data.IsMissing() && data.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.TypeMismatch, "the 'data' option must be a JSON object")
	}
	doc := bsonraw.Empty
	if data.Type == bsonraw.TypeDocument {
		doc = data.Doc().Clone()
	}
	op.out = bsonraw.AppendInt32(op.out, "count", point.set(mode, parseFault(doc)))
	return nil
}

// failPoints are the fail points by name. The map does not change once it is made.
type failPoints struct{ byName map[string]*failPoint }

func (fp *failPoints) init() {
	fp.byName = map[string]*failPoint{failCommand: {}, failGetMoreCheckedOut: {}, failTransactionalWrites: {}, failTimeLimits: {}}
}

// find returns the fault that the command runs into, or nil.
func (fp *failPoints) find(op *operation) *fault {
	return fp.byName[failCommand].enter(func(f *fault) bool { return f.matches(op) })
}

// failPoint is one fail point.
type failPoint struct {
	on      atomic.Bool // whether it has to be looked at; commands pass it without the lock
	mu      sync.Mutex
	mode    failMode
	fault   *fault
	entered int32
}

// set changes the fail point and returns how often it was run into so far.
func (p *failPoint) set(mode failMode, f *fault) int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mode, p.fault = mode, f
	p.on.Store(mode.kind != failOff)
	return p.entered
}

// enter returns the fault if the fail point is on, the command matches, and it is its turn.
func (p *failPoint) enter(matches func(*fault) bool) *fault {
	if !p.on.Load() {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mode.kind == failOff || !matches(p.fault) || !p.mode.turn() {
		return nil
	}
	p.on.Store(p.mode.kind != failOff)
	p.entered++
	return p.fault
}

type failKind int

const (
	failOff failKind = iota
	failAlways
	failTimes
	failSkip
	failSometimes
)

// failMode says when a fail point acts on the commands that match it.
type failMode struct {
	kind        failKind
	left        int64   // times to act, or to let pass
	probability float64 // of acting
}

// turn counts a command and reports whether the fail point acts on it.
func (m *failMode) turn() bool {
	switch m.kind {
	case failAlways:
		return true
	case failTimes:
		if m.left--; m.left == 0 {
			m.kind = failOff
		}
		return true
	case failSkip:
		if m.left > 0 {
			m.left--
			return false
		}
		return true
	case failSometimes:
		return rand.Float64() < m.probability
	}
	return false
}

func parseFailMode(v bsonraw.Value) (failMode, error) {
	switch v.Type {
	case bsonraw.TypeMissing:
		return failMode{}, mongoerr.New(mongoerr.IllegalOperation, "When setting a failpoint, you must supply a 'mode'")
	case bsonraw.TypeString:
		switch v.Str() {
		case "off":
			return failMode{}, nil
		case "alwaysOn":
			return failMode{kind: failAlways}, nil
		}
		return failMode{}, mongoerr.New(mongoerr.BadValue, "unknown mode: %s", v.Bytes())
	case bsonraw.TypeDocument:
		return parseFailModeDoc(v.Doc())
	}
	return failMode{}, mongoerr.New(mongoerr.TypeMismatch, "'mode' must be a string or JSON object")
}

func parseFailModeDoc(d bsonraw.Doc) (failMode, error) {
	if v := d.Lookup("times"); !v.IsMissing() {
		n, err := failCount("times", v)
		if n == 0 {
			return failMode{}, err
		}
		return failMode{kind: failTimes, left: n}, err
	}
	if v := d.Lookup("skip"); !v.IsMissing() {
		n, err := failCount("skip", v)
		return failMode{kind: failSkip, left: n}, err
	}
	v := d.Lookup("activationProbability")
	if v.IsMissing() {
		return failMode{}, mongoerr.New(mongoerr.BadValue,
			"'mode' must be one of 'off', 'alwaysOn', '{times:n}', '{skip:n}' or '{activationProbability:p}'")
	}
	p, ok := v.AsFloat64()
	if !ok {
		return failMode{}, mongoerr.New(mongoerr.TypeMismatch, "the 'activationProbability' option to 'mode' must be a double between 0 and 1")
	}
	if !(p >= 0 && p <= 1) {
		return failMode{}, mongoerr.New(mongoerr.BadValue, "activationProbability must be between 0.0 and 1.0; found %g", p)
	}
	return failMode{kind: failSometimes, probability: p}, nil
}

func failCount(name string, v bsonraw.Value) (int64, error) {
	if !v.Type.IsNumber() {
		return 0, mongoerr.New(mongoerr.TypeMismatch, "Expected field \"%s\" to have numeric type, but found %s", name, v.Type.Name())
	}
	n, ok := v.AsInt64()
	if !ok || n < 0 {
		return 0, mongoerr.New(mongoerr.BadValue, "'%s' option to 'mode' must be positive", name)
	}
	return n, nil
}
