package expression

import (
	"context"
	"encoding/binary"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// Scope is what an expression may name: system variables and variables with values that are known when it is compiled, and
// variables that get their values while it runs. A Scope is immutable and may be shared; the With methods return a larger one.
// The nil Scope has no variables but $$ROOT, $$CURRENT and $$REMOVE, which every expression has.
type Scope struct {
	parent   *Scope
	name     string
	constant bsonraw.Value // the value of a constant; missing is a value too
	slot     Slot
	bound    bool // the value is in slot
	slots    int  // slots used by this scope and those around it

	collation *collation.Collation
}

// Slot is the place of a variable's value in a [Context].
type Slot int

// NewScope returns the scope in which a command begins: $$NOW and, when clusterTime (seconds << 32 | increment) is not 0,
// $$CLUSTER_TIME. Both stay what they are for the whole command.
func NewScope(now time.Time, clusterTime uint64) *Scope {
	s := &firstScopes{}
	binary.LittleEndian.PutUint64(s.times[:8], uint64(now.UnixMilli()))
	s.now = Scope{name: "NOW", constant: bsonraw.Value{Type: bsonraw.TypeDate, Data: s.times[:8:8]}}
	if clusterTime != 0 {
		binary.LittleEndian.PutUint64(s.times[8:], clusterTime)
		s.clusterTime = Scope{name: "CLUSTER_TIME", constant: bsonraw.Value{Type: bsonraw.TypeTimestamp, Data: s.times[8:]}}
		s.now.parent = &s.clusterTime
	}
	return &s.now
}

// firstScopes are the scopes in which a command begins, in one piece of memory: every command on documents needs them.
type firstScopes struct {
	now, clusterTime Scope
	times            [16]byte
}

// WithConstant returns a scope in which name (without $$) has a value, which must not change while the scope is in use. It
// hides a variable of the same name.
func (s *Scope) WithConstant(name string, v bsonraw.Value) *Scope {
	return &Scope{parent: s, name: name, constant: v, slots: s.slotCount(), collation: s.Collation()}
}

// WithCollation returns a scope in which strings compare by a collation; nil is the simple one. It holds for everything that is
// compiled with the scope: comparisons in expressions and filters, orders.
func (s *Scope) WithCollation(c *collation.Collation) *Scope {
	if c == s.Collation() {
		return s
	}
	if s == nil {
		return &Scope{collation: c}
	}
	with := *s
	with.collation = c
	return &with
}

// Collation returns the collation of the scope, nil for the simple one.
func (s *Scope) Collation() *collation.Collation {
	if s == nil {
		return nil
	}
	return s.collation
}

// WithVariable returns a scope in which name (without $$) is a variable whose value is set by [Context.Set] before each Eval.
func (s *Scope) WithVariable(name string) (*Scope, Slot) {
	slot := Slot(s.slotCount())
	return &Scope{parent: s, name: name, slot: slot, bound: true, slots: int(slot) + 1, collation: s.Collation()}, slot
}

// WithLet returns a scope with the variables of a command's let argument. Their values are expressions without a document;
// each may use the variables before it. It fails with ctx's error when ctx ends meanwhile.
func (s *Scope) WithLet(ctx context.Context, let bsonraw.Doc) (*Scope, error) {
	for it := let.Iter(); it.Next(); {
		name := string(it.Key())
		if err := CheckUserVariable(name); err != nil {
			return nil, mongoerr.From(err).Prefix("Invalid 'let' parameter :: caused by :: ")
		}
		e, err := Compile(it.Value(), s)
		if err != nil {
			return nil, err
		}
		if err := e.Optimize(); err != nil {
			return nil, err
		}
		if e.usesDocument() {
			return nil, mongoerr.New(4890500, "Command let Expression tried to access a field, but this is not allowed because Command let Expressions run before the query examines any documents.")
		}
		memory := Context{stop: ctx}
		v, err := e.Eval(&memory, bsonraw.Empty)
		if err != nil {
			return nil, err
		}
		s = s.WithConstant(name, v)
	}
	return s, nil
}

// Lookup returns the value of a constant of the scope.
func (s *Scope) Lookup(name string) (v bsonraw.Value, ok bool) {
	if found := s.find(name); found != nil && !found.bound {
		return found.constant, true
	}
	return bsonraw.Value{}, false
}

func (s *Scope) find(name string) *Scope {
	for ; s != nil; s = s.parent {
		if s.name == name {
			return s
		}
	}
	return nil
}

func (s *Scope) slotCount() int {
	if s == nil {
		return 0
	}
	return s.slots
}

// CheckUserVariable holds a name that an expression defines to MongoDB's rules.
func CheckUserVariable(name string) error {
	if name == "" {
		return mongoerr.New(mongoerr.FailedToParse, "empty variable names are not allowed")
	}
	if name == "CURRENT" {
		return nil
	}
	first := name[0]
	if !isLower(first) && first < utf8.RuneSelf {
		return mongoerr.New(mongoerr.FailedToParse, "'%s' starts with an invalid character for a user variable name", name)
	}
	return checkVariableRest(name)
}

// checkVariable holds a name that an expression uses to MongoDB's rules: system variables begin with a capital letter.
func checkVariable(name string) error {
	if name == "" {
		return mongoerr.New(mongoerr.FailedToParse, "empty variable names are not allowed")
	}
	first := name[0]
	if !isLower(first) && !isUpper(first) && first < utf8.RuneSelf {
		return mongoerr.New(mongoerr.FailedToParse, "'%s' starts with an invalid character for a user variable name", name)
	}
	return checkVariableRest(name)
}

func checkVariableRest(name string) error {
	for i := 1; i < len(name); i++ {
		c := name[i]
		if !isLower(c) && !isUpper(c) && !isDigit(c) && c != '_' && c < utf8.RuneSelf {
			return mongoerr.New(mongoerr.FailedToParse, "'%s' contains an invalid character for a variable name: '%s'", name, printableByte(c))
		}
	}
	return nil
}

func printableByte(c byte) string {
	if c < ' ' || c == 0x7f {
		return `\x` + strconv.FormatUint(uint64(c), 16)
	}
	return string(rune(c))
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
