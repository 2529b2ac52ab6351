package filter

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// numberTest compares with a number of any type. The plain cases, integers with integers and doubles with what a double holds
// exactly, are decided here; the rest by bsonraw.
type numberTest struct {
	v       bsonraw.Value
	ask     outcomes
	integer bool // n is the value
	double  bool // f is the value
	n       int64
	f       float64
}

func newNumberTest(op Op, v bsonraw.Value) test {
	if argument.IsNaN(v) {
		// NaN is equal to itself and not ordered: at most and at least NaN mean NaN.
		if op == Lt || op == Gt {
			return neverTest{}
		}
		return nanTest{}
	}
	x := numberTest{v: v, ask: outcomesOf(op)}
	switch v.Type {
	case bsonraw.TypeInt32, bsonraw.TypeInt64:
		x.n, x.integer = v.AsInt64()
		x.f, x.double = float64(x.n), isExact(x.n)
	case bsonraw.TypeDouble:
		x.f, x.double = v.Double(), true
		if n, ok := v.AsInt64(); ok && isExact(n) && float64(n) == x.f {
			x.n, x.integer = n, true
		}
	}
	return x
}

// isExact reports whether a double holds n, and no other integer rounds to it.
func isExact(n int64) bool { return n > -1<<53 && n < 1<<53 }

func (x numberTest) holds(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeInt32:
		if x.integer {
			return x.ask.has(compareInts(int64(v.Int32()), x.n))
		}
	case bsonraw.TypeInt64:
		if x.integer {
			return x.ask.has(compareInts(v.Int64(), x.n))
		}
	case bsonraw.TypeDouble:
		if f := v.Double(); f != f {
			return false
		} else if x.double {
			return x.ask.has(compareFloats(f, x.f))
		}
	case bsonraw.TypeDecimal128:
		if argument.IsNaN(v) {
			return false
		}
	default:
		return false
	}
	return x.ask.has(bsonraw.Compare(v, x.v))
}

type nanTest struct{}

func (nanTest) holds(v bsonraw.Value) bool { return argument.IsNaN(v) }

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func compareFloats(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
