package expression

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

func convertToNumber(ctx *Context, v bsonraw.Value, to bsonraw.Type) (bsonraw.Value, error) {
	if v.Type == to {
		return v, nil
	}
	switch v.Type {
	case bsonraw.TypeString:
		return parseNumber(ctx, v.Str(), to)
	case bsonraw.TypeBool:
		n := int64(0)
		if v.Bool() {
			n = 1
		}
		return integerAs(ctx, n, to)
	case bsonraw.TypeDate:
		if to != bsonraw.TypeInt32 {
			return integerAs(ctx, v.Int64(), to)
		}
	case bsonraw.TypeInt32, bsonraw.TypeInt64:
		n, _ := v.AsInt64()
		return integerAs(ctx, n, to)
	case bsonraw.TypeDouble, bsonraw.TypeDecimal128:
		return fractionAs(ctx, v, to)
	}
	return bsonraw.Value{}, errUnsupportedConversion(v, to)
}

func integerAs(ctx *Context, n int64, to bsonraw.Type) (bsonraw.Value, error) {
	switch to {
	case bsonraw.TypeDouble:
		return ctx.doubleValue(float64(n)), nil
	case bsonraw.TypeDecimal128:
		return ctx.decimalValue(apd.New(n, 0)), nil
	case bsonraw.TypeInt64:
		return ctx.int64Value(n), nil
	}
	if n != int64(int32(n)) {
		return bsonraw.Value{}, errConversionOverflow("")
	}
	return ctx.int32Value(int32(n)), nil
}

// fractionAs converts a double or a decimal to another type of numbers.
func fractionAs(ctx *Context, v bsonraw.Value, to bsonraw.Type) (bsonraw.Value, error) {
	switch to {
	case bsonraw.TypeDecimal128:
		return ctx.decimalValue(toDecimal(v)), nil
	case bsonraw.TypeDouble:
		f, _ := v.AsFloat64()
		d := readDecimal(v)
		if d.Form == apd.Finite && (math.IsInf(f, 0) || isSubnormal(f) || f == 0 && !d.IsZero()) {
			return bsonraw.Value{}, errConversionOverflow(numberText(v))
		}
		return ctx.doubleValue(f), nil
	}
	n, err := wholeNumber(v)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if to == bsonraw.TypeInt64 {
		return ctx.int64Value(n), nil
	}
	// A double beyond the bounds by a fraction is beyond them, a decimal is not.
	f := float64(n)
	if v.Type == bsonraw.TypeDouble {
		f = v.Double()
	}
	if f > math.MaxInt32 || f < math.MinInt32 {
		return bsonraw.Value{}, errConversionOverflow(numberText(v))
	}
	return ctx.int32Value(int32(n)), nil
}

// isSubnormal reports whether a double has lost digits since it is so small.
func isSubnormal(f float64) bool { return f != 0 && math.Abs(f) < 0x1p-1022 }

func parseNumber(ctx *Context, text string, to bsonraw.Type) (bsonraw.Value, error) {
	if strings.HasPrefix(text, "0x") {
		return bsonraw.Value{}, conversionFailure("Illegal hexadecimal input "+noOnError+": %s", text)
	}
	var v bsonraw.Value
	var why string
	switch to {
	case bsonraw.TypeDouble:
		var f float64
		if f, why = parseFloat(text); why == "" {
			v = ctx.doubleValue(f)
		}
	case bsonraw.TypeDecimal128:
		var d *apd.Decimal
		if d, why = parseDecimal(text); why == "" {
			v = ctx.decimalValue(d)
		}
	default:
		bits := 64
		if to == bsonraw.TypeInt32 {
			bits = 32
		}
		var n int64
		if n, why = parseInteger(text, bits); why == "" {
			return integerAs(ctx, n, to)
		}
	}
	if why != "" {
		return v, conversionFailure("Failed to parse number '%s' "+noOnError+": %s", text, why)
	}
	return v, nil
}

