package expression

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

func evalReverseArray(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if isNullish(a) {
		return bsonraw.NullValue, nil
	}
	if a.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(34435, "The argument to $reverseArray must be an array, but was of type: %s", a.Type.Name())
	}
	var items []bsonraw.Value
	for it := a.Doc().Iter(); it.Next(); {
		items = append(items, it.Value())
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for _, item := range slices.Backward(items) {
		out.Append(item)
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

// rangeBound names an argument of $range and the codes of what may be wrong with it.
type rangeBound struct {
	article, name   string
	space           string // before the name of a wrong type
	kind, precision mongoerr.Code
}

var rangeBounds = [3]rangeBound{
	{"a", "starting", " ", 34443, 34444},
	{"an", "ending", " ", 34445, 34446},
	{"a", "step", "", 34447, 34448},
}

func (b rangeBound) read(v bsonraw.Value) (int, error) {
	if !v.Type.IsNumber() {
		return 0, mongoerr.New(b.kind, "$range requires a numeric %s value, found value of type:%s%s", b.name, b.space, v.Type.Name())
	}
	n, ok := asInt32(v)
	if !ok {
		// A number always has a text.
		text, _ := appendCoerced(nil, v)
		return 0, mongoerr.New(b.precision, "$range requires %s %s value that can be represented as a 32-bit integer, found value: %s", b.article, b.name, text)
	}
	return n, nil
}

// evalRange is $range: [start, end] or [start, end, step].
func evalRange(ctx *Context, args []node) (bsonraw.Value, error) {
	bounds := [3]int{2: 1}
	for i, arg := range args {
		v, err := arg.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if bounds[i], err = rangeBounds[i].read(v); err != nil {
			return bsonraw.Value{}, err
		}
	}
	at, end, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return bsonraw.Value{}, mongoerr.New(34449, "$range requires a non-zero step value")
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for ; step > 0 && at < end || step < 0 && at > end; at += step {
		before := ctx.mark()
		out.Append(ctx.int32Value(int32(at)))
		ctx.release(before)
		if out.Size() > memoryLimit {
			ctx.Discard(out.End())
			return bsonraw.Value{}, errMemory()
		}
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

func indexOfArray(by *collation.Collation) operator {
	return operator{min: 2, max: 4, nary: func(ctx *Context, args []node) (bsonraw.Value, error) {
		array, err := args[0].eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if isNullish(array) {
			return bsonraw.NullValue, nil
		}
		if array.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, mongoerr.New(40090, "$indexOfArray requires an array as a first argument, found: %s", array.Type.Name())
		}
		wanted, err := args[1].eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		from, to, err := searchBounds(ctx, "$indexOfArray", args, array.Doc().Len())
		if err != nil {
			return bsonraw.Value{}, err
		}
		i := 0
		for it := array.Doc().Iter(); it.Next() && i < to; i++ {
			if i >= from && compareBy(by, it.Value(), wanted) == 0 {
				return ctx.int32Value(int32(i)), nil
			}
		}
		return ctx.int32Value(-1), nil
	}}
}

// searchBounds reads the third and fourth argument of $indexOfArray and its like: where to begin, and where to end.
func searchBounds(ctx *Context, operator string, args []node, length int) (from, to int, err error) {
	bounds := [2]int{0, length}
	for i, arg := range args[2:] {
		which := [2]string{"starting", "ending"}[i]
		v, err := arg.eval(ctx)
		if err != nil {
			return 0, 0, err
		}
		n, ok := asInt32(v)
		if !ok {
			return 0, 0, mongoerr.New(40096, "%srequires an integral %s index, found a value of type: %s, with value: %s", operator, which, v.Type.Name(), Text(v))
		}
		if n < 0 {
			return 0, 0, mongoerr.New(40097, "%s requires a nonnegative %s index, found: %d", operator, which, n)
		}
		bounds[i] = n
	}
	return bounds[0], min(bounds[1], length), nil
}
