package bsonraw

import (
	"encoding/binary"
	"math"
	"math/big"
)

const (
	decimalDigits      = 34
	maxDecimalExponent = 12287 - decimalBias
	minNormalDouble    = 0x1p-1022
)

// appendKeyDecimal writes a decimal so that it stands among the doubles where it belongs: the double below it (in magnitude),
// a mark in that double's lowest bits, and where needed the distance from it. Decimals that doubles cannot come near are
// written as their own normalized bits.
func appendKeyDecimal(dst []byte, v Value, types *typeBits) []byte {
	d := parseDecimal(v)
	switch {
	case d.nan:
		types.addNumber(numberDecimal)
		return append(dst, keyNaN)
	case d.inf:
		types.addNumber(numberDecimal)
		return appendKeyLarge(dst, signed(math.Inf(1), d.negative), decimalIsDouble)
	case d.sign() == 0:
		types.addDecimalZero(uint32(d.exponent+decimalBias), d.negative)
		return append(dst, keyZero)
	}
	if types != nil {
		types.addBits(numberDecimal<<6|uint32(d.exponent+decimalBias)&0x3F, 8)
	}
	negative := d.negative
	d.negative = false
	// Decimals reach far beyond the doubles. Where the number of digits tells, no exact arithmetic is done.
	switch m := d.magnitude(); {
	case m > 309:
		return appendKeyOwnBits(dst, d, negative, true)
	case m < -323:
		return appendKeyOwnBits(dst, d, negative, false)
	}
	return appendKeyNearDouble(dst, d, negative)
}

func appendKeyNearDouble(dst []byte, d decimal, negative bool) []byte {
	exact := d.rat()
	below, same := truncateToDouble(exact)
	at := len(dst)
	switch {
	case same:
		return appendKeyFinite(dst, signed(below, negative), decimalIsDouble)
	case below == 0:
		return appendKeyOwnBits(dst, d, negative, false)
	case below == math.MaxFloat64:
		return appendKeyOwnBits(dst, d, negative, true)
	case below < minNormalDouble:
		scaled, _ := truncateToDouble(exact.Mul(exact, tinyScaleRat))
		dst = binary.BigEndian.AppendUint64(append(dst, keyPositiveSmall), tinyBits(scaled, 1))
		dst = appendContinuation(dst, d, unscaledTiny(scaled))
	case below < tinyDouble || below >= largeDouble:
		dst = appendContinuation(appendKeyFinite(dst, below, 1), d, significant(ratOf(below), decimalDigits, true))
	case below >= exactIntegers:
		dst = appendKeyWholeDecimal(dst, d, exact)
	default:
		rounded := significant(ratOf(below), 15, true)
		switch exact.Cmp(rounded.rat()) {
		case 0:
			return appendKeyFinite(dst, signed(below, negative), decimalIs15Digits)
		case 1:
			dst = appendKeyFinite(dst, below, decimalAbove15)
		default:
			dst = appendKeyFinite(dst, below, decimalBelow15)
		}
		dst = appendContinuation(dst, d, significant(ratOf(below), decimalDigits, true))
	}
	if negative {
		negateKey(dst[at:])
	}
	return dst
}

// appendKeyWholeDecimal writes a decimal between 2^53 and 2^63, where the integer part is exact rather than a double.
func appendKeyWholeDecimal(dst []byte, d decimal, exact *big.Rat) []byte {
	integer := new(big.Int).Quo(exact.Num(), exact.Denom())
	whole := integer.Uint64()
	if exact.IsInt() {
		return appendKeyInteger(dst, whole<<1, false)
	}
	// The whole number is below 2^63, so that at most its first byte is spare.
	if whole<<1>>56 != 0 {
		dst = binary.BigEndian.AppendUint64(append(dst, keyPositiveInt8), whole<<1|1)
	} else {
		dst = binary.BigEndian.AppendUint64(append(dst, keyPositiveInt8-1), (whole<<1|1)<<8|decimalAbove15)
	}
	return appendContinuation(dst, d, significant(new(big.Rat).SetInt(integer), decimalDigits, true))
}

