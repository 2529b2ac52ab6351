package expression

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// rounds is the row of $round or $trunc: [number] or [number, places], where negative places are before the point.
func rounds(name string, rounding apd.Rounder, double func(f float64) float64) operator {
	return operator{min: 1, max: 2, nary: func(ctx *Context, args []node) (bsonraw.Value, error) {
		v, err := args[0].eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		places := 0
		if len(args) == 2 {
			precision, err := args[1].eval(ctx)
			if err != nil {
				return bsonraw.Value{}, err
			}
			switch {
			case isNullish(v):
				return bsonraw.NullValue, nil
			case !v.Type.IsNumber():
				return bsonraw.Value{}, errRoundType(name, v)
			case isNullish(precision):
				return bsonraw.NullValue, nil
			}
			if places, err = roundPlaces(name, precision); err != nil {
				return bsonraw.Value{}, err
			}
		}
		switch v.Type {
		case bsonraw.TypeDouble:
			if f := v.Double(); len(args) == 2 && f == f && !math.IsInf(f, 0) {
				return ctx.doubleValue(roundDouble(f, places, rounding)), nil
			}
			return ctx.doubleValue(double(v.Double())), nil
		case bsonraw.TypeDecimal128:
			return ctx.decimalValue(roundDecimal(readDecimal(v), places, rounding)), nil
		case bsonraw.TypeInt32, bsonraw.TypeInt64:
			return roundInteger(ctx, name, v, places, rounding)
		}
		if isNullish(v) {
			return bsonraw.NullValue, nil
		}
		return bsonraw.Value{}, errRoundType(name, v)
	}}
}

func errRoundType(name string, v bsonraw.Value) error {
	return mongoerr.New(51081, "%s only supports numeric types, not %s", name, v.Type.Name())
}

const minPlaces, maxPlaces = -20, 100

func roundPlaces(name string, v bsonraw.Value) (int, error) {
	n, err := coerceLong(v)
	if err != nil {
		return 0, err
	}
	if _, ok := asInt32(v); !ok {
		return 0, mongoerr.New(51082, "precision argument to  %s must be a integral value", name)
	}
	if n < minPlaces || n > maxPlaces {
		return 0, mongoerr.New(51083, "cannot apply %s with precision value %d value must be in [-20, 100]", name, n)
	}
	return int(n), nil
}

func roundDecimal(d *apd.Decimal, places int, rounding apd.Rounder) *apd.Decimal {
	if d.Form != apd.Finite {
		return d
	}
	if q, ok := quantize(d, int32(-places), rounding); ok {
		return q
	}
	return padded(d)
}

// roundDouble rounds the digits that a double has as a decimal128.
func roundDouble(f float64, places int, rounding apd.Rounder) float64 {
	q, ok := quantize(exactDecimal(f), int32(-places), rounding)
	if !ok {
		return f
	}
	rounded, err := q.Float64()
	if err != nil {
		return f // cannot be: it is near to f
	}
	return rounded
}

func roundInteger(ctx *Context, name string, v bsonraw.Value, places int, rounding apd.Rounder) (bsonraw.Value, error) {
	if places >= 0 {
		return v, nil
	}
	n, _ := v.AsInt64()
	q, ok := quantize(apd.New(n, 0), int32(-places), rounding)
	if !ok {
		return v, nil // cannot be: it only gets shorter
	}
	rounded, err := q.Int64()
	if err != nil {
		return bsonraw.Value{}, mongoerr.New(51080, "invalid conversion from Decimal128 result in %s resulting from arguments: [%d, %d]", name, n, places)
	}
	return ctx.integerValue(rounded, v.Type == bsonraw.TypeInt64), nil
}
