package expression

import (
	"math"
	"math/big"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/mql/elementary"
)

// bigOf converts a finite decimal: with all of its digits when it is whole, else with many more than it has.
func bigOf(d *apd.Decimal) *big.Float {
	const bits = 640
	coefficient := d.Coeff.MathBigInt()
	if d.Negative {
		coefficient.Neg(coefficient)
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.Exponent, -d.Exponent))), nil)
	if d.Exponent >= 0 {
		return new(big.Float).SetInt(coefficient.Mul(coefficient, power)) // as precise as it needs
	}
	f := new(big.Float).SetPrec(bits).SetInt(coefficient)
	return f.Quo(f, new(big.Float).SetPrec(bits).SetInt(power))
}

// quadBits is the precision of binary128, through which MongoDB's decimal functions compute.
const quadBits = 113

// decimalOf rounds to a binary128 and then to 34 digits, of which none is left out, as MongoDB's functions do.
func decimalOf(f *big.Float) *apd.Decimal {
	switch {
	case f.IsInf():
		return &apd.Decimal{Form: apd.Infinite, Negative: f.Signbit()}
	case f.Sign() == 0:
		return zeroDecimal(f.Signbit(), minDecimalExponent)
	}
	quad := new(big.Float).SetPrec(quadBits).Set(f)
	d := new(apd.Decimal)
	if _, _, err := d.SetString(quad.Text('e', maxDigits-1)); err != nil { // an exponent beyond all that can be written
		if quad.MantExp(nil) > 0 {
			return &apd.Decimal{Form: apd.Infinite, Negative: f.Signbit()}
		}
		return zeroDecimal(f.Signbit(), minDecimalExponent)
	}
	return d
}

func zeroDecimal(negative bool, exponent int32) *apd.Decimal {
	return &apd.Decimal{Negative: negative, Exponent: exponent}
}

var decimalNaN = &apd.Decimal{Form: apd.NaN}

// oneDecimal is 1 with 34 digits, as functions give it.
var oneDecimal = decimalOf(big.NewFloat(1))

// decimalSqrt returns the square root. An exact one has half of the exponent.
func decimalSqrt(d *apd.Decimal) *apd.Decimal {
	if d.Form != apd.Finite {
		return d
	}
	half := int32(math.Floor(float64(d.Exponent) / 2))
	if d.IsZero() {
		return zeroDecimal(d.Negative, half)
	}
	root := new(apd.Decimal)
	if condition, err := decimalContext.Sqrt(root, d); err == nil && !condition.Inexact() {
		dropZeros(root, half)
	}
	return root
}

func decimalExp(d *apd.Decimal) *apd.Decimal {
	switch {
	case d.Form == apd.Infinite && d.Negative:
		return apd.New(0, 0)
	case d.Form != apd.Finite:
		return d
	case d.IsZero() || adjusted(d) < -maxDigits-1:
		return apd.New(1, 0)
	}
	return decimalOf(elementary.BigExp(bigOf(d)))
}

// adjusted returns the exponent of the first digit.
func adjusted(d *apd.Decimal) int64 { return int64(d.Exponent) + d.NumDigits() - 1 }

// decimalLog returns a logarithm of a positive decimal. One that is whole has no digits behind the point.
func decimalLog(d *apd.Decimal, log func(*big.Float) *big.Float) *apd.Decimal {
	if d.Form != apd.Finite {
		return d
	}
	if d.Cmp(apd.New(1, 0)) == 0 {
		return apd.New(0, 0)
	}
	out := decimalOf(log(bigOf(d)))
	if whole, _ := isWhole(out); whole {
		dropZeros(out, 0)
	}
	return out
}

func decimalLn(d *apd.Decimal) *apd.Decimal    { return decimalLog(d, elementary.BigLog) }
func decimalLog10(d *apd.Decimal) *apd.Decimal { return decimalLog(d, elementary.BigLog10) }

// decimalLogTo returns the logarithm of a positive decimal to any base but 1.
func decimalLogTo(base, d *apd.Decimal) *apd.Decimal {
	switch {
	case base.Form == apd.Infinite:
		return zeroDecimal(false, minDecimalExponent)
	case base.Cmp(apd.New(10, 0)) == 0:
		return decimalLog10(d)
	}
	divisor := elementary.BigLog(bigOf(base))
	return decimalLog(d, func(f *big.Float) *big.Float {
		log := elementary.BigLog(f)
		return log.Quo(log, divisor)
	})
}

