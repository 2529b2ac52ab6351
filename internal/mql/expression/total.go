package expression

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Total adds up numbers as $sum and $avg do. What is no number is left out. The zero Total is nothing yet.
type Total struct {
	sum   sum
	count int64
}

// Add adds a value.
func (t *Total) Add(v bsonraw.Value) {
	if v.Type.IsNumber() {
		t.sum.add(v)
		t.count++
	}
}

// Sum returns the sum, of the widest type that was added; 0 of nothing. It is valid until ctx.Reset.
func (t *Total) Sum(ctx *Context) bsonraw.Value { return t.sum.value(ctx) }

// Average returns the sum divided by the count of numbers, as a double or a decimal; null of nothing.
func (t *Total) Average(ctx *Context) bsonraw.Value {
	if t.count == 0 {
		return bsonraw.NullValue
	}
	if t.sum.decimal == nil {
		return ctx.doubleValue(t.sum.double() / float64(t.count))
	}
	return ctx.decimalValue(decimalQuotient(t.sum.decimalTotal(), apd.New(t.count, 0)))
}

// Deviation tells how far numbers are spread, as $stdDevPop and $stdDevSamp do (Welford). The zero Deviation is nothing yet.
type Deviation struct {
	count         float64
	mean, squares float64
}

// Add adds a value. What is no number is left out.
func (d *Deviation) Add(v bsonraw.Value) {
	f, ok := v.AsFloat64()
	if !ok {
		return
	}
	d.count++
	delta := f - d.mean
	if delta != 0 { // the same again and again leaves the mean as it is, an infinite one too
		d.mean += delta / d.count
		d.squares += delta * (f - d.mean)
	}
}

// Result returns the standard deviation, of a sample or of a whole; null of too few numbers.
func (d *Deviation) Result(ctx *Context, sample bool) bsonraw.Value {
	n := d.count
	if sample {
		n--
	}
	if n <= 0 {
		return bsonraw.NullValue
	}
	return ctx.doubleValue(math.Sqrt(d.squares / n))
}
