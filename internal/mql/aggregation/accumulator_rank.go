package aggregation

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/ordering"
)

// rankedForm tells $top, $topN, $bottom and $bottomN apart.
type rankedForm struct{ single, bottom bool }

// rankedAccumulator is the row of an operator that takes {output, sortBy} and, unless it is for a single value, n.
func rankedAccumulator(form rankedForm) accumulatorCompiler {
	return func(c *compiler, name string, argument bsonraw.Value) (a accumulation, err error) {
		if argument.Type != bsonraw.TypeDocument {
			return a, mongoerr.New(5788001, "specification must be an object; found %s: %s", name, argument.Shell())
		}
		var n, output, sortBy bsonraw.Value
		for it := argument.Doc().Iter(); it.Next(); {
			switch key := string(it.Key()); {
			case key == "n" && !form.single:
				n = it.Value()
			case key == "output":
				output = it.Value()
			case key == "sortBy":
				if sortBy = it.Value(); sortBy.Type != bsonraw.TypeDocument && sortBy.Type != bsonraw.TypeArray {
					return a, mongoerr.New(10065, "invalid parameter: expected an object (sortBy)")
				}
			default:
				return a, mongoerr.New(5788002, "Unknown argument to %s '%s'", name, key)
			}
		}
		switch {
		case n.IsMissing() && !form.single:
			return a, mongoerr.New(5788003, "Missing value for 'n'")
		case output.IsMissing():
			return a, mongoerr.New(5788004, "Missing value for 'output'")
		case sortBy.IsMissing():
			return a, mongoerr.New(5788005, "Missing value for 'sortBy'")
		}
		if !form.single {
			if a.count, err = expression.Compile(n, c.scope); err != nil {
				return a, err
			}
		}
		a.input, err = newRankedInput(c, output, sortBy.Doc())
		a.start = func(n int64) accumulator {
			return &ranked{rankedForm: form, ranking: expression.NewRanking(n, form.bottom)}
		}
		return a, err
	}
}

// rankedInput makes {"": sort key, "": output} of a document.
type rankedInput struct {
	output *expression.Expression
	paths  []*expression.Expression
	order  *ordering.Ordering // of documents that hold, in the array "s", the values of the paths
}

func newRankedInput(c *compiler, output bsonraw.Value, sortBy bsonraw.Doc) (*rankedInput, error) {
	o, err := ordering.Compile(sortBy, c.scope.Collation())
	if err != nil {
		return nil, err
	}
	in := &rankedInput{}
	places, at := bsonraw.BeginDoc(nil)
	for i, f := range o.Fields() {
		path, err := expression.ParsePath(f.Path)
		if err != nil {
			return nil, err
		}
		in.paths = append(in.paths, expression.NewFieldPath(path))
		direction := int32(1)
		if f.Descending {
			direction = -1
		}
		places = bsonraw.AppendInt32(places, "s."+strconv.Itoa(i), direction)
	}
	if in.order, err = ordering.Compile(bsonraw.EndDoc(places, at), c.scope.Collation()); err != nil {
		return nil, err
	}
	in.output, err = expression.Compile(output, c.scope)
	return in, err
}

func (in *rankedInput) Optimize() error { return in.output.Optimize() }

func (in *rankedInput) Eval(ctx *expression.Context, doc bsonraw.Doc) (bsonraw.Value, error) {
	v, err := in.output.Eval(ctx, doc) // before the key, whose errors come later
	if err != nil {
		return bsonraw.Value{}, err
	}
	key, err := in.appendKey(ctx.Scratch(), ctx, doc)
	if err != nil {
		ctx.Discard(key)
		return bsonraw.Value{}, err
	}
	out, at := bsonraw.BeginDoc(ctx.Scratch())
	out = bsonraw.AppendBinary(out, "", 0, key)
	ctx.Discard(key)
	out = bsonraw.AppendValue(out, "", v)
	made, err := ctx.Hold(bsonraw.EndDoc(out, at))
	return made.Value(), err
}

// appendKey reads the keys as expressions read paths, puts them into an array, and sorts by the places of that array. It is how MongoDB does
// it, and shows: an array among the keys counts as a whole, two are too many, and a document must not have a number for the name of a field.
func (in *rankedInput) appendKey(dst []byte, ctx *expression.Context, doc bsonraw.Doc) ([]byte, error) {
	keys, at := bsonraw.BeginDoc(ctx.Scratch())
	list := bsonraw.BeginArray(bsonraw.AppendHeader(keys, bsonraw.TypeArray, rankedKeys))
	for _, path := range in.paths {
		v, err := path.Eval(ctx, doc)
		if err != nil {
			ctx.Discard(list.End())
			return dst, err
		}
		list.Append(v)
	}
	keys = bsonraw.EndDoc(list.End(), at)
	defer ctx.Discard(keys)
	return in.order.AppendKey(dst, keys[at:])
}

var rankedKeys = []byte("s")

// ranked is $top, $topN, $bottom or $bottomN.
type ranked struct {
	rankedForm
	ranking *expression.Ranking
}

func (a *ranked) add(v bsonraw.Value) (int, error) {
	it := v.Doc().Iter()
	it.Next()
	_, key := it.Value().Binary()
	output := bsonraw.NullValue
	if it.Next() {
		output = it.Value()
	}
	return rank(a.ranking, key, output), nil
}

func (a *ranked) result(*expression.Context) (bsonraw.Value, error) {
	list := arrayOf(func(visit func(v bsonraw.Value)) { a.ranking.Values(false, visit) })
	if a.single {
		return orNull(list.Doc().At(0)), nil
	}
	return list, nil
}