// appendContinuation writes how far d is above base, in units of base's last digit.
func appendContinuation(dst []byte, d, base decimal) []byte {
	n := new(big.Int).Mul(d.coefficient, powerOfTen(d.exponent-base.exponent))
	return binary.BigEndian.AppendUint64(dst, n.Sub(n, base.coefficient).Uint64())
}

// appendKeyOwnBits writes a decimal above or below all doubles by its bits, with as many digits as the exponent allows.
func appendKeyOwnBits(dst []byte, d decimal, negative, huge bool) []byte {
	d = d.withExponent(max(d.exponent-(decimalDigits-len(d.coefficient.Text(10))), -decimalBias))
	b := d.bits()
	typ := byte(keyPositiveSmall)
	if huge {
		typ = keyPositiveLarge
		b[0] |= 0x80
	}
	at := len(dst)
	dst = append(append(dst, typ), b[:]...)
	if negative {
		negateKey(dst[at:])
	}
	return dst
}

// negateKey turns the key of a positive number into that of the negative one.
func negateKey(key []byte) {
	key[0] = 2*keyZero - key[0]
	invert(key[1:])
}

// significant returns r, which must be positive, with a number of digits, rounded away from zero or towards it.
func significant(r *big.Rat, digits int, away bool) decimal {
	exponent := len(r.Num().Text(10)) - len(r.Denom().Text(10)) - digits
	limit := powerOfTen(digits)
	for {
		num, den := r.Num(), r.Denom()
		if exponent < 0 {
			num = new(big.Int).Mul(num, powerOfTen(-exponent))
		} else {
			den = new(big.Int).Mul(den, powerOfTen(exponent))
		}
		q, rest := new(big.Int).QuoRem(num, den, new(big.Int))
		if away && rest.Sign() != 0 {
			q.Add(q, big.NewInt(1))
		}
		if q.Cmp(limit) < 0 {
			return decimal{coefficient: q, exponent: exponent}
		}
		exponent++
	}
}

// unscaledTiny divides by 2^256 in decimals of 34 digits that are cut off, not rounded: the arithmetic in which the base of a
// subnormal double's continuation is defined.
func unscaledTiny(scaled float64) decimal {
	s := significant(ratOf(scaled), decimalDigits, false)
	return significant(s.rat().Mul(s.rat(), tinyUnscale), decimalDigits, false)
}

var (
	tinyScaleRat = new(big.Rat).SetFloat64(tinyScale)
	tinyUnscale  = significant(new(big.Rat).SetFloat64(1/tinyScale), decimalDigits, false).rat()
)

// truncateToDouble returns the largest double that is not above r, which must not be negative.
func truncateToDouble(r *big.Rat) (f float64, exact bool) {
	f, exact = r.Float64()
	if exact {
		return f, true
	}
	if math.IsInf(f, 1) {
		return math.MaxFloat64, false
	}
	if ratOf(f).Cmp(r) > 0 {
		f = math.Nextafter(f, 0)
	}
	return f, false
}

func ratOf(f float64) *big.Rat { return new(big.Rat).SetFloat64(f) }

func powerOfTen(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// withExponent returns the same number with another exponent, which must not cut off digits that are not zero.
func (d decimal) withExponent(exponent int) decimal {
	c := new(big.Int)
	if exponent <= d.exponent {
		c.Mul(d.coefficient, powerOfTen(d.exponent-exponent))
	} else {
		c.Quo(d.coefficient, powerOfTen(exponent-d.exponent))
	}
	d.coefficient, d.exponent = c, exponent
	return d
}

// bits returns the decimal's sixteen bytes, highest first. The coefficient has 34 digits at most.
func (d decimal) bits() (b [16]byte) {
	d.coefficient.FillBytes(b[:])
	binary.BigEndian.PutUint64(b[:8], binary.BigEndian.Uint64(b[:8])|uint64(d.exponent+decimalBias)<<49)
	if d.negative {
		b[0] |= 0x80
	}
	return b
}

func signed(f float64, negative bool) float64 {
	if negative {
		return -f
	}
	return f
}
