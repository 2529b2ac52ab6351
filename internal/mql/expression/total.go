package expression

import (
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
func (t *Total) Average(ctx *Context) (bsonraw.Value, error) {
	if t.count == 0 {
		return bsonraw.NullValue, nil
	}
	if t.sum.decimal == nil {
		return ctx.doubleValue(t.sum.double() / float64(t.count)), nil
	}
	return ctx.decimalValue(decimalQuotient(t.sum.decimalTotal(), apd.New(t.count, 0))), nil
}
