package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// compare orders two values as expressions do: in this language, unlike in a sort, a missing value is less than null, and the same as
// undefined.
func compare(a, b bsonraw.Value) int {
	if a.IsMissing() || b.IsMissing() {
		if a.Type == b.Type {
			return 0
		}
		if a.IsMissing() {
			return missingAgainst(b)
		}
		return -missingAgainst(a)
	}
	return bsonraw.Compare(a, b)
}

// compareBy is compare with a collation.
func compareBy(by *collation.Collation, a, b bsonraw.Value) int {
	if a.IsMissing() || b.IsMissing() {
		return compare(a, b)
	}
	return by.Compare(a, b)
}

// missingAgainst orders a missing value against one that is not: only MinKey is less.
func missingAgainst(b bsonraw.Value) int {
	switch b.Type {
	case bsonraw.TypeMinKey:
		return 1
	case bsonraw.TypeUndefined:
		return 0
	}
	return -1
}

func comparison(holds func(order int) bool) operator {
	return operator{
		binary: func(_ *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
			return bsonraw.BoolValue(holds(compare(a, b))), nil
		},
		collated: func(by *collation.Collation) binaryFunc {
			return func(_ *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
				return bsonraw.BoolValue(holds(compareBy(by, a, b))), nil
			}
		},
	}
}

// equality is $eq.
var equality = func() operator {
	op := comparison(func(order int) bool { return order == 0 })
	op.equal = true
	return op
}()

var (
	orderLess    = bsonraw.Int32Value(-1)
	orderEqual   = bsonraw.Int32Value(0)
	orderGreater = bsonraw.Int32Value(1)
)

func evalCmp(_ *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
	return orderValue(compare(a, b)), nil
}

func collatedCmp(by *collation.Collation) binaryFunc {
	return func(_ *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
		return orderValue(compareBy(by, a, b)), nil
	}
}

func orderValue(c int) bsonraw.Value {
	switch {
	case c < 0:
		return orderLess
	case c > 0:
		return orderGreater
	}
	return orderEqual
}
