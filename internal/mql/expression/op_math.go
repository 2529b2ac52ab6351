package expression

import (
	"cmp"
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/elementary"
)

// numberFunction is a function of one number that gives a double, or a decimal of a decimal.
type numberFunction struct {
	name    string
	double  func(f float64) float64
	decimal func(d *apd.Decimal) *apd.Decimal
	check   func(v bsonraw.Value) error // nil: all numbers have a value
}

func (fn numberFunction) operator() operator {
	return operator{unary: func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
		if !a.Type.IsNumber() {
			if isNullish(a) {
				return bsonraw.NullValue, nil
			}
			return bsonraw.Value{}, mongoerr.New(28765, "%s only supports numeric types, not %s", fn.name, a.Type.Name())
		}
		if fn.check != nil {
			if err := fn.check(a); err != nil {
				return bsonraw.Value{}, err
			}
		}
		if a.Type == bsonraw.TypeDecimal128 {
			return ctx.decimalValue(fn.decimal(readDecimal(a))), nil
		}
		f, _ := a.AsFloat64()
		return ctx.doubleValue(fn.double(f)), nil
	}}
}

// sign returns -1, 0 or 1 for a number, and 1 for NaN.
func sign(v bsonraw.Value) int {
	switch v.Type {
	case bsonraw.TypeDecimal128:
		d := readDecimal(v)
		if d.Form == apd.NaN {
			return 1
		}
		return d.Sign()
	case bsonraw.TypeDouble:
		switch f := v.Double(); {
		case f < 0:
			return -1
		case f == 0:
			return 0
		}
		return 1
	}
	n, _ := v.AsInt64()
	return cmp.Compare(n, 0)
}

func isNaN(v bsonraw.Value) bool {
	f, _ := v.AsFloat64()
	return f != f
}

var sqrtFunction = numberFunction{name: "$sqrt", double: math.Sqrt, decimal: decimalSqrt, check: func(v bsonraw.Value) error {
	if sign(v) < 0 {
		return mongoerr.New(28714, "$sqrt's argument must be greater than or equal to 0")
	}
	return nil
}}

// shortNumber renders a number as messages about it do, in the digits of a double.
func shortNumber(v bsonraw.Value) string {
	f, _ := v.AsFloat64()
	return shortDouble(f)
}

// logarithm is $ln or $log10.
func logarithm(name string, code mongoerr.Code, double func(f float64) float64, decimal func(d *apd.Decimal) *apd.Decimal) operator {
	fn := numberFunction{name: name, double: double, decimal: decimal, check: func(v bsonraw.Value) error {
		if sign(v) <= 0 {
			return mongoerr.New(code, "%s's argument must be a positive number, but is %s", name, shortNumber(v))
		}
		return nil
	}}
	plain := fn.operator().unary
	return operator{unary: func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
		if a.Type == bsonraw.TypeDecimal128 && isNaN(a) {
			return ctx.doubleValue(math.NaN()), nil
		}
		return plain(ctx, a)
	}}
}

// evalLog is $log: [number, base].
func evalLog(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
	switch {
	case isNullish(a) || isNullish(b):
		return bsonraw.NullValue, nil
	case !a.Type.IsNumber():
		return bsonraw.Value{}, mongoerr.New(28756, "$log's argument must be numeric, not %s", a.Type.Name())
	case !b.Type.IsNumber():
		return bsonraw.Value{}, mongoerr.New(28757, "$log's base must be numeric, not %s", b.Type.Name())
	case sign(a) <= 0:
		return bsonraw.Value{}, mongoerr.New(28758, "$log's argument must be a positive number, but is %s", shortNumber(a))
	case sign(b) <= 0 || bsonraw.Compare(b, bsonraw.Int32Value(1)) == 0:
		return bsonraw.Value{}, mongoerr.New(28759, "$log's base must be a positive number not equal to 1, but is %s", shortNumber(b))
	case isNaN(a) || isNaN(b):
		return ctx.doubleValue(math.NaN()), nil
	}
	if wider(a.Type, b.Type) == bsonraw.TypeDecimal128 {
		return ctx.decimalValue(decimalLogTo(toDecimal(b), toDecimal(a))), nil
	}
	f, _ := a.AsFloat64()
	g, _ := b.AsFloat64()
	return ctx.doubleValue(elementary.Log(f) / elementary.Log(g)), nil
}

// evalPow is $pow. Whole numbers stay whole as long as the power fits.
func evalPow(ctx *Context, base, exponent bsonraw.Value) (bsonraw.Value, error) {
	switch {
	case isNullish(base) || isNullish(exponent):
		return bsonraw.NullValue, nil
	case !base.Type.IsNumber():
		return bsonraw.Value{}, mongoerr.New(28762, "$pow's base must be numeric, not %s", base.Type.Name())
	case !exponent.Type.IsNumber():
		return bsonraw.Value{}, mongoerr.New(28763, "$pow's exponent must be numeric, not %s", exponent.Type.Name())
	case sign(base) == 0 && sign(exponent) < 0:
		return bsonraw.Value{}, mongoerr.New(28764, "$pow cannot take a base of 0 and a negative exponent")
	}
	t := wider(base.Type, exponent.Type)
	switch t {
	case bsonraw.TypeDecimal128:
		return ctx.decimalValue(decimalPow(toDecimal(base), toDecimal(exponent))), nil
	case bsonraw.TypeDouble:
	default:
		b, _ := base.AsInt64()
		e, _ := exponent.AsInt64()
		if power, ok := integerPow(b, e); ok {
			return ctx.integerValue(power, t == bsonraw.TypeInt64), nil
		}
	}
	f, _ := base.AsFloat64()
	g, _ := exponent.AsFloat64()
	return ctx.doubleValue(elementary.Pow(f, g)), nil
}

func integerPow(base, exponent int64) (power int64, ok bool) {
	switch {
	case exponent == 0 || base == 1:
		return 1, true
	case base == 0:
		return 0, true
	case base == -1:
		return 1 - 2*(exponent&1), true
	case exponent < 0:
		return 0, false
	}
	power = 1
	for range exponent { // not many: beyond the 63rd nothing fits
		if power, ok = multiplyIntegers(power, base); !ok {
			return 0, false
		}
	}
	return power, true
}

// integralNumber is $ceil or $floor, which leave whole numbers as they are.
func integralNumber(name string, double func(f float64) float64, rounding apd.Rounder) operator {
	fn := numberFunction{name: name, double: double, decimal: func(d *apd.Decimal) *apd.Decimal {
		if d.Form != apd.Finite {
			return decimalNaN // of infinities, too
		}
		if q, ok := quantize(d, 0, rounding); ok {
			return q
		}
		return decimalNaN
	}}
	plain := fn.operator().unary
	return operator{unary: func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
		if a.Type == bsonraw.TypeInt32 || a.Type == bsonraw.TypeInt64 {
			return a, nil
		}
		return plain(ctx, a)
	}}
}
