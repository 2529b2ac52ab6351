package bsonraw

import "encoding/binary"

// A number's type in the type bits.
const (
	numberInt32   = 0
	numberInt64   = 1
	numberDouble  = 2
	numberDecimal = 3 // six bits of exponent follow, or for a zero three more bits; see addZero
)

// What follows numberDecimal where the number is zero: three bits, and for decimals twelve more of exponent.
const (
	zeroNegativeDouble = 0
	zeroDecimal        = 2 // plus the upper bits of sign and exponent
	zeroExponents      = 0x3000
)

// maxTypeBits bounds what a reader accepts.
const maxTypeBits = MaxDocumentSize

// typeBits is a stream of bits, lowest bit of a byte first. It tells apart what keys hold equal: strings from symbols, the
// types of numbers, and decimals of equal value by their exponent. A nil *typeBits takes nothing.
type typeBits struct {
	data  []byte
	n     int
	isSet bool // some bit is not zero
}

func (t *typeBits) reset() { *t = typeBits{data: t.data[:0]} }

func (t *typeBits) add(bit bool) {
	if t == nil {
		return
	}
	if t.n%8 == 0 {
		t.data = append(t.data, 0)
	}
	if bit {
		t.data[t.n/8] |= 1 << (t.n % 8)
		t.isSet = true
	}
	t.n++
}

// addBits adds the lowest n bits of v, the highest of them first.
func (t *typeBits) addBits(v uint32, n int) {
	for n--; n >= 0; n-- {
		t.add(v>>n&1 != 0)
	}
}

func (t *typeBits) addNumber(kind uint32) {
	if t != nil {
		t.addBits(kind, 2)
	}
}

// addDecimalZero records a decimal zero, which keeps its whole biased exponent and its sign.
func (t *typeBits) addDecimalZero(exponent uint32, negative bool) {
	if t == nil {
		return
	}
	if negative {
		exponent += zeroExponents
	}
	t.addBits(numberDecimal, 2)
	t.addBits(zeroDecimal+exponent>>12, 3)
	t.addBits(exponent&0xFFF, 12)
}

// append writes the stored form: nothing, one byte below 0x80, or a length and the bytes.
func (t *typeBits) append(dst []byte) []byte {
	switch n := len(t.data); {
	case !t.isSet:
		return dst
	case n == 1 && t.data[0] < 0x80:
		return append(dst, t.data[0])
	case n <= 0x7F:
		return append(append(dst, 0x80|byte(n)), t.data...)
	default:
		dst = binary.LittleEndian.AppendUint32(append(dst, 0x80), uint32(n))
		return append(dst, t.data...)
	}
}

// typeReader reads a stream of type bits. Beyond its end all bits are zero, as in the stored form that leaves zeros out.
type typeReader struct {
	data []byte
	n    int
}

// newTypeReader reads the stored form; ok is false where it is malformed.
func newTypeReader(stored []byte) (r typeReader, ok bool) {
	if len(stored) == 0 {
		return typeReader{}, true
	}
	n, rest := int(stored[0]&0x7F), stored[1:]
	switch {
	case stored[0] < 0x80:
		return typeReader{data: stored}, len(stored) == 1
	case n == 0:
		if len(rest) < 4 || binary.LittleEndian.Uint32(rest) > maxTypeBits {
			return r, false
		}
		n, rest = int(binary.LittleEndian.Uint32(rest)), rest[4:]
	}
	return typeReader{data: rest}, len(rest) == n
}

func (r *typeReader) read(n int) uint32 {
	v := uint32(0)
	for range n {
		v <<= 1
		if i := r.n / 8; i < len(r.data) {
			v |= uint32(r.data[i]>>(r.n%8)) & 1
		}
		r.n++
	}
	return v
}
