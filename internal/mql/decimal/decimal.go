package decimal

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Context is the arithmetic of IEEE 754 decimal128.
var Context = apd.Context{Precision: 34, MaxExponent: 6144, MinExponent: -6143, Rounding: apd.RoundHalfEven}

const (
	bias        = 6176
	maxExponent = 6111
	// doubleDigits is with how many significant digits MongoDB makes a decimal of a double: those that a double surely has.
	doubleDigits = 15
)

// The upper bits of a decimal128 that is no number, and of an infinite one.
const (
	nan      = 0x1f << 58
	infinity = 0x1e << 58
)

// Of converts any number. Doubles keep the digits that they surely have.
func Of(v bsonraw.Value) *apd.Decimal {
	switch v.Type {
	case bsonraw.TypeDecimal128:
		return Unpack(v)
	case bsonraw.TypeDouble:
		return ofDouble(v.Double())
	}
	n, _ := v.AsInt64()
	return apd.New(n, 0)
}

func ofDouble(f float64) *apd.Decimal {
	d := new(apd.Decimal)
	switch {
	case math.IsNaN(f):
		d.Form = apd.NaN
	case math.IsInf(f, 0):
		d.Form, d.Negative = apd.Infinite, f < 0
	case f == 0:
		d.Negative = math.Signbit(f)
	default:
		// FormatFloat writes what SetString reads, so there is no error.
		_, _, _ = d.SetString(strconv.FormatFloat(f, 'e', doubleDigits-1, 64))
	}
	return d
}

// Unpack reads a decimal128 in its binary integer form. A coefficient over 34 digits counts as zero, as the standard
// says; the second form of numbers has none but such.
func Unpack(v bsonraw.Value) *apd.Decimal {
	high, low := v.Decimal128()
	d := &apd.Decimal{Negative: high>>63 != 0}
	switch {
	case high&nan == nan:
		d.Form = apd.NaN
		return d
	case high&nan == infinity:
		d.Form = apd.Infinite
		return d
	case high>>61&3 == 3:
		d.Exponent = int32(high>>47&0x3fff) - bias
		return d
	}
	d.Exponent = int32(high>>49&0x3fff) - bias
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], high&(1<<49-1))
	binary.BigEndian.PutUint64(b[8:], low)
	d.Coeff.SetMathBigInt(new(big.Int).SetBytes(b[:]))
	if d.NumDigits() > int64(Context.Precision) {
		d.Coeff.SetInt64(0)
	}
	return d
}

// Pack encodes a number that was computed in Context as the two halves of a decimal128.
func Pack(d *apd.Decimal) (high, low uint64) {
	switch d.Form {
	case apd.Finite:
		high, low = packFinite(d)
	case apd.Infinite:
		high = infinity
	default:
		return nan, 0
	}
	if d.Negative {
		high |= 1 << 63
	}
	return high, low
}

// packFinite brings the exponent into the format's range, which the arithmetic does not: it counts digits only.
func packFinite(d *apd.Decimal) (high, low uint64) {
	coefficient, exponent := d.Coeff.MathBigInt(), int(d.Exponent)
	if coefficient.Sign() == 0 {
		exponent = min(max(exponent, -bias), maxExponent)
	}
	if over := exponent - maxExponent; over > 0 {
		coefficient.Mul(coefficient, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(over)), nil))
		exponent = maxExponent
	}
	var b [16]byte
	coefficient.FillBytes(b[:])
	return binary.BigEndian.Uint64(b[:8]) | uint64(exponent+bias)<<49, binary.BigEndian.Uint64(b[8:])
}

// IsMultiple reports whether a is a whole multiple of b, which is true of finite numbers only, and of zero for an infinite b.
func IsMultiple(a, b *apd.Decimal) bool {
	switch {
	case a.Form != apd.Finite || b.Form == apd.NaN || b.IsZero():
		return false
	case a.IsZero():
		return true
	case b.Form == apd.Infinite:
		return false
	}
	exponent := min(a.Exponent, b.Exponent)
	n, m := scaleUp(a, exponent), scaleUp(b, exponent)
	return n.Rem(n, m).Sign() == 0
}

// scaleUp returns the coefficient that d has with a smaller exponent.
func scaleUp(d *apd.Decimal, exponent int32) *big.Int {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Exponent-exponent)), nil)
	return power.Mul(power, d.Coeff.MathBigInt())
}
