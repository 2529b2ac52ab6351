package expression

import (
	"math"

	"github.com/cockroachdb/apd/v3"

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
	sum
	count   int
	average bool
}

func (t *total) take(v bsonraw.Value) {
	if v.Type.IsNumber() {
		t.add(v)
		t.count++
	}
}

func (t *total) result(ctx *Context) bsonraw.Value {
	switch {
	case !t.average:
		return t.value(ctx)
	case t.count == 0:
		return bsonraw.NullValue
	case t.decimal != nil:
		return ctx.decimalValue(decimalQuotient(t.decimalTotal(), apd.New(int64(t.count), 0)))
	}
	return ctx.doubleValue(t.double() / float64(t.count))
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

// deviation is $stdDevPop and, with sample, $stdDevSamp (Welford).
type deviation struct {
	sample        bool
	count         float64
	mean, squares float64
}

func (d *deviation) take(v bsonraw.Value) {
	if !v.Type.IsNumber() {
		return
	}
	f, _ := v.AsFloat64()
	d.count++
	delta := f - d.mean
	if delta != 0 { // the same again and again leaves the mean as it is, an infinite one too
		d.mean += delta / d.count
		d.squares += delta * (f - d.mean)
	}
}

func (d *deviation) result(ctx *Context) bsonraw.Value {
	n := d.count
	if d.sample {
		n--
	}
	if n <= 0 {
		return bsonraw.NullValue
	}
	return ctx.doubleValue(math.Sqrt(d.squares / n))
}
