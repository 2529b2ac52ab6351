package update

import (
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/decimal"
)

// arithmetic is $inc and $mul.
type arithmetic struct {
	creating
	arg      bsonraw.Value
	multiply bool
}

func compileInc(_ *compiler, path []byte, arg bsonraw.Value) (modifier, error) {
	if !arg.Type.IsNumber() {
		return nil, mongoerr.New(mongoerr.TypeMismatch, "Cannot increment with non-numeric argument: {%s}", named(path, arg))
	}
	return &arithmetic{arg: arg}, nil
}

func compileMul(_ *compiler, path []byte, arg bsonraw.Value) (modifier, error) {
	if !arg.Type.IsNumber() {
		return nil, mongoerr.New(mongoerr.TypeMismatch, "Cannot multiply with non-numeric argument: {%s}", named(path, arg))
	}
	return &arithmetic{arg: arg, multiply: true}, nil
}

func (o *arithmetic) operator() string {
	if o.multiply {
		return "$mul"
	}
	return "$inc"
}

// zero is what a missing field counts as: an int, which takes the argument's type with the result.
var zero = bsonraw.Int32Value(0)

func (o *arithmetic) apply(a *applier, old bsonraw.Value) (effect, error) {
	if old.IsMissing() {
		if !o.multiply {
			return effect{kind: assign, value: o.arg}, nil
		}
		v, _ := o.compute(a, zero)
		return effect{kind: assign, value: v}, nil
	}
	if !old.Type.IsNumber() {
		return effect{}, mongoerr.New(mongoerr.TypeMismatch,
			"Cannot apply %s to a value of non-numeric type. {%s} has the field '%s' of non-numeric type %s",
			o.operator(), documentID(a.doc), a.trail.last(), old.Type.Name())
	}
	v, ok := o.compute(a, old)
	if !ok {
		return effect{}, mongoerr.New(mongoerr.BadValue, "Failed to apply %s operations to current value (%s) for document {%s}",
			o.operator(), numberText(old), documentID(a.doc))
	}
	if sameNumber(v, old) {
		return effect{}, nil
	}
	return effect{kind: assign, value: v}, nil
}

// sameNumber reports whether a result changes nothing: the same number in the same type. A NaN is never the same, and zeros
// are, whatever their sign.
func sameNumber(v, old bsonraw.Value) bool {
	if v.Type != old.Type {
		return false
	}
	switch v.Type {
	case bsonraw.TypeDouble:
		return v.Double() == old.Double()
	case bsonraw.TypeDecimal128:
		return !argument.IsNaN(v) && bsonraw.Compare(v, old) == 0
	}
	return v.Same(old)
}

// compute works in the wider of the two types, int, long, double, decimal; an int that overflows becomes a long. ok is false
// when a long overflows.
func (o *arithmetic) compute(a *applier, old bsonraw.Value) (v bsonraw.Value, ok bool) {
	x, y := old.Type, o.arg.Type
	switch {
	case x == bsonraw.TypeDecimal128 || y == bsonraw.TypeDecimal128:
		return a.values.decimal(computeDecimal(old, o.arg, o.multiply)), true
	case x == bsonraw.TypeDouble || y == bsonraw.TypeDouble:
		f, _ := old.AsFloat64()
		g, _ := o.arg.AsFloat64()
		if o.multiply {
			return a.values.double(f * g), true
		}
		return a.values.double(f + g), true
	}
	n, _ := old.AsInt64()
	m, _ := o.arg.AsInt64()
	sum, ok := addInts(n, m)
	if o.multiply {
		sum, ok = multiplyInts(n, m)
	}
	if !ok {
		return bsonraw.Value{}, false
	}
	if x == bsonraw.TypeInt32 && y == bsonraw.TypeInt32 && sum == int64(int32(sum)) {
		return a.values.int32(int32(sum)), true
	}
	return a.values.int64(sum), true
}

func addInts(n, m int64) (int64, bool) {
	sum := n + m
	return sum, (sum > n) == (m > 0)
}

func multiplyInts(n, m int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(n), magnitude(m))
	if high != 0 {
		return 0, false
	}
	if (n < 0) != (m < 0) {
		return -int64(low), low <= 1<<63
	}
	return int64(low), low < 1<<63
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// numberText shows an integer with its type, as the message about an overflow does.
func numberText(v bsonraw.Value) string {
	if v.Type == bsonraw.TypeInt32 {
		return "(NumberInt)" + v.Shell()
	}
	return "(NumberLong)" + v.Shell()
}

// bit is $bit.
type bit struct {
	creating
	steps []bitStep
}

type bitStep struct {
	operator byte // the first letter of and, or, xor
	arg      bsonraw.Value
}

func compileBit(_ *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	if arg.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(mongoerr.BadValue, "The $bit modifier is not compatible with a %s. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}", arg.Type.Name())
	}
	b := &bit{}
	for it := arg.Doc().Iter(); it.Next(); {
		key, v := it.Key(), it.Value()
		switch string(key) {
		case "and", "or", "xor":
		default:
			return nil, mongoerr.New(mongoerr.BadValue, "The $bit modifier only supports 'and', 'or', and 'xor', not '%s' which is an unknown operator: {%s}", key, named(key, v))
		}
		if v.Type != bsonraw.TypeInt32 && v.Type != bsonraw.TypeInt64 {
			return nil, mongoerr.New(mongoerr.BadValue, "The $bit modifier field must be an Integer(32/64 bit); a '%s' is not supported here: {%s}", v.Type.Name(), named(key, v))
		}
		b.steps = append(b.steps, bitStep{key[0], v})
	}
	if len(b.steps) == 0 {
		return nil, mongoerr.New(mongoerr.BadValue, "You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}")
	}
	return b, nil
}

func (b *bit) apply(a *applier, old bsonraw.Value) (effect, error) {
	v := old
	switch v.Type {
	case bsonraw.TypeMissing:
		v = zero
	case bsonraw.TypeInt32, bsonraw.TypeInt64:
	default:
		return effect{}, mongoerr.New(mongoerr.BadValue,
			"Cannot apply $bit to a value of non-integral type.%s has the field %s of non-integer type %s",
			documentID(a.doc), a.trail.last(), v.Type.Name())
	}
	n, _ := v.AsInt64()
	long := v.Type == bsonraw.TypeInt64
	for _, s := range b.steps {
		m, _ := s.arg.AsInt64()
		switch s.operator {
		case 'a':
			n &= m
		case 'o':
			n |= m
		case 'x':
			n ^= m
		}
		long = long || s.arg.Type == bsonraw.TypeInt64
	}
	if long {
		v = a.values.int64(n)
	} else {
		v = a.values.int32(int32(n))
	}
	if v.Same(old) {
		return effect{}, nil
	}
	return effect{kind: assign, value: v}, nil
}

func computeDecimal(x, y bsonraw.Value, multiply bool) *apd.Decimal {
	var out apd.Decimal
	// The conditions are inexactness, overflow and the like, which are in the result: rounded, infinite or not a number.
	if multiply {
		_, _ = decimal.Context.Mul(&out, decimal.Of(x), decimal.Of(y))
	} else {
		_, _ = decimal.Context.Add(&out, decimal.Of(x), decimal.Of(y))
	}
	return &out
}
