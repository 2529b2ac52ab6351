package expression

import (
	"math"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// evalAdd is $add: a sum of numbers, and of one date at most.
func evalAdd(ctx *Context, args []node) (bsonraw.Value, error) {
	var total sum
	hasDate := false
	for _, arg := range args {
		v, err := arg.eval(ctx)
		switch {
		case err != nil:
			return bsonraw.Value{}, err
		case v.Type.IsNumber():
			total.add(v)
		case v.Type == bsonraw.TypeDate:
			if hasDate {
				return bsonraw.Value{}, mongoerr.New(16612, "only one date allowed in an $add expression")
			}
			hasDate = true
			total.addInteger(v.Int64())
		case isNullish(v):
			return bsonraw.NullValue, nil
		default:
			return bsonraw.Value{}, mongoerr.New(16554, "$add only supports numeric or date types, not %s", v.Type.Name())
		}
	}
	if !hasDate {
		return total.value(ctx), nil
	}
	if total.decimal != nil {
		return ctx.dateValue(decimalToInteger(total.decimalTotal())), nil
	}
	millis, ok := total.integer()
	if !ok {
		return bsonraw.Value{}, mongoerr.New(mongoerr.Overflow, "date overflow in $add")
	}
	return ctx.dateValue(millis), nil
}

// evalMultiply is $multiply: integers stay integers as long as the product fits.
func evalMultiply(ctx *Context, args []node) (bsonraw.Value, error) {
	integer, product := int64(1), 1.0
	var decimal *apd.Decimal
	widest := bsonraw.TypeInt32
	for _, arg := range args {
		v, err := arg.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if isNullish(v) {
			return bsonraw.NullValue, nil
		}
		if !v.Type.IsNumber() {
			return bsonraw.Value{}, mongoerr.New(mongoerr.TypeMismatch, "$multiply only supports numeric types, not %s", v.Type.Name())
		}
		before := widest
		widest = wider(widest, v.Type)
		if widest == bsonraw.TypeDecimal128 {
			if before != widest {
				decimal = decimalProduct(before, integer, product)
			}
			_, _ = decimalContext.Mul(decimal, decimal, toDecimal(v))
			continue
		}
		f, _ := v.AsFloat64()
		product *= f
		if widest != bsonraw.TypeDouble {
			n, _ := v.AsInt64()
			var ok bool
			if integer, ok = multiplyIntegers(integer, n); !ok {
				widest = bsonraw.TypeDouble
			}
		}
	}
	switch widest {
	case bsonraw.TypeDecimal128:
		return ctx.decimalValue(decimal), nil
	case bsonraw.TypeDouble:
		return ctx.doubleValue(product), nil
	}
	return ctx.integerValue(integer, widest == bsonraw.TypeInt64), nil
}

func decimalProduct(t bsonraw.Type, integer int64, product float64) *apd.Decimal {
	if t == bsonraw.TypeDouble {
		return decimalOfDouble(product)
	}
	return apd.New(integer, 0)
}

// integerValue makes an int, or a long when asked to or when the number needs one.
func (c *Context) integerValue(n int64, long bool) bsonraw.Value {
	if long || n != int64(int32(n)) {
		return c.int64Value(n)
	}
	return c.int32Value(int32(n))
}

// wider returns the type that holds numbers of both types.
func wider(a, b bsonraw.Type) bsonraw.Type {
	for _, t := range []bsonraw.Type{bsonraw.TypeDecimal128, bsonraw.TypeDouble, bsonraw.TypeInt64} {
		if a == t || b == t {
			return t
		}
	}
	return bsonraw.TypeInt32
}

func multiplyIntegers(a, b int64) (product int64, ok bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if negative := (a < 0) != (b < 0); negative {
		return -int64(low), high == 0 && low <= 1<<63
	}
	return int64(low), high == 0 && low < 1<<63
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func evalSubtract(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
	switch {
	case a.Type.IsNumber() && b.Type.IsNumber():
		return subtractNumbers(ctx, a, b), nil
	case isNullish(a) || isNullish(b):
		return bsonraw.NullValue, nil
	case a.Type == bsonraw.TypeDate && b.Type == bsonraw.TypeDate:
		return ctx.int64Value(a.Int64() - b.Int64()), nil // MongoDB lets it wrap around, too
	case a.Type == bsonraw.TypeDate && b.Type.IsNumber():
		return subtractFromDate(ctx, a.Int64(), b)
	case a.Type == bsonraw.TypeDate:
		return bsonraw.Value{}, mongoerr.New(mongoerr.TypeMismatch, "can't $subtract %s from Date", b.Type.Name())
	}
	return bsonraw.Value{}, mongoerr.New(mongoerr.TypeMismatch, "can't $subtract %s from %s", b.Type.Name(), a.Type.Name())
}

func subtractNumbers(ctx *Context, a, b bsonraw.Value) bsonraw.Value {
	t := wider(a.Type, b.Type)
	switch t {
	case bsonraw.TypeDecimal128:
		var d apd.Decimal
		_, _ = decimalContext.Sub(&d, toDecimal(a), toDecimal(b))
		return ctx.decimalValue(&d)
	case bsonraw.TypeDouble:
		f, _ := a.AsFloat64()
		g, _ := b.AsFloat64()
		return ctx.doubleValue(f - g)
	}
	n, _ := a.AsInt64()
	m, _ := b.AsInt64()
	difference, ok := subtractIntegers(n, m)
	if !ok {
		return ctx.doubleValue(float64(n) - float64(m))
	}
	return ctx.integerValue(difference, t == bsonraw.TypeInt64)
}

func subtractIntegers(a, b int64) (difference int64, ok bool) {
	difference = a - b
	return difference, (a < b) == (difference < 0)
}

func subtractFromDate(ctx *Context, date int64, v bsonraw.Value) (bsonraw.Value, error) {
	var n int64
	switch v.Type {
	case bsonraw.TypeDecimal128:
		n = decimalToInteger(readDecimal(v))
	case bsonraw.TypeDouble:
		var ok bool
		if n, ok = v.AsInt64(); !ok {
			return bsonraw.Value{}, mongoerr.New(31109, "Can't coerce out of range value %s to long", shortDouble(v.Double()))
		}
	default:
		n, _ = v.AsInt64()
	}
	if n == math.MinInt64 {
		return bsonraw.Value{}, mongoerr.New(mongoerr.DurationOverflow, "Cannot negate the minimum duration")
	}
	millis, ok := subtractIntegers(date, n)
	if !ok {
		return bsonraw.Value{}, mongoerr.New(mongoerr.DurationOverflow, "Overflow while adding %dms to %dms", -n, date)
	}
	return ctx.dateValue(millis), nil
}

func evalDivide(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
	if !a.Type.IsNumber() || !b.Type.IsNumber() {
		if isNullish(a) || isNullish(b) {
			return bsonraw.NullValue, nil
		}
		return bsonraw.Value{}, mongoerr.New(mongoerr.TypeMismatch, "$divide only supports numeric types, not %s and %s", a.Type.Name(), b.Type.Name())
	}
	if wider(a.Type, b.Type) == bsonraw.TypeDecimal128 {
		divisor := toDecimal(b)
		if divisor.IsZero() {
			return bsonraw.Value{}, mongoerr.New(mongoerr.BadValue, "can't $divide by zero")
		}
		return ctx.decimalValue(decimalQuotient(toDecimal(a), divisor)), nil
	}
	f, _ := a.AsFloat64()
	g, _ := b.AsFloat64()
	if g == 0 {
		return bsonraw.Value{}, mongoerr.New(mongoerr.BadValue, "can't $divide by zero")
	}
	return ctx.doubleValue(f / g), nil
}

func evalMod(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
	if !a.Type.IsNumber() || !b.Type.IsNumber() {
		if isNullish(a) || isNullish(b) {
			return bsonraw.NullValue, nil
		}
		return bsonraw.Value{}, mongoerr.New(16611, "$mod only supports numeric types, not %s and %s", a.Type.Name(), b.Type.Name())
	}
	if wider(a.Type, b.Type) == bsonraw.TypeDecimal128 {
		divisor := toDecimal(b)
		if divisor.IsZero() {
			return bsonraw.Value{}, mongoerr.New(5733415, "can't $mod by zero")
		}
		return ctx.decimalValue(decimalRemainder(toDecimal(a), divisor)), nil
	}
	g, _ := b.AsFloat64()
	if g == 0 {
		return bsonraw.Value{}, mongoerr.New(16610, "can't $mod by zero")
	}
	// A divisor that is a whole number counts as an integer, whatever its type.
	if a.Type == bsonraw.TypeDouble || b.Type == bsonraw.TypeDouble && g != float64(int32(g)) {
		f, _ := a.AsFloat64()
		return ctx.doubleValue(remainder(f, g)), nil
	}
	n, _ := a.AsInt64()
	m, _ := b.AsInt64()
	rest := int64(0)
	if m != -1 {
		rest = n % m
	}
	return ctx.integerValue(rest, a.Type == bsonraw.TypeInt64 || b.Type == bsonraw.TypeInt64), nil
}

// remainder is math.Mod with the NaN that the processor's operations give.
func remainder(f, g float64) float64 {
	switch {
	case f != f || g != g:
		return f + g
	case math.IsInf(f, 0):
		return f - f
	}
	return math.Mod(f, g)
}

func evalAbs(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	switch a.Type {
	case bsonraw.TypeInt32:
		return ctx.integerValue(max(int64(a.Int32()), -int64(a.Int32())), false), nil
	case bsonraw.TypeInt64:
		n := a.Int64()
		if n == math.MinInt64 {
			return bsonraw.Value{}, mongoerr.New(28680, "can't take $abs of long long min") //nolint:dupword // MongoDB's text
		}
		return ctx.int64Value(max(n, -n)), nil
	case bsonraw.TypeDouble:
		return ctx.doubleValue(math.Abs(a.Double())), nil
	case bsonraw.TypeDecimal128:
		d := readDecimal(a)
		d.Negative = false
		return ctx.decimalValue(d), nil
	}
	if isNullish(a) {
		return bsonraw.NullValue, nil
	}
	return bsonraw.Value{}, mongoerr.New(28765, "$abs only supports numeric types, not %s", a.Type.Name())
}

// shortDouble renders a double with six digits, as MongoDB does in messages and where it makes text of a number.
func shortDouble(f float64) string { return string(appendShortDouble(nil, f)) }

func appendShortDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 6, 64)
}
