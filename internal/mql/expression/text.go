package expression

import (
	"encoding/hex"
	"math"
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Text renders a value as MongoDB's messages do: { a: 1, b: [ "x" ] }. It is for messages only.
func Text(v bsonraw.Value) string { return string(appendText(nil, v, 0, " ")) }

// compactText is Text in the form of messages about computed values: {a: 1, b: ["x"]}.
func compactText(v bsonraw.Value) string { return string(appendText(nil, v, 0, "")) }

func appendText(dst []byte, v bsonraw.Value, level int, padding string) []byte {
	if level > bsonraw.MaxMessageDepth {
		return append(dst, "..."...)
	}
	switch v.Type {
	case bsonraw.TypeMissing:
		return append(dst, "MISSING"...)
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		return appendTextDoc(dst, v, level, padding)
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		dst = append(dst, '"')
		dst = append(dst, v.Bytes()...)
		return append(dst, '"')
	case bsonraw.TypeInt32:
		return strconv.AppendInt(dst, int64(v.Int32()), 10)
	case bsonraw.TypeInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case bsonraw.TypeDouble:
		return appendTextDouble(dst, v.Double())
	case bsonraw.TypeBool:
		return strconv.AppendBool(dst, v.Bool())
	}
	return appendTextRare(dst, v, level, padding)
}

func appendTextDoc(dst []byte, v bsonraw.Value, level int, padding string) []byte {
	left, right := byte('{'), byte('}')
	if v.Type == bsonraw.TypeArray {
		left, right = '[', ']'
	}
	if v.Doc().IsEmpty() {
		return append(dst, left, right)
	}
	dst = append(dst, left)
	separator := padding
	for it := v.Doc().Iter(); it.Next(); {
		dst = append(dst, separator...)
		separator = ", "
		if v.Type == bsonraw.TypeDocument {
			dst = append(append(dst, it.Key()...), ": "...)
		}
		dst = appendText(dst, it.Value(), level+1, padding)
	}
	return append(append(dst, padding...), right)
}

// appendTextDouble keeps a double apart from an integer: 1.0, 1e+20, inf, nan.
func appendTextDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan.0"...)
	case math.IsInf(f, 1):
		return append(dst, "inf.0"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf.0"...)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', 16, 64)
	for _, c := range dst[start:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

func appendTextRare(dst []byte, v bsonraw.Value, level int, padding string) []byte {
	switch v.Type {
	case bsonraw.TypeNull:
		return append(dst, "null"...)
	case bsonraw.TypeUndefined:
		return append(dst, "undefined"...)
	case bsonraw.TypeObjectID:
		dst = append(dst, "ObjectId('"...)
		return append(hex.AppendEncode(dst, v.Data), "')"...)
	case bsonraw.TypeDate:
		dst = append(dst, "new Date("...)
		return append(strconv.AppendInt(dst, v.Int64(), 10), ')')
	case bsonraw.TypeTimestamp:
		seconds, increment := v.Timestamp()
		dst = strconv.AppendUint(append(dst, "Timestamp("...), uint64(seconds), 10)
		return append(strconv.AppendUint(append(dst, ", "...), uint64(increment), 10), ')')
	case bsonraw.TypeRegex:
		pattern, options := v.Regex()
		dst = append(append(dst, '/'), pattern...)
		return append(append(dst, '/'), options...)
	case bsonraw.TypeJavaScript:
		return append(dst, v.Bytes()...)
	case bsonraw.TypeBinary:
		subtype, data := v.Binary()
		dst = strconv.AppendUint(append(dst, "BinData("...), uint64(subtype), 10)
		return append(hex.AppendEncode(append(dst, ", "...), data), ')')
	case bsonraw.TypeDecimal128:
		return appendDecimalText(dst, v)
	case bsonraw.TypeCodeScope:
		code, scope := v.CodeScope()
		dst = append(append(dst, "CodeWScope( "...), code...)
		return append(appendText(append(dst, ", "...), scope.Value(), level+1, padding), ')')
	case bsonraw.TypeMinKey:
		return append(dst, "MinKey"...)
	case bsonraw.TypeMaxKey:
		return append(dst, "MaxKey"...)
	}
	return append(dst, v.Type.Name()...)
}
