package expression

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

func evalSize(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if a.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(17124, "The argument to $size must be an array, but was of type: %s", a.Type.Name())
	}
	return ctx.int32Value(int32(a.Doc().Len())), nil
}

// asInt32 returns a number that is an integer of 32 bits, whatever its type.
func asInt32(v bsonraw.Value) (n int, ok bool) {
	long, ok := v.AsInt64()
	if !ok || long != int64(int32(long)) {
		return 0, false
	}
	switch v.Type {
	case bsonraw.TypeDouble:
		ok = v.Double() == float64(long)
	case bsonraw.TypeDecimal128:
		ok = bsonraw.Compare(v, bsonraw.Int64Value(long)) == 0
	}
	return int(long), ok
}

func evalArrayElemAt(_ *Context, array, index bsonraw.Value) (bsonraw.Value, error) {
	if isNullish(array) || isNullish(index) {
		return bsonraw.NullValue, nil
	}
	if array.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(28689, "$arrayElemAt's first argument must be an array, but is %s", array.Type.Name())
	}
	if !index.Type.IsNumber() {
		return bsonraw.Value{}, mongoerr.New(28690, "$arrayElemAt's second argument must be a numeric value, but is %s", index.Type.Name())
	}
	i, ok := asInt32(index)
	if !ok {
		f, _ := index.AsFloat64()
		return bsonraw.Value{}, mongoerr.New(28691, "$arrayElemAt's second argument must be representable as a 32-bit integer: %s", shortDouble(f))
	}
	return itemAt(array.Doc(), i), nil
}

// itemAt returns an item of an array, counted from the end when i is negative; missing beyond either end.
func itemAt(array bsonraw.Doc, i int) bsonraw.Value {
	if i < 0 {
		if i += array.Len(); i < 0 {
			return bsonraw.Value{}
		}
	}
	for it := array.Iter(); it.Next(); i-- {
		if i == 0 {
			return it.Value()
		}
	}
	return bsonraw.Value{}
}

// endOfArray is $first or $last.
func endOfArray(name string, index int) operator {
	return operator{unary: func(_ *Context, a bsonraw.Value) (bsonraw.Value, error) {
		if isNullish(a) {
			return bsonraw.NullValue, nil
		}
		if a.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, mongoerr.New(28689, "%s's argument must be an array, but is %s", name, a.Type.Name())
		}
		return itemAt(a.Doc(), index), nil
	}}
}

func evalIn(_ *Context, v, array bsonraw.Value) (bsonraw.Value, error) {
	return isMember(nil, v, array)
}

func collatedIn(by *collation.Collation) binaryFunc {
	return func(_ *Context, v, array bsonraw.Value) (bsonraw.Value, error) { return isMember(by, v, array) }
}

func isMember(by *collation.Collation, v, array bsonraw.Value) (bsonraw.Value, error) {
	if array.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(40081, "$in requires an array as a second argument, found: %s", array.Type.Name())
	}
	for it := array.Doc().Iter(); it.Next(); {
		if compareBy(by, v, it.Value()) == 0 {
			return bsonraw.BoolValue(true), nil
		}
	}
	return bsonraw.BoolValue(false), nil
}

func evalConcatArrays(ctx *Context, args []node) (bsonraw.Value, error) {
	out := bsonraw.BeginArray(ctx.Scratch())
	for _, arg := range args {
		v, err := arg.eval(ctx)
		if err == nil && v.Type != bsonraw.TypeArray && !isNullish(v) {
			err = mongoerr.New(28664, "$concatArrays only supports arrays, not %s", v.Type.Name())
		}
		if err != nil {
			ctx.Discard(out.End())
			return bsonraw.Value{}, err
		}
		if v.Type != bsonraw.TypeArray {
			ctx.Discard(out.End())
			return bsonraw.NullValue, nil
		}
		for it := v.Doc().Iter(); it.Next(); {
			out.Append(it.Value())
		}
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

// evalSlice is $slice: [array, n] or [array, position, n].
func evalSlice(ctx *Context, args []node) (bsonraw.Value, error) {
	array, err := args[0].eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	second, err := args[1].eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(array) || isNullish(second) {
		return bsonraw.NullValue, nil
	}
	if array.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(28724, "First argument to $slice must be an array, but is of type: %s", array.Type.Name())
	}
	if !second.Type.IsNumber() {
		return bsonraw.Value{}, mongoerr.New(28725, "Second argument to $slice must be a numeric value, but is of type: %s", second.Type.Name())
	}
	n, ok := asInt32(second)
	if !ok {
		f, _ := second.AsFloat64()
		return bsonraw.Value{}, mongoerr.New(28726, "Second argument to $slice can't be represented as a 32-bit integer: %s", shortDouble(f))
	}
	switch {
	case len(args) == 3:
		return slicePosition(ctx, array.Doc(), n, args[2])
	case n < 0:
		return sliceArray(ctx, array.Doc(), n, math.MaxInt)
	}
	return sliceArray(ctx, array.Doc(), 0, n)
}

func slicePosition(ctx *Context, array bsonraw.Doc, from int, limit node) (bsonraw.Value, error) {
	v, err := limit.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(v) {
		return bsonraw.NullValue, nil
	}
	if !v.Type.IsNumber() {
		return bsonraw.Value{}, mongoerr.New(28727, "Third argument to $slice must be numeric, but is of type: %s", v.Type.Name())
	}
	n, ok := asInt32(v)
	if !ok {
		f, _ := v.AsFloat64()
		return bsonraw.Value{}, mongoerr.New(28728, "Third argument to $slice can't be represented as a 32-bit integer: %s", shortDouble(f))
	}
	if n <= 0 {
		return bsonraw.Value{}, mongoerr.New(28729, "Third argument to $slice must be positive: %d", n)
	}
	return sliceArray(ctx, array, from, n)
}

func sliceArray(ctx *Context, array bsonraw.Doc, from, limit int) (bsonraw.Value, error) {
	return ctx.keepValue(bsonraw.TypeArray, AppendSlice(ctx.Scratch(), array, from, limit))
}

// AppendSlice appends the array of the limit items that begin at from, which counts from the end when it is negative.
func AppendSlice(dst []byte, array bsonraw.Doc, from, limit int) []byte {
	if from < 0 {
		from = max(0, array.Len()+from)
	}
	out := bsonraw.BeginArray(dst)
	i := 0
	for it := array.Iter(); it.Next() && i-from < limit; i++ {
		if i >= from {
			out.Append(it.Value())
		}
	}
	return out.End()
}
