package bsonraw

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
)

// decimal is a decimal128 taken apart: (-1)^negative * coefficient * 10^exponent.
type decimal struct {
	negative, nan, inf bool
	exponent           int
	coefficient        *big.Int
}

const decimalBias = 6176

var maxCoefficient = new(big.Int).Exp(big.NewInt(10), big.NewInt(34), nil)

// parseDecimal reads IEEE 754-2008 decimal128 in its binary integer form. A coefficient over 34 digits counts as zero, as the
// standard says.
func parseDecimal(v Value) decimal {
	high, low := v.Decimal128()
	d := decimal{negative: high>>63 != 0, coefficient: new(big.Int)}
	switch {
	case high>>58&0x1f == 0x1f:
		d.nan = true
		return d
	case high>>58&0x1f == 0x1e:
		d.inf = true
		return d
	case high>>61&3 == 3: // the long form's coefficient is always over 34 digits
		d.exponent = int(high>>47&0x3fff) - decimalBias
		return d
	}
	d.exponent = int(high>>49&0x3fff) - decimalBias
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], high&(1<<49-1))
	binary.BigEndian.PutUint64(b[8:], low)
	d.coefficient.SetBytes(b[:])
	if d.coefficient.Cmp(maxCoefficient) >= 0 {
		d.coefficient.SetInt64(0)
	}
	return d
}

func (d decimal) sign() int {
	if d.coefficient.Sign() == 0 && !d.inf {
		return 0
	}
	if d.negative {
		return -1
	}
	return 1
}

// rat returns the exact value; only for finite decimals.
func (d decimal) rat() *big.Rat {
	r := new(big.Rat).SetInt(d.coefficient)
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.exponent, -d.exponent))), nil)
	if d.exponent >= 0 {
		r.Mul(r, new(big.Rat).SetInt(ten))
	} else {
		r.Quo(r, new(big.Rat).SetInt(ten))
	}
	if d.negative {
		r.Neg(r)
	}
	return r
}

func decimalIsZero(v Value) bool {
	d := parseDecimal(v)
	return !d.nan && d.sign() == 0
}

func decimalToInt64(v Value) (int64, bool) {
	d := parseDecimal(v)
	if d.nan || d.inf || d.exponent > 40 {
		return 0, d.sign() == 0 && !d.nan
	}
	if d.sign() == 0 || d.exponent < -40 {
		return 0, true
	}
	r := d.rat()
	q := new(big.Int).Quo(r.Num(), r.Denom())
	return q.Int64(), q.IsInt64()
}

func decimalToFloat64(v Value) float64 {
	d := parseDecimal(v)
	if d.nan {
		return math.NaN()
	}
	var f float64
	if d.inf {
		f = math.Inf(1)
	} else {
		// ParseFloat rounds correctly and turns what is too large into an infinity, which is what is wanted.
		f, _ = strconv.ParseFloat(d.coefficient.String()+"e"+strconv.Itoa(d.exponent), 64)
	}
	if d.negative {
		return -f
	}
	return f
}

// compareDecimals orders two numbers of which at least one is a decimal.
func compareDecimals(a, b Value) int {
	if c, ok := compareDecimalsFast(a, b); ok {
		return c
	}
	return compareDecimalsExactly(a, b)
}

func compareDecimalsExactly(a, b Value) int {
	x, y := toDecimal(a), toDecimal(b)
	if x.nan || y.nan {
		return compareOrdered(b2i(!x.nan), b2i(!y.nan))
	}
	if c := compareOrdered(x.sign(), y.sign()); c != 0 {
		return c
	}
	if x.inf || y.inf {
		c := compareOrdered(b2i(x.inf), b2i(y.inf))
		if x.negative {
			return -c
		}
		return c
	}
	if x.sign() == 0 {
		return 0
	}
	return compareFinite(a, b, x, y)
}

func compareFinite(a, b Value, x, y decimal) int {
	// Magnitudes far apart need no exact arithmetic, which would be on numbers of thousands of digits.
	if dx, dy := x.magnitude(), y.magnitude(); a.Type != TypeDouble && b.Type != TypeDouble && dx != dy {
		c := compareOrdered(dx, dy)
		if x.negative {
			return -c
		}
		return c
	}
	return exact(a, x).Cmp(exact(b, y))
}

// magnitude returns the number of digits before the decimal point.
func (d decimal) magnitude() int { return len(d.coefficient.Text(10)) + d.exponent }

// toDecimal gives integers exactly; of a double it gives what the special cases need (sign, NaN, infinity).
func toDecimal(v Value) decimal {
	switch v.Type {
	case TypeDecimal128:
		return parseDecimal(v)
	case TypeDouble:
		f := v.Double()
		d := decimal{negative: f < 0, nan: f != f, inf: math.IsInf(f, 0), coefficient: new(big.Int)}
		if f != 0 && !d.nan {
			d.coefficient.SetInt64(1)
		}
		return d
	}
	n, _ := v.AsInt64()
	c := big.NewInt(n)
	return decimal{negative: n < 0, coefficient: c.Abs(c)}
}

func exact(v Value, d decimal) *big.Rat {
	if v.Type == TypeDouble {
		return new(big.Rat).SetFloat64(v.Double())
	}
	return d.rat()
}
