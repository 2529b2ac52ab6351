package bsonraw

import (
	"bytes"
	"encoding/binary"
)

// The bytes that begin an encoded value. They keep the order of the classes, and for numbers that of sign and magnitude, so
// that bytes.Compare decides most comparisons at the first byte.
const (
	keyMinKey        = 0x0A
	keyUndefined     = 0x0F
	keyNull          = 0x14
	keyNumber        = 0x1E // before the name of a numeric element; also NaN
	keyNaN           = 0x1E
	keyNegativeLarge = 0x1F // -2^63 and below
	keyNegativeInt8  = 0x20 // an integer part of eight bytes; 0x27 of one
	keyNegativeInt1  = 0x27
	keyNegativeSmall = 0x28 // between -1 and 0
	keyZero          = 0x29
	keyPositiveSmall = 0x2A
	keyPositiveInt1  = 0x2B
	keyPositiveInt8  = 0x32
	keyPositiveLarge = 0x33
	keyString        = 0x3C
	keyDocument      = 0x46
	keyArray         = 0x50
	keyBinary        = 0x5A
	keyObjectID      = 0x64
	keyBool          = 0x6E // before the name of an element; also false
	keyFalse         = 0x6E
	keyTrue          = 0x6F
	keyDate          = 0x78
	keyTimestamp     = 0x82
	keyRegex         = 0x8C
	keyDBPointer     = 0x96
	keyCode          = 0xA0
	keyCodeScope     = 0xAA
	keyMaxKey        = 0xF0

	// KeyEnd ends a sequence of keys in a resume token. It sorts before every value's first byte.
	KeyEnd = 0x04
)

// AppendKey appends v as a KeyString (version 1, ascending): bytes whose order is the order of [Compare], and which are equal
// exactly when Compare gives 0, whatever the numeric types. A key says itself where it ends, so that keys can be concatenated
// and compared as a tuple. A missing value is encoded as null.
func AppendKey(dst []byte, v Value) []byte { return appendKey(dst, v, nil) }

// AppendKeyDescending appends the key of v with all bits inverted, so that it sorts in the opposite order. Something must
// follow it (another key or [KeyEnd]), because a string's key is a prefix of that of the same string with a zero byte behind.
func AppendKeyDescending(dst []byte, v Value) []byte {
	at := len(dst)
	dst = appendKey(dst, v, nil)
	invert(dst[at:])
	return dst
}

// KeyBuilder builds a sequence of keys together with their type bits, from which [KeyReader] gives back the exact values. The
// zero KeyBuilder is ready to use; it is not safe for concurrent use.
type KeyBuilder struct {
	key   []byte
	types typeBits
}

// Reset empties the builder and keeps its memory.
func (b *KeyBuilder) Reset() {
	b.key = b.key[:0]
	b.types.reset()
}

// Append adds a value.
func (b *KeyBuilder) Append(v Value) { b.key = appendKey(b.key, v, &b.types) }

// AppendEncoded adds keys, or a part of one, that were encoded before. Their type bits must all be zero; n is how many there are.
func (b *KeyBuilder) AppendEncoded(key []byte, n int) {
	b.key = append(b.key, key...)
	b.types.addBits(0, n)
}

// Key returns the keys so far, without an end; it is valid until the next Append or Reset.
func (b *KeyBuilder) Key() []byte { return b.key }

// AppendTypeBits appends the type bits in their stored form: nothing when all of them are zero.
func (b *KeyBuilder) AppendTypeBits(dst []byte) []byte { return b.types.append(dst) }

