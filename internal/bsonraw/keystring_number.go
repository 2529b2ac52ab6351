package bsonraw

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Whether a decimal follows the double that its key begins with: the lowest bits of the double's key.
const (
	decimalIsDouble   = 0 // it is that double; so are all doubles
	decimalBelow15    = 1 // a continuation follows; the value is below the double rounded up to 15 digits
	decimalIs15Digits = 2 // it is the double rounded up to 15 digits
	decimalAbove15    = 3 // a continuation follows; the value is above the double rounded up to 15 digits
)

const (
	// doubles below this magnitude are scaled by 2^256, which leaves the two lowest patterns of the upper bits to them and to
	// decimals smaller than any double
	tinyDouble    = 0x1p-255
	tinyScale     = 0x1p256
	tinyPattern   = 1 << 62
	largeDouble   = 0x1p63
	exactIntegers = 1 << 53 // above it a double may stand for a decimal's integer part no longer
)

// appendKeyInt writes an integer: its magnitude shifted left by one, in as few bytes as hold it. The lowest bit says that a
// fraction follows.
func appendKeyInt(dst []byte, n int64) []byte {
	switch {
	case n == 0:
		return append(dst, keyZero)
	case n == math.MinInt64:
		return appendKeyLarge(dst, -largeDouble, 0)
	case n < 0:
		return appendKeyInteger(dst, uint64(-n)<<1, true)
	}
	return appendKeyInteger(dst, uint64(n)<<1, false)
}

func appendKeyInteger(dst []byte, shifted uint64, negative bool) []byte {
	size := (bits.Len64(shifted) + 7) / 8
	var b [8]byte
	if negative {
		binary.BigEndian.PutUint64(b[:], ^shifted)
		return append(append(dst, byte(keyNegativeInt1+1-size)), b[8-size:]...)
	}
	binary.BigEndian.PutUint64(b[:], shifted)
	return append(append(dst, byte(keyPositiveInt1-1+size)), b[8-size:]...)
}

func appendKeyDouble(dst []byte, f float64, types *typeBits) []byte {
	if f == 0 {
		if !math.Signbit(f) {
			types.addNumber(numberDouble)
		} else if types != nil {
			types.addBits(numberDecimal<<3|zeroNegativeDouble, 5)
		}
		return append(dst, keyZero)
	}
	types.addNumber(numberDouble)
	if f != f {
		return append(dst, keyNaN)
	}
	return appendKeyFinite(dst, f, decimalIsDouble)
}

// appendKeyFinite writes a double that is not zero, with the mark of what follows it.
func appendKeyFinite(dst []byte, f float64, mark uint64) []byte {
	magnitude := math.Abs(f)
	switch {
	case magnitude < 1:
		return appendKeySmall(dst, f, mark)
	case magnitude >= largeDouble:
		return appendKeyLarge(dst, f, mark)
	}
	whole := uint64(magnitude)
	if mark == decimalIsDouble && float64(whole) == magnitude {
		return appendKeyInteger(dst, whole<<1, f < 0)
	}
	return appendKeyFraction(dst, magnitude, whole, f < 0, mark)
}

// appendKeyFraction fills the eight bytes of an integer part up with the fraction, of which it has 53 bits at most.
func appendKeyFraction(dst []byte, magnitude float64, whole uint64, negative bool, mark uint64) []byte {
	spare := bits.LeadingZeros64(whole<<1) / 8
	b := uint64(magnitude*float64(uint64(1)<<(8*spare))) + (whole+1)<<(8*spare)
	if spare > 0 {
		b |= mark
	}
	if negative {
		return binary.BigEndian.AppendUint64(append(dst, byte(keyNegativeInt8+spare)), ^b)
	}
	return binary.BigEndian.AppendUint64(append(dst, byte(keyPositiveInt8-spare)), b)
}

func appendKeySmall(dst []byte, f float64, mark uint64) []byte {
	magnitude := math.Abs(f)
	var b uint64
	if magnitude >= tinyDouble {
		b = math.Float64bits(magnitude)<<2 | mark
	} else {
		b = tinyBits(magnitude*tinyScale, mark)
	}
	return appendKeyBits(dst, keyNegativeSmall, keyPositiveSmall, f < 0, b)
}

func tinyBits(scaled float64, mark uint64) uint64 {
	return (math.Float64bits(scaled)<<1 + tinyPattern) | mark&1
}

func appendKeyLarge(dst []byte, f float64, mark uint64) []byte {
	b := uint64(math.MaxUint64)
	if !math.IsInf(f, 0) {
		// The exponent's highest bit is always set here; without it the bit is free for what no double holds.
		b = math.Float64bits(math.Abs(f))<<1&^(1<<63) | mark&1
	}
	return appendKeyBits(dst, keyNegativeLarge, keyPositiveLarge, f < 0, b)
}

func appendKeyBits(dst []byte, ifNegative, ifPositive byte, negative bool, b uint64) []byte {
	if negative {
		return binary.BigEndian.AppendUint64(append(dst, ifNegative), ^b)
	}
	return binary.BigEndian.AppendUint64(append(dst, ifPositive), b)
}
