package bsonraw

import (
	"encoding/binary"
	"math"
	"strconv"
)

// BeginDoc appends the place of a document's length and returns where it is, for [EndDoc].
func BeginDoc(dst []byte) (out []byte, at int) {
	return append(dst, 0, 0, 0, 0), len(dst)
}

// EndDoc ends the document that began at position at.
func EndDoc(dst []byte, at int) []byte {
	dst = append(dst, 0)
	binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at))
	return dst
}

// BeginElem appends the header of an element of type document or array and begins its document.
func BeginElem(dst []byte, t Type, key string) (out []byte, at int) {
	return BeginDoc(AppendHeader(dst, t, key))
}

// AppendHeader appends an element's type and name.
func AppendHeader[K string | []byte](dst []byte, t Type, key K) []byte {
	dst = append(dst, byte(t))
	dst = append(dst, key...)
	return append(dst, 0)
}

// AppendValue appends an element with any value. A missing value appends nothing.
func AppendValue[K string | []byte](dst []byte, key K, v Value) []byte {
	if v.IsMissing() {
		return dst
	}
	return append(AppendHeader(dst, v.Type, key), v.Data...)
}

// AppendDoc appends an element with an embedded document.
func AppendDoc[K string | []byte](dst []byte, key K, d Doc) []byte {
	return append(AppendHeader(dst, TypeDocument, key), d...)
}

// AppendArray appends an element with an array.
func AppendArray[K string | []byte](dst []byte, key K, d Doc) []byte {
	return append(AppendHeader(dst, TypeArray, key), d...)
}

// AppendString appends an element with a string.
func AppendString[K, S string | []byte](dst []byte, key K, s S) []byte {
	dst = AppendHeader(dst, TypeString, key)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s)+1))
	dst = append(dst, s...)
	return append(dst, 0)
}

// AppendInt32 appends an element with a 32-bit integer.
func AppendInt32[K string | []byte](dst []byte, key K, n int32) []byte {
	return binary.LittleEndian.AppendUint32(AppendHeader(dst, TypeInt32, key), uint32(n))
}

// AppendInt64 appends an element with a 64-bit integer.
func AppendInt64[K string | []byte](dst []byte, key K, n int64) []byte {
	return binary.LittleEndian.AppendUint64(AppendHeader(dst, TypeInt64, key), uint64(n))
}

// AppendInt appends an integer element: of 32 bits where it fits, else of 64.
func AppendInt[K string | []byte](dst []byte, key K, n int64) []byte {
	if n == int64(int32(n)) {
		return AppendInt32(dst, key, int32(n))
	}
	return AppendInt64(dst, key, n)
}

// AppendDouble appends an element with a double.
func AppendDouble[K string | []byte](dst []byte, key K, f float64) []byte {
	return binary.LittleEndian.AppendUint64(AppendHeader(dst, TypeDouble, key), math.Float64bits(f))
}

// AppendBool appends an element with a boolean.
func AppendBool[K string | []byte](dst []byte, key K, b bool) []byte {
	dst = AppendHeader(dst, TypeBool, key)
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendNull appends an element with null.
func AppendNull[K string | []byte](dst []byte, key K) []byte {
	return AppendHeader(dst, TypeNull, key)
}

// AppendDate appends an element with a date, in milliseconds since 1970.
func AppendDate[K string | []byte](dst []byte, key K, millis int64) []byte {
	return binary.LittleEndian.AppendUint64(AppendHeader(dst, TypeDate, key), uint64(millis))
}

// AppendTimestamp appends an element with a timestamp, seconds << 32 | increment.
func AppendTimestamp[K string | []byte](dst []byte, key K, ts uint64) []byte {
	return binary.LittleEndian.AppendUint64(AppendHeader(dst, TypeTimestamp, key), ts)
}

// AppendObjectID appends an element with an ObjectId.
func AppendObjectID[K string | []byte](dst []byte, key K, id [12]byte) []byte {
	return append(AppendHeader(dst, TypeObjectID, key), id[:]...)
}

// AppendBinary appends an element with binary data of a subtype (not the old subtype 2).
func AppendBinary[K string | []byte](dst []byte, key K, subtype byte, data []byte) []byte {
	dst = AppendHeader(dst, TypeBinary, key)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(data)))
	dst = append(dst, subtype)
	return append(dst, data...)
}

// SubtypeUUID is the binary subtype of a UUID.
const SubtypeUUID = 0x04

// Int32Value makes an int.
func Int32Value(n int32) Value {
	return Value{TypeInt32, binary.LittleEndian.AppendUint32(nil, uint32(n))}
}

// Int64Value makes a long.
func Int64Value(n int64) Value {
	return Value{TypeInt64, binary.LittleEndian.AppendUint64(nil, uint64(n))}
}

