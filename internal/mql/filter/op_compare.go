package filter

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// comparison reads $gt, $gte, $lt and $lte.
func comparison(op Op) fieldOperator {
	return func(p *parser, c condition) (*clause, error) { return p.compare(op, c.path, c.arg) }
}

func parseEq(p *parser, c condition) (*clause, error) { return p.compare(Eq, c.path, c.arg) }

func parseNe(p *parser, c condition) (*clause, error) {
	if c.arg.Type == bsonraw.TypeRegex {
		return nil, badValue("Can't have regex as arg to $ne.")
	}
	equal, err := p.compare(Eq, c.path, c.arg)
	if err != nil {
		return nil, err
	}
	return negation(equal), nil
}

func (p *parser) compare(op Op, path bsonraw.Path, v bsonraw.Value) (*clause, error) {
	if v.Type == bsonraw.TypeUndefined {
		return nil, badValue("cannot compare to undefined")
	}
	if v.Type == bsonraw.TypeRegex && op != Eq {
		return nil, badValue("Can't have RegEx as arg to predicate over field '%s'.", path)
	}
	return p.clause(clause{op: op, path: path, value: v, by: p.scope.Collation(), test: newComparison(op, v, p.scope.Collation())}), nil
}

// newComparison returns the test of a value against v. Values of different classes never compare, but for null, which is also
// what is missing or undefined, and for MinKey and MaxKey, which lie beyond everything.
func newComparison(op Op, v bsonraw.Value, by *collation.Collation) test {
	switch v.Type {
	case bsonraw.TypeNull:
		if op == Lt || op == Gt {
			return neverTest{}
		}
		return nullTest{}
	case bsonraw.TypeMinKey, bsonraw.TypeMaxKey:
		return newExtreme(op, v.Type)
	case bsonraw.TypeInt32, bsonraw.TypeInt64, bsonraw.TypeDouble, bsonraw.TypeDecimal128:
		return newNumberTest(op, v)
	}
	if by.Matters(v) {
		return &collatedTest{operand: by.Operand(v), class: v.Type.Class(), ask: outcomesOf(op)}
	}
	if op == Eq {
		return newEquality(v)
	}
	return newOrderTest(op, v)
}

type neverTest struct{}

func (neverTest) holds(bsonraw.Value) bool { return false }

type nullTest struct{}

func (nullTest) holds(v bsonraw.Value) bool {
	return v.Type == bsonraw.TypeNull || v.Type == bsonraw.TypeMissing || v.Type == bsonraw.TypeUndefined
}

// extremeTest compares with MinKey or MaxKey: within is the answer for the same key, beyond for all else.
type extremeTest struct {
	t              bsonraw.Type
	within, beyond bool
}

func newExtreme(op Op, t bsonraw.Type) test {
	x := extremeTest{t: t, within: op == Eq || op == Lte || op == Gte}
	if t == bsonraw.TypeMinKey {
		x.beyond = op == Gt || op == Gte
	} else {
		x.beyond = op == Lt || op == Lte
	}
	return x
}

func (x extremeTest) holds(v bsonraw.Value) bool {
	if v.Type == x.t {
		return x.within
	}
	return x.beyond
}

// newEquality returns the test for values that are neither null, number, MinKey nor MaxKey.
func newEquality(v bsonraw.Value) test {
	switch v.Type {
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		return textTest{data: v.Data}
	case bsonraw.TypeObjectID, bsonraw.TypeBool, bsonraw.TypeDate, bsonraw.TypeTimestamp, bsonraw.TypeBinary:
		return sameTest{v}
	}
	return equalTest{v: v, class: v.Type.Class()}
}

// textTest is equality with a string; a symbol of the same text is equal.
type textTest struct{ data []byte }

func (x textTest) holds(v bsonraw.Value) bool {
	return (v.Type == bsonraw.TypeString || v.Type == bsonraw.TypeSymbol) && bytes.Equal(v.Data, x.data)
}

// sameTest is equality of types whose equal values have equal bytes.
type sameTest struct{ v bsonraw.Value }

func (x sameTest) holds(v bsonraw.Value) bool {
	return v.Type == x.v.Type && bytes.Equal(v.Data, x.v.Data)
}

// equalTest is equality in general.
type equalTest struct {
	v     bsonraw.Value
	class int
}

func (x equalTest) holds(v bsonraw.Value) bool {
	return v.Type.Class() == x.class && !v.IsMissing() && bsonraw.Equal(v, x.v)
}

// orderTest is $lt, $lte, $gt or $gte against a value that is not a number.
type orderTest struct {
	v     bsonraw.Value
	class int
	ask   outcomes
}

func newOrderTest(op Op, v bsonraw.Value) test {
	return orderTest{v: v, class: v.Type.Class(), ask: outcomesOf(op)}
}

func (x orderTest) holds(v bsonraw.Value) bool {
	return v.Type.Class() == x.class && !v.IsMissing() && x.ask.has(bsonraw.Compare(v, x.v))
}

// collatedTest is equality or order under a collation.
type collatedTest struct {
	operand collation.Operand
	class   int
	ask     outcomes
}

func (x *collatedTest) holds(v bsonraw.Value) bool {
	return v.Type.Class() == x.class && !v.IsMissing() && x.ask.has(x.operand.Compare(v))
}

// outcomes is a set of results of a comparison: bit 0 for less, bit 1 for equal, bit 2 for greater.
type outcomes uint8

func outcomesOf(op Op) outcomes {
	switch op {
	case Lt:
		return 1
	case Lte:
		return 1 | 2
	case Gt:
		return 4
	case Gte:
		return 4 | 2
	}
	return 2
}

func (o outcomes) has(order int) bool { return o>>(order+1)&1 != 0 }
