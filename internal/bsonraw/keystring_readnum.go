package bsonraw

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
)

// keyNumberParts is what a number's key says, before the type bits tell which type it had.
type keyNumberParts struct {
	negative bool
	integer  bool    // whole holds the magnitude, and nothing else
	whole    uint64  // the integer part, where magnitude >= 1 and below 2^63
	double   float64 // the magnitude of the double; of a tiny one scaled, see scaled
	scaled   bool
	mark     uint64
	more     uint64    // the continuation
	own      *[16]byte // the bits of a decimal that no double is near to
}

// number appends the value of a number's key.
func (r *KeyReader) number(dst []byte, kind byte) ([]byte, Type, error) {
	t := r.types.read(2)
	switch kind {
	case keyNaN:
		return r.special(dst, t, math.NaN())
	case keyZero:
		return r.zero(dst, t)
	}
	p, err := r.parts(kind)
	if err != nil {
		return dst, 0, err
	}
	if math.IsInf(p.double, 0) {
		return r.special(dst, t, signed(p.double, p.negative))
	}
	if t == numberDecimal {
		d, ok := p.decimal(r.types.read(6))
		if !ok {
			return dst, 0, r.fail("a decimal has an exponent that its value cannot have")
		}
		return appendDecimal(dst, d), TypeDecimal128, nil
	}
	if p.own != nil || p.mark != decimalIsDouble {
		return dst, 0, r.fail("a decimal's key with another number's type")
	}
	return r.plain(dst, t, p)
}

// plain appends an integer or a double.
func (r *KeyReader) plain(dst []byte, t uint32, p keyNumberParts) ([]byte, Type, error) {
	if t == numberDouble {
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(signed(p.float(), p.negative))), TypeDouble, nil
	}
	var n int64
	switch {
	case p.integer && p.negative:
		n = -int64(p.whole)
	case p.integer:
		n = int64(p.whole)
	case p.negative && p.double == largeDouble:
		n = math.MinInt64
	default:
		return dst, 0, r.fail("an integer's type with a key that is not an integer's")
	}
	if t == numberInt64 {
		return binary.LittleEndian.AppendUint64(dst, uint64(n)), TypeInt64, nil
	}
	if n != int64(int32(n)) {
		return dst, 0, r.fail("an int out of its range")
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(n)), TypeInt32, nil
}

func (r *KeyReader) special(dst []byte, t uint32, f float64) ([]byte, Type, error) {
	switch t {
	case numberDouble:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(f)), TypeDouble, nil
	case numberDecimal:
		high := uint64(0x7C << 56)
		if f == f {
			high = 0x78<<56 | math.Float64bits(f)&(1<<63)
		}
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
		return binary.LittleEndian.AppendUint64(dst, high), TypeDecimal128, nil
	}
	return dst, 0, r.fail("an integer's type with a key that is not an integer's")
}

func (r *KeyReader) zero(dst []byte, t uint32) ([]byte, Type, error) {
	switch t {
	case numberInt32:
		return append(dst, 0, 0, 0, 0), TypeInt32, nil
	case numberInt64:
		return append(dst, 0, 0, 0, 0, 0, 0, 0, 0), TypeInt64, nil
	case numberDouble:
		return append(dst, 0, 0, 0, 0, 0, 0, 0, 0), TypeDouble, nil
	}
	code := r.types.read(3)
	if code == zeroNegativeDouble {
		return append(dst, 0, 0, 0, 0, 0, 0, 0, 0x80), TypeDouble, nil
	}
	if code < zeroDecimal {
		return dst, 0, r.fail("unknown type of a zero")
	}
	d := decimal{coefficient: new(big.Int), exponent: int((code-zeroDecimal)<<12 | r.types.read(12))}
	if d.exponent >= zeroExponents {
		d.exponent -= zeroExponents
		d.negative = true
	}
	d.exponent -= decimalBias
	return appendDecimal(dst, d), TypeDecimal128, nil
}

// parts reads what follows the first byte of a number that is neither NaN nor zero.
func (r *KeyReader) parts(kind byte) (p keyNumberParts, err error) {
	if p.negative = kind < keyZero; p.negative {
		kind = 2*keyZero - kind
	}
	switch kind {
	case keyPositiveSmall, keyPositiveLarge:
		err = r.outerParts(&p, kind == keyPositiveLarge)
	default:
		err = r.wholeParts(&p, int(kind-keyPositiveInt1)+1)
	}
	return p, err
}

// read takes n bytes of a number, inverted where it is negative.
func (r *KeyReader) read(n int, negative bool) (uint64, error) {
	b, err := r.take(n)
	if err != nil {
		return 0, err
	}
	v := uint64(0)
	for _, c := range b {
		if negative {
			c = ^c
		}
		v = v<<8 | uint64(c)
	}
	return v, nil
}

