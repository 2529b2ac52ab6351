package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// accumulation is an accumulator used as an expression: it takes in values, then gives a result.
type accumulation interface {
	take(v bsonraw.Value)
	result(ctx *Context) bsonraw.Value
}

// accumulated makes the row of an accumulator. A single argument may be an array of values. What associates also takes its
// constants together before anything runs.
func accumulated(associates bool, begin func(by *collation.Collation) accumulation) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		args, err := c.arguments(argument)
		if err != nil {
			return nil, err
		}
		by := c.scope.Collation()
		single := len(args) == 1
		joins := associates && !single
		op := operator{joins: joins, joinsApart: joins, nary: func(ctx *Context, args []node) (bsonraw.Value, error) {
			a := begin(by)
			for _, arg := range args {
				v, err := arg.eval(ctx)
				if err != nil {
					return bsonraw.Value{}, err
				}
				if !single || v.Type != bsonraw.TypeArray {
					a.take(v)
					continue
				}
				for it := v.Doc().Iter(); it.Next(); {
					a.take(it.Value())
				}
			}
			return a.result(ctx), nil
		}}
		return &naryCall{name: name, operator: op, args: args}, nil
	}}
}

// total is $sum and $avg.
type total struct {
	Total
	average bool
}

func (t *total) take(v bsonraw.Value) { t.Add(v) }

func (t *total) result(ctx *Context) bsonraw.Value {
	if t.average {
		return t.Average(ctx)
	}
	return t.Sum(ctx)
}

// extreme is $min (sign 1) and $max (sign -1). Of equal values it keeps the first.
type extreme struct {
	by   *collation.Collation
	sign int
	best bsonraw.Value
}

func (e *extreme) take(v bsonraw.Value) {
	if !isNullish(v) && (e.best.IsMissing() || e.sign*e.by.Compare(v, e.best) < 0) {
		e.best = v
	}
}

func (e *extreme) result(*Context) bsonraw.Value {
	if e.best.IsMissing() {
		return bsonraw.NullValue
	}
	return e.best
}

// deviation is $stdDevPop and, with sample, $stdDevSamp.
type deviation struct {
	Deviation
	sample bool
}

func (d *deviation) take(v bsonraw.Value) { d.Add(v) }

func (d *deviation) result(ctx *Context) bsonraw.Value { return d.Result(ctx, d.sample) }
