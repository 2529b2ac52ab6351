package bsonraw

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Value is one BSON value: its type and its bytes as they stand in a document. It is a view, cheap to copy, and valid as
// long as the bytes beneath it. The zero Value is a missing one.
type Value struct {
	Type Type
	Data []byte
}

// IsMissing reports whether there is no value at all.
func (v Value) IsMissing() bool { return v.Type == TypeMissing }

// Doc returns the value as a document; it is meaningful for documents and arrays only.
func (v Value) Doc() Doc { return Doc(v.Data) }

// IsDoc reports whether v is an embedded document (not an array).
func (v Value) IsDoc() bool { return v.Type == TypeDocument }

// Bytes returns the text of a string, symbol or code value, without its length and terminator; nil for other types.
func (v Value) Bytes() []byte {
	switch v.Type {
	case TypeString, TypeSymbol, TypeJavaScript:
		if len(v.Data) >= 5 {
			return v.Data[4 : len(v.Data)-1]
		}
	}
	return nil
}

// Str returns Bytes as a string, which copies them.
func (v Value) Str() string { return string(v.Bytes()) }

// Int32 returns the 32-bit integer of an int value.
func (v Value) Int32() int32 { return int32(v.uint32()) }

// Int64 returns the 64-bit integer of a long, a date (milliseconds since 1970) or a timestamp (seconds << 32 | increment).
func (v Value) Int64() int64 { return int64(v.uint64()) }

// Double returns the number of a double value.
func (v Value) Double() float64 { return math.Float64frombits(v.uint64()) }

// Bool returns the truth of a bool value.
func (v Value) Bool() bool { return len(v.Data) == 1 && v.Data[0] != 0 }

// Timestamp returns a timestamp's seconds and increment.
func (v Value) Timestamp() (seconds, increment uint32) {
	n := v.uint64()
	return uint32(n >> 32), uint32(n)
}

// Binary returns a binary value's subtype and bytes (of subtype 2 the inner bytes).
func (v Value) Binary() (subtype byte, data []byte) {
	if v.Type != TypeBinary || len(v.Data) < 5 {
		return 0, nil
	}
	subtype, data = v.Data[4], v.Data[5:]
	if subtype == oldBinary && len(data) >= 4 {
		data = data[4:]
	}
	return subtype, data
}

// Regex returns a regular expression's pattern and options.
func (v Value) Regex() (pattern, options []byte) {
	i := bytes.IndexByte(v.Data, 0)
	if i < 0 || len(v.Data) < i+2 {
		return nil, nil
	}
	return v.Data[:i], v.Data[i+1 : len(v.Data)-1]
}

// Decimal128 returns a decimal's two halves.
func (v Value) Decimal128() (high, low uint64) {
	if len(v.Data) != 16 {
		return 0, 0
	}
	return binary.LittleEndian.Uint64(v.Data[8:]), binary.LittleEndian.Uint64(v.Data)
}

// CodeScope returns the code and the scope of a javascriptWithScope value.
func (v Value) CodeScope() (code []byte, scope Doc) {
	if v.Type != TypeCodeScope || len(v.Data) < 14 {
		return nil, nil
	}
	n := int(binary.LittleEndian.Uint32(v.Data[4:]))
	if n < 1 || 8+n > len(v.Data) {
		return nil, nil
	}
	return v.Data[8 : 8+n-1], Doc(v.Data[8+n:])
}

// AsInt64 converts any number to an integer. Fractions are cut off; ok is false for values that are not numbers, not finite
// or out of range.
func (v Value) AsInt64() (n int64, ok bool) {
	switch v.Type {
	case TypeInt32:
		return int64(v.Int32()), true
	case TypeInt64:
		return v.Int64(), true
	case TypeDouble:
		f := math.Trunc(v.Double())
		if !(f >= -(1<<63) && f < 1<<63) {
			return 0, false
		}
		return int64(f), true
	case TypeDecimal128:
		return decimalToInt64(v)
	}
	return 0, false
}

// AsFloat64 converts any number to a double, rounding where it must; ok is false for values that are not numbers.
func (v Value) AsFloat64() (f float64, ok bool) {
	switch v.Type {
	case TypeInt32:
		return float64(v.Int32()), true
	case TypeInt64:
		return float64(v.Int64()), true
	case TypeDouble:
		return v.Double(), true
	case TypeDecimal128:
		return decimalToFloat64(v), true
	}
	return 0, false
}

// Truthy reports how a boolean context reads v: false, null, undefined, missing and every zero are false, all else is true.
func (v Value) Truthy() bool {
	switch v.Type {
	case TypeMissing, TypeNull, TypeUndefined:
		return false
	case TypeBool:
		return v.Bool()
	case TypeInt32:
		return v.Int32() != 0
	case TypeInt64:
		return v.Int64() != 0
	case TypeDouble:
		return v.Double() != 0
	case TypeDecimal128:
		return !decimalIsZero(v)
	}
	return true
}

// Same reports whether a and b are identical: type and bytes.
func (v Value) Same(w Value) bool { return v.Type == w.Type && bytes.Equal(v.Data, w.Data) }

func (v Value) uint32() uint32 {
	if len(v.Data) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(v.Data)
}

func (v Value) uint64() uint64 {
	if len(v.Data) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(v.Data)
}
