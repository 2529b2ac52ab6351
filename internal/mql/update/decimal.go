package update

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// decimalContext is the arithmetic of IEEE 754 decimal128.
var decimalContext = apd.Context{Precision: 34, MaxExponent: 6144, MinExponent: -6143, Rounding: apd.RoundHalfEven}

const (
	decimalBias        = 6176
	maxDecimalExponent = 6111
	// doubleDigits is with how many significant digits MongoDB makes a decimal of a double: those that a double surely has.
	doubleDigits = 15
)

// The upper bits of a decimal128 that is no number, and of an infinite one.
const (
	decimalNaN      = 0x1f << 58
	decimalInfinity = 0x1e << 58
)

func isNaNDecimal(v bsonraw.Value) bool {
	high, _ := v.Decimal128()
	return high&decimalNaN == decimalNaN
}

func computeDecimal(x, y bsonraw.Value, multiply bool) *apd.Decimal {
	var out apd.Decimal
	// The conditions are inexactness, overflow and the like, which are in the result: rounded, infinite or not a number.
	if multiply {
		_, _ = decimalContext.Mul(&out, toDecimal(x), toDecimal(y))
	} else {
		_, _ = decimalContext.Add(&out, toDecimal(x), toDecimal(y))
	}
	return &out
}

// toDecimal converts any number.
func toDecimal(v bsonraw.Value) *apd.Decimal {
	switch v.Type {
	case bsonraw.TypeDecimal128:
		return unpackDecimal(v)
	case bsonraw.TypeDouble:
		return decimalOf(v.Double())
	}
	n, _ := v.AsInt64()
	return apd.New(n, 0)
}

func decimalOf(f float64) *apd.Decimal {
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

// unpackDecimal reads a decimal128 in its binary integer form. A coefficient over 34 digits counts as zero, as the standard
// says; the second form of numbers has none but such.
func unpackDecimal(v bsonraw.Value) *apd.Decimal {
	high, low := v.Decimal128()
	d := &apd.Decimal{Negative: high>>63 != 0}
	switch {
	case high&decimalNaN == decimalNaN:
		d.Form = apd.NaN
		return d
	case high&decimalNaN == decimalInfinity:
		d.Form = apd.Infinite
		return d
	case high>>61&3 == 3:
		d.Exponent = int32(high>>47&0x3fff) - decimalBias
		return d
	}
	d.Exponent = int32(high>>49&0x3fff) - decimalBias
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], high&(1<<49-1))
	binary.BigEndian.PutUint64(b[8:], low)
	d.Coeff.SetMathBigInt(new(big.Int).SetBytes(b[:]))
	if d.NumDigits() > int64(decimalContext.Precision) {
		d.Coeff.SetInt64(0)
	}
	return d
}

// packDecimal encodes a number that was computed in decimalContext.
func packDecimal(d *apd.Decimal) (high, low uint64) {
	switch d.Form {
	case apd.Finite:
		high, low = packFinite(d)
	case apd.Infinite:
		high = decimalInfinity
	default:
		return decimalNaN, 0
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
		exponent = min(max(exponent, -decimalBias), maxDecimalExponent)
	}
	if over := exponent - maxDecimalExponent; over > 0 {
		coefficient.Mul(coefficient, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(over)), nil))
		exponent = maxDecimalExponent
	}
	var b [16]byte
	coefficient.FillBytes(b[:])
	return binary.BigEndian.Uint64(b[:8]) | uint64(exponent+decimalBias)<<49, binary.BigEndian.Uint64(b[8:])
}