// parseInteger reads decimal digits with a sign, and nothing around them.
func parseInteger(text string, bits int) (n int64, why string) {
	n, err := strconv.ParseInt(text, 10, bits)
	switch {
	case err == nil:
		return n, ""
	case errors.Is(err, strconv.ErrRange):
		return 0, "Overflow"
	case strings.Trim(text, "+-") == "":
		return 0, "No digits"
	}
	return 0, "Did not consume whole string."
}

// parseFloat reads a double as the C library does, which also knows hexadecimal ones.
func parseFloat(text string) (f float64, why string) {
	switch {
	case text == "":
		return 0, "Empty string"
	case strings.IndexByte(" \t\n\v\f\r", text[0]) >= 0:
		return 0, "Leading whitespace"
	}
	lower := strings.ToLower(text)
	digits := strings.TrimLeft(lower, "+-")
	switch {
	case digits == "nan" && len(lower)-len(digits) < 2:
		return math.NaN(), ""
	case strings.HasPrefix(digits, "0x") && !strings.Contains(digits, "p"):
		lower += "p0"
	}
	f, err := strconv.ParseFloat(lower, 64)
	switch {
	case strings.Contains(text, "_"), err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, "Did not consume whole string."
	case err != nil, isSubnormal(f), f == 0 && strings.ContainsAny(mantissa(digits), "123456789"):
		return 0, "Out of range"
	}
	return f, ""
}

// mantissa returns the digits of a number without its exponent.
func mantissa(digits string) string {
	if before, _, ok := strings.Cut(digits, "e"); ok && !strings.HasPrefix(digits, "0x") {
		return before
	}
	return digits
}

const notDecimal = "Failed to parse string to decimal"

// parseDecimal reads a decimal128, with all of its zeros.
func parseDecimal(text string) (d *apd.Decimal, why string) {
	if text == "" {
		return nil, "Empty string"
	}
	d = &apd.Decimal{}
	rest := strings.ToLower(text)
	if rest[0] == '-' || rest[0] == '+' {
		d.Negative = rest[0] == '-'
		rest = rest[1:]
	}
	switch rest {
	case "nan":
		return decimalNaN, ""
	case "inf", "infinity":
		d.Form = apd.Infinite
		return d, ""
	}
	number, exponent, hasExponent := strings.Cut(rest, "e")
	whole, fraction, _ := strings.Cut(number, ".")
	digits := whole + fraction
	if digits == "" || strings.Trim(digits, "0123456789") != "" || hasExponent && !isExponent(exponent) {
		return nil, notDecimal
	}
	const far = 100_000 // as good as any further away
	e, err := strconv.ParseInt(exponent, 10, 32)
	if err != nil && hasExponent {
		if e = far; exponent[0] == '-' {
			e = -far
		}
	}
	e = min(max(e, -far), far) - int64(len(fraction))
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return zeroDecimal(d.Negative, int32(min(max(e, minDecimalExponent), maxDecimalExponent))), ""
	}
	return roundParsed(d, digits, e)
}

func isExponent(text string) bool {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+")
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// roundParsed makes a decimal of digits and an exponent. Digits beyond those that it has room for are rounded away; a number that is too
// large or, but for zeros, too small is refused.
func roundParsed(d *apd.Decimal, digits string, e int64) (*apd.Decimal, string) {
	adjusted := e + int64(len(digits)) - 1
	switch {
	case adjusted > maxDecimalExponent+maxDigits-1:
		return nil, "Conversion from string to decimal would overflow"
	case adjusted < minDecimalExponent-1:
		return nil, "Conversion from string to decimal would underflow"
	}
	if _, ok := d.Coeff.SetString(digits, 10); !ok {
		return nil, notDecimal
	}
	d.Exponent = int32(e)
	var rounded apd.Decimal
	condition, err := decimalContext.Round(&rounded, d)
	switch {
	case err != nil || rounded.Form != apd.Finite:
		return nil, "Conversion from string to decimal would overflow"
	case condition.Inexact() && rounded.Exponent == minDecimalExponent && rounded.NumDigits() < maxDigits:
		return nil, "Conversion from string to decimal would underflow"
	}
	return &rounded, ""
}