// outerParts reads magnitudes below 1 and from 2^63 on.
func (r *KeyReader) outerParts(p *keyNumberParts, large bool) error {
	b, err := r.read(8, p.negative)
	if err != nil {
		return err
	}
	switch {
	case large && b == math.MaxUint64:
		p.double = math.Inf(1)
		return nil
	case large && b>>63 != 0, !large && b < tinyPattern:
		low, err := r.read(8, p.negative)
		if err != nil {
			return err
		}
		p.own = new([16]byte)
		binary.BigEndian.PutUint64(p.own[:8], b&^(1<<63))
		binary.BigEndian.PutUint64(p.own[8:], low)
		return nil
	case large:
		p.double, p.mark = math.Float64frombits(1<<62|b>>1), b&1
	case b>>62 == 3:
		p.double, p.mark = math.Float64frombits(b>>2), b&3
	default:
		p.double, p.mark, p.scaled = math.Float64frombits((b-tinyPattern)>>1), b&1, true
	}
	if math.IsInf(p.double, 0) || p.double != p.double {
		return r.fail("a double that is not finite")
	}
	if p.mark&1 != 0 {
		p.more, err = r.read(8, p.negative)
	}
	return err
}

// wholeParts reads magnitudes from 1 up to 2^63, whose integer part has size bytes.
func (r *KeyReader) wholeParts(p *keyNumberParts, size int) error {
	b, err := r.read(size, p.negative)
	if err != nil {
		return err
	}
	p.whole = b >> 1
	if p.whole == 0 || bits.Len64(b) <= 8*(size-1) {
		return r.fail("an integer has more bytes than it needs")
	}
	if b&1 == 0 {
		p.integer = true
		p.double = float64(p.whole)
		return nil
	}
	spare := 8 - size
	fraction, err := r.read(spare, p.negative)
	if err != nil {
		return err
	}
	if p.mark = decimalAbove15; spare > 0 {
		p.mark = fraction & 3
	}
	// Doubles have a fraction below 2^53 only, and then the integer part and the fraction fit one.
	scale := float64(uint64(1) << (8 * spare % 64))
	p.double = float64(p.whole) + float64(fraction&^3)/scale
	if p.mark&1 != 0 {
		p.more, err = r.read(8, p.negative)
	}
	return err
}

func (p *keyNumberParts) float() float64 {
	if p.scaled {
		return p.double / tinyScale
	}
	return p.double
}

// decimal puts a decimal together; exponent is the lowest six bits of the biased one.
func (p *keyNumberParts) decimal(exponent uint32) (decimal, bool) {
	var d decimal
	switch {
	case p.own != nil:
		d = parseDecimal(decimalValue(*p.own))
	case p.integer:
		d = decimal{coefficient: new(big.Int).SetUint64(p.whole)}
	case p.mark == decimalIsDouble:
		d = exactDecimal(p.float())
	case p.mark == decimalIs15Digits:
		d = significant(ratOf(p.double), 15, true)
	default:
		d = p.base()
		d.coefficient.Add(d.coefficient, new(big.Int).SetUint64(p.more))
	}
	if d.coefficient == nil || d.coefficient.Sign() == 0 {
		return d, false
	}
	d.negative = p.negative
	return d.withLowExponent(exponent)
}

// base returns what a continuation is added to.
func (p *keyNumberParts) base() decimal {
	switch {
	case p.scaled && p.double < minNormalDouble*tinyScale:
		return unscaledTiny(p.double)
	case p.whole >= exactIntegers:
		return significant(new(big.Rat).SetInt(new(big.Int).SetUint64(p.whole)), decimalDigits, true)
	}
	return significant(ratOf(p.float()), decimalDigits, true)
}

// exactDecimal returns a positive double in decimal digits, all of them.
func exactDecimal(f float64) decimal {
	r := ratOf(f)
	twos := r.Denom().BitLen() - 1
	fives := new(big.Int).Exp(big.NewInt(5), big.NewInt(int64(twos)), nil)
	return decimal{coefficient: fives.Mul(fives, r.Num()), exponent: -twos}
}

// withLowExponent returns the same number with the exponent whose biased form ends with the six bits low. Digits are too few
// for two of them to fit.
func (d decimal) withLowExponent(low uint32) (decimal, bool) {
	ten, rest := big.NewInt(10), new(big.Int)
	for {
		q, _ := new(big.Int).QuoRem(d.coefficient, ten, rest)
		if rest.Sign() != 0 {
			break
		}
		d.coefficient, d.exponent = q, d.exponent+1
	}
	for d.coefficient.Cmp(maxCoefficient) < 0 && d.exponent >= -decimalBias {
		if d.exponent <= maxDecimalExponent && uint32(d.exponent+decimalBias)&0x3F == low {
			return d, true
		}
		d.coefficient = new(big.Int).Mul(d.coefficient, ten)
		d.exponent--
	}
	return d, false
}

func appendDecimal(dst []byte, d decimal) []byte {
	v := decimalValue(d.bits())
	return append(dst, v.Data...)
}

// decimalValue makes a decimal of its sixteen bytes, highest first.
func decimalValue(b [16]byte) Value {
	data := binary.LittleEndian.AppendUint64(nil, binary.BigEndian.Uint64(b[8:]))
	return Value{TypeDecimal128, binary.LittleEndian.AppendUint64(data, binary.BigEndian.Uint64(b[:8]))}
}
