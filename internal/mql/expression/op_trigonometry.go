package expression

import (
	"math"
	"math/big"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/elementary"
)

// angles tells how a function treats decimals: what it gives for zero and infinity, and where it is defined.
type angles struct {
	double  func(f float64) float64
	digits  func(f *big.Float) *big.Float
	zero    func(d *apd.Decimal) *apd.Decimal // of zero
	extreme func(negative bool) *apd.Decimal  // of an infinity; nil: it is refused
	bounds  *angleBounds                      // nil: it takes all numbers
}

// angleBounds is which numbers a function takes.
type angleBounds struct {
	from, to bsonraw.Value
	open     bool   // not from and to themselves
	text     string // as messages say it
}

var (
	finiteAngles = &angleBounds{bsonraw.DoubleValue(-inf), bsonraw.DoubleValue(inf), true, "(-inf,inf)"}
	unitAngles   = &angleBounds{bsonraw.Int32Value(-1), bsonraw.Int32Value(1), false, "[-1,1]"}
	acoshAngles  = &angleBounds{bsonraw.Int32Value(1), bsonraw.DoubleValue(inf), false, "[1,inf]"}
)

func (b *angleBounds) has(v bsonraw.Value) bool {
	below, above := bsonraw.Compare(v, b.from), bsonraw.Compare(v, b.to)
	return below >= 0 && above <= 0 && !(b.open && (below == 0 || above == 0))
}

func (a angles) operator(name string) operator {
	fn := numberFunction{name: name, double: a.double, check: func(v bsonraw.Value) error {
		if a.bounds != nil && !isNaN(v) && !a.bounds.has(v) {
			text := shortNumber(v)
			if v.Type == bsonraw.TypeDecimal128 {
				text = string(appendDecimalText(nil, v))
			}
			return mongoerr.New(50989, "cannot apply %s to %s, value must be in %s", name, text, a.bounds.text)
		}
		return nil
	}}
	fn.decimal = func(d *apd.Decimal) *apd.Decimal { return a.decimal(name, d) }
	return fn.operator()
}

func (a angles) decimal(name string, d *apd.Decimal) *apd.Decimal {
	switch {
	case d.Form == apd.NaN:
		return d
	case d.Form == apd.Infinite:
		return a.extreme(d.Negative)
	case d.IsZero():
		return a.zero(d)
	}
	if exact := exactly(name, d); exact != nil {
		return exact
	}
	if adjusted(d) < -maxDigits && a.zero(zeroDecimal(false, 0)).IsZero() {
		return padded(d) // near zero such a function gives what it is given
	}
	return decimalOf(a.digits(bigOf(d)))
}

func itself(d *apd.Decimal) *apd.Decimal { return d }

// lowered is zero multiplied by a number with 40 digits behind the point.
func lowered(d *apd.Decimal) *apd.Decimal { return zeroDecimal(d.Negative, d.Exponent-40) }

// lowest is zero with the least exponent.
func lowest(d *apd.Decimal) *apd.Decimal { return zeroDecimal(d.Negative, minDecimalExponent) }

func unity(*apd.Decimal) *apd.Decimal { return oneDecimal }

func infinity(negative bool) *apd.Decimal {
	return &apd.Decimal{Form: apd.Infinite, Negative: negative}
}

func positiveInfinity(bool) *apd.Decimal { return infinity(false) }

func signedOne(negative bool) *apd.Decimal {
	return &apd.Decimal{Negative: negative, Coeff: apd.New(1, 0).Coeff}
}

func rightAngle(*apd.Decimal) *apd.Decimal { return quarter(false) }

// quarter returns pi/2.
func quarter(negative bool) *apd.Decimal {
	d := decimalOf(new(big.Float).SetMantExp(elementary.BigPi(), -1))
	d.Negative = negative
	return d
}

// exactly returns the results that functions give without computing.
func exactly(operator string, d *apd.Decimal) *apd.Decimal {
	magnitude := new(apd.Decimal).Abs(d)
	isOne := magnitude.Cmp(apd.New(1, 0)) == 0
	switch {
	case operator == "$acosh" && isOne:
		return apd.New(0, 0)
	case operator == "$atanh" && isOne:
		return infinity(d.Negative)
	case operator == "$tanh" && adjusted(d) > 2:
		return signedOne(d.Negative)
	}
	return nil
}

var inf = math.Inf(1)

// scalesAngle is $degreesToRadians or $radiansToDegrees: a multiplication.
func scalesAngle(name string, factor float64, decimalFactor string) operator {
	exact, _, err := apd.NewFromString(decimalFactor)
	if err != nil {
		panic(err) // a constant of the table
	}
	fn := numberFunction{
		name:    name,
		double:  func(f float64) float64 { return f * factor },
		decimal: func(d *apd.Decimal) *apd.Decimal { return decimalProductOf(d, exact) },
	}
	return fn.operator()
}

func decimalProductOf(a, b *apd.Decimal) *apd.Decimal {
	product := new(apd.Decimal)
	_, _ = decimalContext.Mul(product, a, b) // the condition tells rounding and overflow, which have already happened to the result
	return product
}

// evalAtan2 is $atan2: [y, x].
func evalAtan2(ctx *Context, y, x bsonraw.Value) (bsonraw.Value, error) {
	switch {
	case isNullish(y):
		return bsonraw.NullValue, nil
	case !y.Type.IsNumber():
		return bsonraw.Value{}, mongoerr.New(51044, "$atan2 only supports numeric types, not %s", y.Type.Name())
	case isNullish(x):
		return bsonraw.NullValue, nil
	case !x.Type.IsNumber():
		return bsonraw.Value{}, mongoerr.New(51045, "$atan2 only supports numeric types, not %s", x.Type.Name())
	}
	if wider(y.Type, x.Type) == bsonraw.TypeDecimal128 {
		return ctx.decimalValue(decimalAtan2(toDecimal(y), toDecimal(x))), nil
	}
	f, _ := y.AsFloat64()
	g, _ := x.AsFloat64()
	return ctx.doubleValue(elementary.Atan2(f, g)), nil
}

func decimalAtan2(y, x *apd.Decimal) *apd.Decimal {
	switch {
	case y.Form == apd.NaN || x.Form == apd.NaN:
		return decimalNaN
	case y.Form == apd.Infinite || x.Form == apd.Infinite || y.IsZero() || x.IsZero():
		return decimalOf(extremeAngle(y, x))
	}
	return decimalOf(elementary.BigAtan2(bigOf(y), bigOf(x)))
}

// extremeAngle is the angle of a point on an axis or at infinity: a multiple of pi/4.
func extremeAngle(y, x *apd.Decimal) *big.Float {
	side := func(d *apd.Decimal) float64 {
		f := 1.0
		switch {
		case d.Form == apd.Infinite:
			f = inf
		case d.IsZero():
			f = 0
		}
		if d.Negative {
			return -f
		}
		return f
	}
	angle := math.Atan2(side(y), side(x))
	eighths := math.Round(angle / (math.Pi / 4))
	return new(big.Float).Mul(elementary.BigPi(), new(big.Float).SetPrec(quadBits*2).SetFloat64(eighths/4)) // which may be -0
}
