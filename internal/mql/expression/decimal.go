package expression

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/decimal"
)

// decimalContext is the arithmetic of IEEE 754 decimal128.
var decimalContext = apd.Context{
	Precision:   maxDigits,
	MaxExponent: 6144,
	MinExponent: -6143,
	Rounding:    apd.RoundHalfEven,
}

// The exponents that the format has room for.
const (
	maxDecimalExponent = 6111
	minDecimalExponent = -6176
)

// toDecimal converts any number. A double is converted with 15 significant digits, as MongoDB does: what is beyond them is
// mostly an artifact of the binary form.
func toDecimal(v bsonraw.Value) *apd.Decimal {
	switch v.Type {
	case bsonraw.TypeDecimal128:
		return readDecimal(v)
	case bsonraw.TypeDouble:
		return decimalOfDouble(v.Double())
	}
	n, _ := v.AsInt64()
	return new(apd.Decimal).SetInt64(n)
}

func decimalOfDouble(f float64) *apd.Decimal { return parseDouble(f, 15) }

// exactDecimal converts a double to the 34 digits that a decimal128 holds, or fewer where these are all of its digits.
func exactDecimal(f float64) *apd.Decimal {
	d := parseDouble(f, maxDigits)
	// No double has more than 767 digits.
	if d.Form == apd.Finite && parseDouble(f, 767).Cmp(d) == 0 {
		dropZeros(d, 0)
	}
	return d
}

// dropZeros brings the exponent nearer to ideal by cutting zeros at the end of the coefficient.
func dropZeros(d *apd.Decimal, ideal int32) {
	var quotient, remainder apd.BigInt
	for d.Form == apd.Finite && d.Exponent < ideal {
		if d.Coeff.Sign() != 0 {
			if quotient.QuoRem(&d.Coeff, bigTen, &remainder); remainder.Sign() != 0 {
				return
			}
			d.Coeff.Set(&quotient)
		}
		d.Exponent++
	}
}

// decimalQuotient divides. An exact quotient has the exponent nearest to that of the dividend less that of the divisor.
func decimalQuotient(a, b *apd.Decimal) *apd.Decimal {
	if a.Form == apd.Finite && b.Form == apd.Infinite {
		return zeroDecimal(a.Negative != b.Negative, minDecimalExponent)
	}
	q := new(apd.Decimal)
	if condition, err := decimalContext.Quo(q, a, b); err == nil && !condition.Inexact() {
		dropZeros(q, a.Exponent-b.Exponent)
	}
	return q
}

// maxDigits is the number of digits of a decimal128.
const maxDigits = 34

var bigTen = apd.NewBigInt(10)

// parseDouble converts a double with that many significant digits, zeros at the end included.
func parseDouble(f float64, digits int) *apd.Decimal {
	d := new(apd.Decimal)
	switch {
	case math.IsNaN(f):
		d.Form = apd.NaN
	case math.IsInf(f, 0):
		d.Form = apd.Infinite
		d.Negative = f < 0
	case f == 0:
		d.Negative = math.Signbit(f)
	default:
		if _, _, err := d.SetString(strconv.FormatFloat(f, 'e', digits-1, 64)); err != nil {
			d.Form = apd.NaN // cannot be: FormatFloat writes what SetString reads
		}
	}
	return d
}

// readDecimal unpacks a decimal128.
func readDecimal(v bsonraw.Value) *apd.Decimal { return decimal.Unpack(v) }

// writeDecimal packs a decimal128, rounding to 34 digits where it must.
func writeDecimal(dst []byte, d *apd.Decimal) []byte {
	rounded := d
	if d.Form == apd.Finite {
		rounded = new(apd.Decimal)
		// Round only reports inexactness and overflow, which it has already turned into a rounded number or an infinity.
		_, _ = decimalContext.Round(rounded, d)
	}
	high, low := decimal.Pack(rounded)
	if d.Negative { // that of NaN too
		high |= 1 << 63
	}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, low), high)
}

// decimalValue makes a decimal value in the arena.
func (c *Context) decimalValue(d *apd.Decimal) bsonraw.Value {
	b := c.arena.alloc(16)
	writeDecimal(b[:0], d)
	return bsonraw.Value{Type: bsonraw.TypeDecimal128, Data: b}
}

// appendDecimalText renders a decimal as IEEE 754 recommends: with an exponent where the number would need zeros to be written
// out.
func appendDecimalText(dst []byte, v bsonraw.Value) []byte {
	d := readDecimal(v)
	if d.Negative && d.Form != apd.NaN {
		dst = append(dst, '-')
	}
	switch d.Form {
	case apd.NaN, apd.NaNSignaling:
		return append(dst, "NaN"...)
	case apd.Infinite:
		return append(dst, "Infinity"...)
	}
	digits := d.Coeff.String()
	exponent := int(d.Exponent)
	point := len(digits) + exponent // digits before the decimal point
	if exponent > 0 || point <= -6 {
		dst = append(dst, digits[0])
		if len(digits) > 1 {
			dst = append(append(dst, '.'), digits[1:]...)
		}
		dst = append(dst, 'E')
		if point > 0 {
			dst = append(dst, '+')
		}
		return strconv.AppendInt(dst, int64(point-1), 10)
	}
	if point <= 0 {
		dst = append(append(dst, "0."...), strings.Repeat("0", -point)...)
		return append(dst, digits...)
	}
	dst = append(dst, digits[:point]...)
	if exponent < 0 {
		dst = append(append(dst, '.'), digits[point:]...)
	}
	return dst
}

// decimalToInteger rounds to the nearest integer, halves to even. What has no integer gives the smallest one, as the processor's
// conversion does.
func decimalToInteger(d *apd.Decimal) int64 {
	var rounded apd.Decimal
	if d.Form != apd.Finite {
		return math.MinInt64
	}
	if _, err := decimalContext.RoundToIntegralValue(&rounded, d); err != nil {
		return math.MinInt64
	}
	n, err := rounded.Int64()
	if err != nil {
		return math.MinInt64
	}
	return n
}

// decimalRemainder is the remainder of a division truncated to an integer; the sign is that of a. Unlike apd's it takes
// quotients of any length.
func decimalRemainder(a, b *apd.Decimal) *apd.Decimal {
	switch {
	case a.Form == apd.NaN || b.Form == apd.NaN || a.Form == apd.Infinite:
		return &apd.Decimal{Form: apd.NaN}
	case b.Form == apd.Infinite:
		return a
	}
	exponent := min(a.Exponent, b.Exponent)
	n, m := scaleUp(a, exponent), scaleUp(b, exponent)
	r := &apd.Decimal{Negative: a.Negative, Exponent: exponent}
	r.Coeff.SetMathBigInt(n.Rem(n, m))
	return r
}

// scaleUp returns the coefficient that a has with a smaller exponent.
func scaleUp(d *apd.Decimal, exponent int32) *big.Int {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Exponent-exponent)), nil)
	return power.Mul(power, d.Coeff.MathBigInt())
}
