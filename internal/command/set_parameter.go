package command

import (
	"math"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// setParameter {setParameter: 1, <name>: <value>, ...} changes parameters of the server, until it ends. The reply tells what the first one
// was.
func setParameter(op *operation) error {
	set := 0
	for _, change := range []bool{false, true} { // nothing is changed unless all can be
		for it := op.body.Iter(); it.Next(); {
			name := string(it.Key())
			if name == op.cmd.name || isGeneric(it.Key()) {
				continue
			}
			p, err := settable(name)
			if err != nil {
				return err
			}
			if !change {
				set++
				continue
			}
			was := p.append(nil, "was", op.server)
			if err := p.set(op.server, name, it.Value()); err != nil {
				return err
			}
			if op.body.Lookup("was").IsMissing() && len(op.out) == op.start+4 {
				op.out = append(op.out, was...)
			}
		}
	}
	if set == 0 { // mongod has no code for this
		return mongoerr.New(mongoerr.OK, "no option found to set, use help:true to see options ")
	}
	return nil
}

// settable finds a parameter that may be set. mongod has no code for the others.
func settable(name string) (parameter, error) {
	for _, p := range parameters {
		switch {
		case p.name != name:
		case p.set == nil:
			return p, mongoerr.New(mongoerr.OK, "not allowed to change [%s] at runtime", name)
		default:
			return p, nil
		}
	}
	return parameter{}, mongoerr.New(mongoerr.OK, "attempted to set unrecognized parameter [%s], use help:true to see options ", name)
}

// wholeParameter reads a number between bounds.
func wholeParameter(name string, v bsonraw.Value, least, most int64) (int64, error) {
	f, ok := v.AsFloat64()
	n, whole := v.AsInt64()
	switch {
	case !ok:
		return 0, mongoerr.New(mongoerr.BadValue, "Failed validating %s: Unable to coerce value to integral type", name)
	case !whole && !(f > math.MinInt64 && f < math.MaxInt64):
		return 0, mongoerr.New(mongoerr.BadValue, "Failed validating %s: the value is out of range", name)
	case n < least:
		return 0, mongoerr.New(mongoerr.BadValue, "Invalid value for parameter %s: %d is not greater than or equal to %d", name, n, least)
	case n > most:
		return 0, mongoerr.New(mongoerr.BadValue, "Invalid value for parameter %s: %d is not less than or equal to %d", name, n, most)
	}
	return n, nil
}

func setCursorTimeout(s *Server, name string, v bsonraw.Value) error {
	n, err := wholeParameter(name, v, -1, math.MaxInt32)
	if err == nil {
		s.cursors.timeout.Store(int64(time.Duration(n) * time.Millisecond))
	}
	return err
}

func setTransactionLifetime(s *Server, name string, v bsonraw.Value) error {
	n, err := wholeParameter(name, v, 1, math.MaxInt32)
	if err == nil {
		s.transactions.seconds.Store(n)
	}
	return err
}

func setTTLEnabled(s *Server, name string, v bsonraw.Value) error {
	if v.Type != bsonraw.TypeBool && !v.Type.IsNumber() {
		return mongoerr.New(mongoerr.BadValue, "Failed validating %s: Unable to coerce value to bool", name)
	}
	s.ttl.off.Store(!v.Truthy())
	return nil
}

func setTTLSleep(s *Server, name string, v bsonraw.Value) error {
	n, err := wholeParameter(name, v, 1, math.MaxInt32)
	if err == nil {
		s.ttl.setSleep(time.Duration(n) * time.Second)
	}
	return err
}
