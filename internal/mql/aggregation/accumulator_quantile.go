package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// quantileAccumulator reads $percentile and $median.
func quantileAccumulator(c *compiler, name string, argument bsonraw.Value) (a accumulation, err error) {
	if argument.Type != bsonraw.TypeDocument {
		code := mongoerr.Code(7429703)
		if name == "$median" {
			code = 7436100
		}
		return a, mongoerr.New(code, "specification must be an object; found %s: %s", name, argument.Shell())
	}
	spec, err := expression.ReadQuantiles(name, argument.Doc(), c.scope)
	if err != nil {
		return a, err
	}
	a.input, err = expression.Compile(spec.Input, c.scope)
	a.start = func(int64) accumulator { return &quantiles{spec: spec} }
	return a, err
}

// quantiles is $percentile or $median.
type quantiles struct {
	spec  *expression.QuantileSpec
	taken expression.Quantiles
}

func (a *quantiles) add(v bsonraw.Value) (int, error) {
	before := a.taken.Size()
	a.taken.Add(v)
	return a.taken.Size() - before, nil
}

func (a *quantiles) result(ctx *expression.Context) (bsonraw.Value, error) {
	return a.spec.Result(ctx, &a.taken)
}
