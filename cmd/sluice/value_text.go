package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// longestString is how many characters of a string within a document are shown, so that one field does not hide the
// others.
const longestString = 48

// malformed stands for bytes that are not the BSON that they claim to be.
const malformed = "(malformed)"

// document appends a document, without the field named skip.
func (l *line) document(doc bson.Raw, skip string) {
	l.text("{")
	l.fields(doc, skip)
	l.text("}")
}

// fields appends the fields of a document without its braces, and returns how many there are.
func (l *line) fields(doc bson.Raw, skip string) int {
	elements, err := doc.Elements() // of malformed bytes those before the damage
	n := 0
	for _, element := range elements {
		key := element.Key()
		if skip != "" && key == skip {
			continue
		}
		if n > 0 {
			l.text(", ")
		}
		if l.full {
			return n
		}
		l.key(key)
		l.text(": ")
		l.value(element.Value())
		n++
	}
	if err != nil && len(doc) > 0 {
		l.text(malformed)
	}
	return n
}

func (l *line) array(array bson.RawArray) {
	values, err := array.Values()
	l.text("[")
	for i, v := range values {
		if i > 0 {
			l.text(", ")
		}
		if l.full {
			return
		}
		l.value(v)
	}
	if err != nil {
		l.text(malformed)
	}
	l.text("]")
}

// key appends a field's name or path: in quotes if it could be taken for something else.
func (l *line) key(key string) {
	if key == "" || strings.ContainsAny(key, "\"\\ ,:{}[]") {
		l.quoted(key)
		return
	}
	l.text(key)
}

// quoted appends a string in quotes, cut if it is long.
func (l *line) quoted(s string) {
	l.text(`"`)
	end, n := len(s), 0
	for i := range s {
		if n == longestString {
			end = i
			break
		}
		n++
	}
	for rest := s[:end]; len(rest) > 0 && !l.full; {
		r, size := utf8.DecodeRuneInString(rest)
		if r == '"' || r == '\\' {
			l.text(`\`)
		}
		l.text(rest[:size])
		rest = rest[size:]
	}
	if end < len(s) {
		l.text(cutMark)
	}
	l.text(`"`)
}

// value appends a value as mongosh writes it, but for numbers, which stand as they are.
func (l *line) value(v bson.RawValue) {
	if !l.scalar(v) && !l.composite(v) && !l.rare(v) {
		l.text(malformed)
	}
}

// scalar appends a value of the types without variable length. It returns false for other types and malformed values;
// so do composite and rare.
func (l *line) scalar(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeDouble:
		l.double(v.Double())
	case bson.TypeObjectID:
		l.text(`ObjectId("` + v.ObjectID().Hex() + `")`)
	case bson.TypeBoolean:
		b, ok := v.BooleanOK()
		if ok {
			l.text(strconv.FormatBool(b))
		}
		return ok
	case bson.TypeDateTime:
		l.date(v.DateTime())
	case bson.TypeNull:
		l.text("null")
	case bson.TypeInt32:
		l.text(strconv.FormatInt(int64(v.Int32()), 10))
	case bson.TypeInt64:
		l.text(strconv.FormatInt(v.Int64(), 10))
	case bson.TypeDecimal128:
		l.text(v.Decimal128().String())
	case bson.TypeTimestamp:
		seconds, increment := v.Timestamp()
		l.text(fmt.Sprintf("Timestamp(%d, %d)", seconds, increment))
	case bson.TypeUndefined:
		l.text("undefined")
	case bson.TypeMinKey:
		l.text("MinKey()")
	case bson.TypeMaxKey:
		l.text("MaxKey()")
	default:
		return false
	}
	return true
}

func (l *line) composite(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeString:
		s, ok := v.StringValueOK()
		if ok {
			l.quoted(s)
		}
		return ok
	case bson.TypeEmbeddedDocument:
		doc, ok := v.DocumentOK()
		if ok {
			l.document(doc, "")
		}
		return ok
	case bson.TypeArray:
		array, ok := v.ArrayOK()
		if ok {
			l.array(array)
		}
		return ok
	case bson.TypeBinary:
		subtype, data, ok := v.BinaryOK()
		if ok {
			l.binary(subtype, data)
		}
		return ok
	default:
		return false
	}
}

func (l *line) rare(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeRegex:
		pattern, options, ok := v.RegexOK()
		if ok {
			l.text("/" + pattern + "/" + options)
		}
		return ok
	case bson.TypeDBPointer:
		namespace, id, ok := v.DBPointerOK()
		if ok {
			l.text("DBPointer(")
			l.quoted(namespace)
			l.text(`, ObjectId("` + id.Hex() + `"))`)
		}
		return ok
	case bson.TypeSymbol:
		s, ok := v.SymbolOK()
		if ok {
			l.quoted(s)
		}
		return ok
	case bson.TypeJavaScript:
		code, ok := v.JavaScriptOK()
		if ok {
			l.text("Code(")
			l.quoted(code)
			l.text(")")
		}
		return ok
	case bson.TypeCodeWithScope:
		code, scope, ok := v.CodeWithScopeOK()
		if ok {
			l.text("Code(")
			l.quoted(code)
			l.text(", ")
			l.document(scope, "")
			l.text(")")
		}
		return ok
	default:
		return false
	}
}

func (l *line) double(f float64) {
	const exact = 1 << 53 // integers up to here look like integers
	format := byte('g')
	if f == math.Trunc(f) && math.Abs(f) <= exact {
		format = 'f'
	}
	l.text(strconv.FormatFloat(f, format, -1, 64))
}

func (l *line) binary(subtype byte, data []byte) {
	const uuid, shown = 4, 24
	if subtype == uuid && len(data) == 16 {
		h := hex.EncodeToString(data)
		l.text(`UUID("` + h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:] + `")`)
		return
	}
	cut := ""
	if len(data) > shown {
		data, cut = data[:shown], cutMark
	}
	l.text(fmt.Sprintf(`BinData(%d, "%s%s")`, subtype, base64.StdEncoding.EncodeToString(data), cut))
}

func (l *line) date(milliseconds int64) {
	at := time.UnixMilli(milliseconds).UTC()
	if at.Year() < 0 || at.Year() > 9999 {
		l.text(fmt.Sprintf("Date(%d)", milliseconds))
		return
	}
	l.text(`ISODate("` + at.Format("2006-01-02T15:04:05.999Z07:00") + `")`)
}