// decimalPow returns base^exponent, which is NaN for a negative base and an exponent that is not whole.
func decimalPow(base, exponent *apd.Decimal) *apd.Decimal {
	one := apd.New(1, 0)
	switch {
	case exponent.Form == apd.Finite && exponent.IsZero(), base.Form == apd.Finite && base.Cmp(one) == 0:
		return oneDecimal
	case base.Form == apd.NaN || exponent.Form == apd.NaN:
		return decimalNaN
	case base.Form == apd.Infinite || exponent.Form == apd.Infinite || base.IsZero():
		return decimalPowOfExtremes(base, exponent)
	}
	whole, odd := isWhole(exponent)
	if base.Negative && !whole {
		return decimalNaN
	}
	magnitude := new(apd.Decimal).Abs(base)
	power := decimalOf(elementary.BigPow(bigOf(magnitude), bigOf(exponent)))
	power.Negative = base.Negative && odd
	return power
}

// isWhole reports whether a finite decimal is a whole number, and an odd one.
func isWhole(d *apd.Decimal) (whole, odd bool) {
	if adjusted(d) >= maxDigits {
		return true, false
	}
	var cut apd.Decimal
	_, _ = decimalContext.RoundToIntegralValue(&cut, d)
	if cut.Cmp(d) != 0 {
		return false, false
	}
	coefficient := cut.Coeff.MathBigInt()
	return true, cut.Exponent == 0 && coefficient.Bit(0) == 1
}

// decimalPowOfExtremes is for an infinite base or exponent and a base of 0: doubles of the same kinds have the same result.
func decimalPowOfExtremes(base, exponent *apd.Decimal) *apd.Decimal {
	x, y := kindOfBase(base), 2.0
	if exponent.Form == apd.Infinite {
		y = math.Inf(1)
	} else if whole, odd := isWhole(exponent); !whole {
		y = 0.5
	} else if odd {
		y = 1
	}
	if exponent.Negative {
		y = -y
	}
	switch power := math.Pow(x, y); {
	case power != power:
		return decimalNaN
	case math.IsInf(power, 0):
		return &apd.Decimal{Form: apd.Infinite, Negative: power < 0}
	case power == 0:
		return zeroDecimal(math.Signbit(power), minDecimalExponent)
	}
	return oneDecimal
}

func kindOfBase(base *apd.Decimal) float64 {
	x := 2.0
	switch magnitude := new(apd.Decimal).Abs(base); {
	case base.Form == apd.Infinite:
		x = math.Inf(1)
	case base.IsZero():
		x = 0
	case magnitude.Cmp(apd.New(1, 0)) < 0:
		x = 0.5
	case magnitude.Cmp(apd.New(1, 0)) == 0:
		x = 1
	}
	if base.Negative {
		return -x
	}
	return x
}

// quantize brings a finite decimal to an exponent. ok is false when it would have more than 34 digits.
func quantize(d *apd.Decimal, exponent int32, rounding apd.Rounder) (q *apd.Decimal, ok bool) {
	q = zeroDecimal(d.Negative, exponent)
	if d.IsZero() {
		return q, true
	}
	if adjusted(d)-int64(exponent) >= maxDigits {
		return nil, false
	}
	coefficient := d.Coeff.MathBigInt()
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(min(int64(max(exponent-d.Exponent, d.Exponent-exponent)), 2*maxDigits)), nil)
	if exponent <= d.Exponent {
		q.Coeff.SetMathBigInt(coefficient.Mul(coefficient, power))
		return q, true
	}
	rest := new(big.Int)
	coefficient.QuoRem(coefficient, power, rest) // a power larger than needed leaves 0 and a small rest all the same
	up := false
	switch half := rest.Lsh(rest, 1).Cmp(power); {
	case rest.Sign() == 0:
	case rounding == apd.RoundCeiling:
		up = !d.Negative
	case rounding == apd.RoundFloor:
		up = d.Negative
	case rounding == apd.RoundHalfEven:
		up = half > 0 || half == 0 && coefficient.Bit(0) == 1
	}
	if up {
		coefficient.Add(coefficient, big.NewInt(1))
	}
	q.Coeff.SetMathBigInt(coefficient)
	return q, q.NumDigits() <= maxDigits
}

// padded returns a decimal with all of its 34 digits.
func padded(d *apd.Decimal) *apd.Decimal {
	missing := maxDigits - d.NumDigits()
	if d.Form != apd.Finite || d.IsZero() || missing <= 0 {
		return d
	}
	out := &apd.Decimal{Negative: d.Negative, Exponent: d.Exponent - int32(missing)}
	if _, ok := out.Coeff.SetString(d.Coeff.String()+strings.Repeat("0", int(missing)), 10); !ok {
		return d // cannot be: digits and zeros are a number
	}
	return out
}
