package expression

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// sum adds numbers of all types as $add does: doubles and integers in a pair of doubles, which loses nothing where a plain
// double would round, decimals apart from them. The result has the widest type that was added.
type sum struct {
	high, low  float64 // their exact sum is the total
	special    float64 // the plain sum, which tells infinities and NaN
	decimal    *apd.Decimal
	long, real bool
}

func (s *sum) add(v bsonraw.Value) {
	switch v.Type {
	case bsonraw.TypeDecimal128:
		if s.decimal == nil {
			s.decimal = new(apd.Decimal)
		}
		// The condition tells rounding and overflow, which have already happened to the result.
		_, _ = decimalContext.Add(s.decimal, s.decimal, readDecimal(v))
	case bsonraw.TypeDouble:
		s.real = true
		s.addDouble(v.Double())
	case bsonraw.TypeInt64:
		s.long = true
		s.addInteger(v.Int64())
	case bsonraw.TypeInt32:
		s.addDouble(float64(v.Int32()))
	}
}

// addInteger adds the two halves of an integer, each of which a double holds exactly.
func (s *sum) addInteger(n int64) {
	high := n / (1 << 32) * (1 << 32)
	s.addDouble(float64(high))
	s.addDouble(float64(n - high))
}

func (s *sum) addDouble(f float64) {
	s.special += f
	var rest float64
	f, rest = twoSum(f, s.low)
	s.high, s.low = twoSum(s.high, f)
	s.low += rest
}

// twoSum returns the sum and what rounding took from it (Knuth).
func twoSum(a, b float64) (total, rest float64) {
	total = a + b
	part := total - a
	return total, (a - (total - part)) + (b - part)
}

func (s *sum) double() float64 {
	if math.IsNaN(s.high) || math.IsInf(s.high, 0) {
		return s.special
	}
	return s.high
}

// integer rounds the total, halves toward zero; ok is false when it does not fit.
func (s *sum) integer() (n int64, ok bool) {
	switch high := math.Round(s.high); {
	case high == 1<<63 && math.Round(s.low) < 0:
		return math.MaxInt64 + int64(math.Round(s.low)) + 1, true
	case high == -(1<<63) && s.low < 0, !(high >= -(1<<63) && high < 1<<63):
		return 0, false
	default:
		return int64(high) + int64(math.Round((s.high-high)+s.low)), true
	}
}

// decimalTotal returns the whole sum as a decimal. What was no decimal is added up before the decimals join it.
func (s *sum) decimalTotal() *apd.Decimal {
	var total *apd.Decimal
	if math.IsNaN(s.high) || math.IsInf(s.high, 0) {
		total = exactDecimal(s.special)
	} else {
		total = exactDecimal(s.high)
		_, _ = decimalContext.Add(total, total, exactDecimal(s.low))
	}
	if s.decimal != nil {
		_, _ = decimalContext.Add(total, s.decimal, total)
	}
	return total
}

func (s *sum) value(ctx *Context) bsonraw.Value {
	switch {
	case s.decimal != nil:
		return ctx.decimalValue(s.decimalTotal())
	case s.real:
		return ctx.doubleValue(s.double())
	}
	n, ok := s.integer()
	switch {
	case !ok:
		return ctx.doubleValue(s.double())
	case s.long || n != int64(int32(n)):
		return ctx.int64Value(n)
	}
	return ctx.int32Value(int32(n))
}