// DoubleValue makes a double.
func DoubleValue(f float64) Value {
	return Value{TypeDouble, binary.LittleEndian.AppendUint64(nil, math.Float64bits(f))}
}

// StringValue makes a string.
func StringValue(s string) Value {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, len(s)+5), uint32(len(s)+1))
	return Value{TypeString, append(append(b, s...), 0)}
}

// BoolValue makes a boolean; it does not allocate.
func BoolValue(b bool) Value {
	if b {
		return Value{TypeBool, trueData}
	}
	return Value{TypeBool, falseData}
}

// DateValue makes a date from milliseconds since 1970.
func DateValue(millis int64) Value {
	return Value{TypeDate, binary.LittleEndian.AppendUint64(nil, uint64(millis))}
}

// TimestampValue makes a timestamp from seconds << 32 | increment.
func TimestampValue(ts uint64) Value {
	return Value{TypeTimestamp, binary.LittleEndian.AppendUint64(nil, ts)}
}

// NullValue is null.
var NullValue = Value{Type: TypeNull}

var trueData, falseData = []byte{1}, []byte{0}

// ArrayBuilder appends an array element by element, numbering them.
type ArrayBuilder struct {
	buf  []byte
	at   int
	n    int
	room Grower
}

// Grower gives buffers that are used again.
type Grower interface {
	// Grow returns b with room for n more bytes. What held b may then be used for something else.
	Grow(b []byte, n int) []byte
}

// BeginArray begins an array in dst.
func BeginArray(dst []byte) ArrayBuilder {
	out, at := BeginDoc(dst)
	return ArrayBuilder{buf: out, at: at}
}

// Growing has the builder ask for room where appending would allocate. A nil room is none.
func (a *ArrayBuilder) Growing(room Grower) { a.room = room }

// reserve makes room for the next element, whose value has n bytes.
func (a *ArrayBuilder) reserve(n int) {
	if n += elementHeader; a.room != nil && cap(a.buf)-len(a.buf) < n {
		a.buf = a.room.Grow(a.buf, n)
	}
}

// elementHeader is the most that an element has beside its value, and the array's end.
const elementHeader = 1 + 20 + 1 + 1

// Append adds a value; a missing value is added as null, so that positions stay what they were.
func (a *ArrayBuilder) Append(v Value) {
	if v.IsMissing() {
		v = NullValue
	}
	a.header(v.Type)
	a.buf = append(a.buf, v.Data...)
}

// AppendDoc adds a document.
func (a *ArrayBuilder) AppendDoc(d Doc) {
	a.reserve(len(d))
	a.header(TypeDocument)
	a.buf = append(a.buf, d...)
}

// Begin adds a nested document or array and begins it; End ends it.
func (a *ArrayBuilder) Begin(t Type) (dst []byte, at int) {
	a.header(t)
	return BeginDoc(a.buf)
}

// BeginWhole adds a document of about that size, which is then appended to dst whole, with its length and its end.
func (a *ArrayBuilder) BeginWhole(size int) (dst []byte) {
	a.reserve(size)
	a.header(TypeDocument)
	return a.buf
}

// Resume takes back the buffer after a nested document was appended to what Begin or BeginWhole returned.
func (a *ArrayBuilder) Resume(dst []byte) { a.buf = dst }

// Mark is how far an array has come.
type Mark struct{ size, n int }

// Mark notes how far the array has come.
func (a *ArrayBuilder) Mark() Mark { return Mark{len(a.buf), a.n} }

// Undo takes away what was added since the mark.
func (a *ArrayBuilder) Undo(m Mark) { a.buf, a.n = a.buf[:m.size], m.n }

// From returns what stands at a place of the buffer and behind it, valid until the next element is added.
func (a *ArrayBuilder) From(at int) []byte { return a.buf[at:] }

// Elements returns all elements, valid until the next one is added.
func (a *ArrayBuilder) Elements() []byte { return a.buf[a.at+4:] }

// AppendElements adds to an empty array the n elements that another one has.
func (a *ArrayBuilder) AppendElements(elements []byte, n int) {
	a.reserve(len(elements))
	a.buf, a.n = append(a.buf, elements...), n
}

// Len returns how many values were added.
func (a *ArrayBuilder) Len() int { return a.n }

// Size returns the bytes of the buffer so far.
func (a *ArrayBuilder) Size() int { return len(a.buf) - a.at }

// End ends the array and returns the buffer.
func (a *ArrayBuilder) End() []byte { return EndDoc(a.buf, a.at) }

func (a *ArrayBuilder) header(t Type) {
	a.buf = append(a.buf, byte(t))
	a.buf = strconv.AppendInt(a.buf, int64(a.n), 10)
	a.buf = append(a.buf, 0)
	a.n++
}
