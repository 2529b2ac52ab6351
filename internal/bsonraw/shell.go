package bsonraw

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Shell renders a document as MongoDB's messages do: { a: 1, b: "x" }. It is for people; it is neither JSON nor can it be
// read back.
func (d Doc) Shell() string { return string(appendShellDoc(nil, d, TypeDocument)) }

// Shell renders a value as MongoDB's messages do.
func (v Value) Shell() string { return string(appendShell(nil, v)) }

func appendShellDoc(dst []byte, d Doc, t Type) []byte {
	open, end := "{", " }"
	if t == TypeArray {
		open, end = "[", " ]"
	}
	dst = append(dst, open...)
	n := 0
	for it := d.Iter(); it.Next(); n++ {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, ' ')
		if t != TypeArray {
			dst = append(append(dst, it.Key()...), ": "...)
		}
		dst = appendShell(dst, it.Value())
	}
	if n == 0 {
		end = end[1:]
	}
	return append(dst, end...)
}

func appendShell(dst []byte, v Value) []byte {
	switch v.Type {
	case TypeDouble:
		return appendShellDouble(dst, v.Double())
	case TypeString, TypeSymbol:
		return append(append(append(dst, '"'), v.Bytes()...), '"')
	case TypeDocument, TypeArray:
		return appendShellDoc(dst, v.Doc(), v.Type)
	case TypeBinary:
		subtype, data := v.Binary()
		if subtype == SubtypeUUID && len(data) == 16 {
			return fmt.Appendf(dst, `UUID("%x-%x-%x-%x-%x")`, data[:4], data[4:6], data[6:8], data[8:10], data[10:])
		}
		return fmt.Appendf(dst, "BinData(%d, %X)", subtype, data)
	case TypeObjectID:
		return append(hex.AppendEncode(append(dst, "ObjectId('"...), v.Data), "')"...)
	case TypeBool:
		return strconv.AppendBool(dst, v.Bool())
	case TypeDate:
		return fmt.Appendf(dst, "new Date(%d)", v.Int64())
	case TypeInt32:
		return strconv.AppendInt(dst, int64(v.Int32()), 10)
	case TypeInt64:
		return strconv.AppendInt(dst, v.Int64(), 10)
	case TypeTimestamp:
		seconds, increment := v.Timestamp()
		return fmt.Appendf(dst, "Timestamp(%d, %d)", seconds, increment)
	}
	return appendShellRare(dst, v)
}

func appendShellRare(dst []byte, v Value) []byte {
	switch v.Type {
	case TypeRegex:
		pattern, options := v.Regex()
		return fmt.Appendf(dst, "/%s/%s", pattern, options)
	case TypeDecimal128:
		return append(dst, decimalString(v)...)
	case TypeMinKey:
		return append(dst, "MinKey"...)
	case TypeMaxKey:
		return append(dst, "MaxKey"...)
	case TypeNull:
		return append(dst, "null"...)
	case TypeUndefined:
		return append(dst, "undefined"...)
	case TypeJavaScript:
		return append(dst, v.Bytes()...)
	case TypeCodeScope:
		code, scope := v.CodeScope()
		return append(appendShellDoc(fmt.Appendf(dst, "CodeWScope( %s, ", code), scope, TypeDocument), ")"...)
	}
	return append(dst, v.Type.Name()...)
}

// appendShellDouble writes a double as MongoDB's messages do: with a decimal point always, after an exponent too.
func appendShellDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "nan.0"...)
	case math.IsInf(f, 1):
		return append(dst, "inf.0"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf.0"...)
	}
	begin := len(dst)
	dst = strconv.AppendFloat(dst, f, 'g', 16, 64)
	if bytes.IndexByte(dst[begin:], '.') >= 0 {
		return dst
	}
	return append(dst, ".0"...)
}

// decimalString writes a decimal by the rule of the decimal128 specification: plainly where that needs few zeros.
func decimalString(v Value) string {
	d := parseDecimal(v)
	sign := ""
	if d.negative {
		sign = "-"
	}
	switch {
	case d.nan:
		return "NaN"
	case d.inf:
		return sign + "Infinity"
	}
	digits := d.coefficient.String()
	adjusted := d.exponent + len(digits) - 1
	switch {
	case d.exponent > 0 || adjusted < -6:
		if len(digits) > 1 {
			digits = digits[:1] + "." + digits[1:]
		}
		return fmt.Sprintf("%s%sE%+d", sign, digits, adjusted)
	case d.exponent == 0:
		return sign + digits
	case adjusted < 0:
		return sign + "0." + strings.Repeat("0", -adjusted-1) + digits
	}
	at := len(digits) + d.exponent
	return sign + digits[:at] + "." + digits[at:]
}
