package bsonraw

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
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
		return fmt.Appendf(dst, "BinData(%d, %s)", subtype, base64.StdEncoding.EncodeToString(data))
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
		return appendShellDoc(fmt.Appendf(dst, "CodeWScope( %s, ", code), scope, TypeDocument)
	}
	return append(dst, v.Type.Name()...)
}

func appendShellDouble(dst []byte, f float64) []byte {
	s := strconv.FormatFloat(f, 'g', 15, 64)
	if g, err := strconv.ParseFloat(s, 64); err == nil && g != f {
		s = strconv.FormatFloat(f, 'g', 17, 64)
	}
	dst = append(dst, s...)
	for _, c := range s {
		if c == '.' || c == 'e' || c == 'N' || c == 'I' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

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
	case d.exponent == 0:
		return sign + d.coefficient.String()
	}
	digits := d.coefficient.String()
	if d.exponent < 0 && -d.exponent < len(digits) {
		at := len(digits) + d.exponent
		return sign + digits[:at] + "." + digits[at:]
	}
	return sign + digits + "E" + fmt.Sprintf("%+d", d.exponent)
}

