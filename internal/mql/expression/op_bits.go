package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// combinesBits is the row of $bitAnd, $bitOr or $bitXor. Without arguments it gives none.
func combinesBits(name string, none int64, combine func(a, b int64) int64) operator {
	return operator{joins: true, joinsApart: true, nary: func(ctx *Context, args []node) (bsonraw.Value, error) {
		bits, long := none, false
		for _, arg := range args {
			v, err := arg.eval(ctx)
			switch {
			case err != nil:
				return bsonraw.Value{}, err
			case isNullish(v):
				return bsonraw.NullValue, nil
			case v.Type != bsonraw.TypeInt32 && v.Type != bsonraw.TypeInt64:
				return bsonraw.Value{}, mongoerr.New(mongoerr.TypeMismatch, "%s only supports int and long operands.", name)
			}
			n, _ := v.AsInt64()
			bits = combine(bits, n)
			long = long || v.Type == bsonraw.TypeInt64
		}
		return ctx.integerValue(bits, long), nil
	}}
}

func evalBitNot(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	switch {
	case a.Type == bsonraw.TypeInt32:
		return ctx.int32Value(^a.Int32()), nil
	case a.Type == bsonraw.TypeInt64:
		return ctx.int64Value(^a.Int64()), nil
	case isNullish(a):
		return bsonraw.NullValue, nil
	case !a.Type.IsNumber():
		return bsonraw.Value{}, mongoerr.New(28765, "$bitNot only supports numeric types, not %s", a.Type.Name())
	}
	return bsonraw.Value{}, mongoerr.New(mongoerr.TypeMismatch, "$bitNot only supports int and long, not: %s.", a.Type.Name())
}
