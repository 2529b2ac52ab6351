package argument

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/decimal"
)

// Error is what is wrong with an argument, to be put into an error with a code: operators differ in it.
type Error string

func (e Error) Error() string { return string(e) }

// Integer reads a whole number of any type. name is the operator's, for the text of the error, which is an [Error].
func Integer(name string, v bsonraw.Value) (int64, error) {
	switch {
	case !v.Type.IsNumber():
		return 0, Error("Expected a number in: " + name + ": " + v.Shell())
	case IsNaN(v):
		return 0, Error("Expected an integer, but found NaN in: " + name + ": " + v.Shell())
	}
	n, ok := v.AsInt64()
	if !ok {
		return 0, Error("Cannot represent as a 64-bit integer: " + name + ": " + v.Shell())
	}
	if bsonraw.Compare(v, bsonraw.Int64Value(n)) != 0 {
		return 0, Error("Expected an integer: " + name + ": " + v.Shell())
	}
	return n, nil
}

// Natural is Integer for numbers that are not negative.
func Natural(name string, v bsonraw.Value) (int64, error) {
	n, err := Integer(name, v)
	if err == nil && n < 0 {
		return 0, Error("Expected a non-negative number in: " + name + ": " + v.Shell())
	}
	return n, err
}

// Whole makes any number a whole one, as commands read their arguments: of doubles the fraction is cut off, decimals are rounded, to even
// numbers between two. What is too large becomes the largest, NaN zero.
func Whole(v bsonraw.Value) int64 {
	n, ok := v.AsInt64()
	switch {
	case ok && v.Type == bsonraw.TypeDecimal128:
		var rounded apd.Decimal
		if _, err := decimal.Context.RoundToIntegralValue(&rounded, decimal.Unpack(v)); err == nil {
			if whole, err := rounded.Int64(); err == nil {
				return whole
			}
		}
		return n
	case ok || IsNaN(v):
		return n
	}
	if f, _ := v.AsFloat64(); f < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// IsNaN reports whether v is a number that is none.
func IsNaN(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeDouble:
		return math.IsNaN(v.Double())
	case bsonraw.TypeDecimal128:
		high, _ := v.Decimal128()
		return high>>58&0x1f == 0x1f
	}
	return false
}