// appendKey is AppendKey that also gathers type bits where types is not nil.
func appendKey(dst []byte, v Value, types *typeBits) []byte {
	switch v.Type {
	case TypeObjectID:
		return append(append(dst, keyObjectID), v.Data...)
	case TypeString, TypeSymbol:
		types.add(v.Type == TypeSymbol)
		return appendKeyText(append(dst, keyString), v.Bytes())
	case TypeInt32:
		types.addNumber(numberInt32)
		return appendKeyInt(dst, int64(v.Int32()))
	case TypeInt64:
		types.addNumber(numberInt64)
		return appendKeyInt(dst, v.Int64())
	case TypeDouble:
		return appendKeyDouble(dst, v.Double(), types)
	case TypeDecimal128:
		return appendKeyDecimal(dst, v, types)
	case TypeDocument:
		return appendKeyDoc(append(dst, keyDocument), v.Doc(), types)
	case TypeArray:
		dst = append(dst, keyArray)
		for it := v.Doc().Iter(); it.Next(); {
			dst = appendKey(dst, it.Value(), types)
		}
		return append(dst, 0)
	case TypeBool:
		if v.Bool() {
			return append(dst, keyTrue)
		}
		return append(dst, keyFalse)
	case TypeDate:
		return binary.BigEndian.AppendUint64(append(dst, keyDate), uint64(v.Int64())^1<<63)
	case TypeTimestamp:
		return binary.BigEndian.AppendUint64(append(dst, keyTimestamp), uint64(v.Int64()))
	}
	return appendRareKey(dst, v, types)
}

func appendRareKey(dst []byte, v Value, types *typeBits) []byte {
	switch v.Type {
	case TypeBinary:
		n := len(v.Data) - 5
		if n < 0 {
			return append(dst, keyNull)
		}
		dst = append(dst, keyBinary)
		if n < 0xFF {
			dst = append(dst, byte(n))
		} else {
			dst = binary.BigEndian.AppendUint32(append(dst, 0xFF), uint32(n))
		}
		return append(dst, v.Data[4:]...)
	case TypeRegex:
		pattern, options := v.Regex()
		dst = append(append(append(dst, keyRegex), pattern...), 0)
		return append(append(dst, options...), 0)
	case TypeDBPointer:
		if len(v.Data) < 17 {
			return append(dst, keyNull)
		}
		ns := v.Data[4 : len(v.Data)-13]
		dst = binary.BigEndian.AppendUint32(append(dst, keyDBPointer), uint32(len(ns)))
		return append(append(dst, ns...), v.Data[len(v.Data)-12:]...)
	case TypeJavaScript:
		return appendKeyText(append(dst, keyCode), v.Bytes())
	case TypeCodeScope:
		code, scope := v.CodeScope()
		return appendKeyDoc(appendKeyText(append(dst, keyCodeScope), code), scope, types)
	case TypeUndefined:
		return append(dst, keyUndefined)
	case TypeMinKey:
		return append(dst, keyMinKey)
	case TypeMaxKey:
		return append(dst, keyMaxKey)
	}
	return append(dst, keyNull)
}

// appendKeyDoc writes each element as the class of its value, its name and the value, because documents compare in that order.
func appendKeyDoc(dst []byte, d Doc, types *typeBits) []byte {
	for it := d.Iter(); it.Next(); {
		v := it.Value()
		dst = append(append(append(dst, keyClass(v.Type)), it.Key()...), 0)
		dst = appendKey(dst, v, types)
	}
	return append(dst, 0)
}

// appendKeyText writes zero bytes as 00 FF and ends with 00: what follows is never FF.
func appendKeyText(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, 0)
		if i < 0 {
			return append(append(dst, s...), 0)
		}
		dst = append(append(dst, s[:i+1]...), 0xFF)
		s = s[i+1:]
	}
}

func keyClass(t Type) byte {
	switch t {
	case TypeMinKey:
		return keyMinKey
	case TypeUndefined:
		return keyUndefined
	case TypeInt32, TypeInt64, TypeDouble, TypeDecimal128:
		return keyNumber
	case TypeString, TypeSymbol:
		return keyString
	case TypeDocument:
		return keyDocument
	case TypeArray:
		return keyArray
	case TypeBinary:
		return keyBinary
	case TypeObjectID:
		return keyObjectID
	case TypeBool:
		return keyBool
	case TypeDate:
		return keyDate
	case TypeTimestamp:
		return keyTimestamp
	case TypeRegex:
		return keyRegex
	case TypeDBPointer:
		return keyDBPointer
	case TypeJavaScript:
		return keyCode
	case TypeCodeScope:
		return keyCodeScope
	case TypeMaxKey:
		return keyMaxKey
	}
	return keyNull
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}
