package violation

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// maxSize is how long details may be. What is longer is written again without the values.
const maxSize = 12 << 20

// Report is details in the making. Once they are too long, what is added is dropped.
type Report struct {
	out   []byte
	brief bool
}

// Details returns what write tells. truncated says that values were left out for their size; details are nil if even what
// remains is too long.
func Details(write func(r *Report)) (details bsonraw.Doc, truncated bool) {
	for _, brief := range []bool{false, true} {
		r := Report{brief: brief}
		var at int
		r.out, at = bsonraw.BeginDoc(nil)
		write(&r)
		if !r.Full() {
			return bsonraw.EndDoc(r.out, at), brief
		}
	}
	return nil, true
}

// Full reports whether nothing further will be kept, so that looking for it can end.
func (r *Report) Full() bool { return len(r.out) > maxSize }

// Text adds a field.
func (r *Report) Text(name, text string) {
	if !r.Full() {
		r.out = bsonraw.AppendString(r.out, name, text)
	}
}

// Number adds a field.
func (r *Report) Number(name string, n int) {
	if !r.Full() {
		r.out = bsonraw.AppendInt32(r.out, name, int32(n))
	}
}

// Long adds a field.
func (r *Report) Long(name string, n int) {
	if !r.Full() {
		r.out = bsonraw.AppendInt64(r.out, name, int64(n))
	}
}

// Flag adds a field that is true.
func (r *Report) Flag(name string) {
	if !r.Full() {
		r.out = bsonraw.AppendBool(r.out, name, true)
	}
}

// Value adds a field with a value of the document, unless the report is to be brief; a missing value adds nothing.
func (r *Report) Value(name string, v bsonraw.Value) {
	if !r.brief && !r.Full() {
		r.out = bsonraw.AppendValue(r.out, name, v)
	}
}

// Texts adds an array of strings.
func (r *Report) Texts(name string, list []string) {
	r.Array(name, func() {
		for i, text := range list {
			r.Text(strconv.Itoa(i), text)
		}
	})
}

// Values adds an array of values of the document, unless the report is to be brief.
func (r *Report) Values(name string, list []bsonraw.Value) {
	if r.brief {
		return
	}
	r.Array(name, func() {
		for i, v := range list {
			r.Value(strconv.Itoa(i), v)
		}
	})
}

// Specified adds how the rule was written, names within each other, unless the report is to be brief.
func (r *Report) Specified(v bsonraw.Value, names ...string) {
	if r.brief {
		return
	}
	r.Doc("specifiedAs", func() { r.nested(v, names) })
}

// SpecifiedPair is Specified of a rule that was written as two fields.
func (r *Report) SpecifiedPair(name string, v bsonraw.Value, other string, w bsonraw.Value) {
	if r.brief {
		return
	}
	r.Doc("specifiedAs", func() {
		r.Value(name, v)
		r.Value(other, w)
	})
}

func (r *Report) nested(v bsonraw.Value, names []string) {
	if len(names) == 1 {
		r.Value(names[0], v)
		return
	}
	r.Doc(names[0], func() { r.nested(v, names[1:]) })
}

// Doc adds a document with what fill adds.
func (r *Report) Doc(name string, fill func()) { r.within(bsonraw.TypeDocument, name, fill) }

// Array adds an array; fill adds its elements, named by their positions.
func (r *Report) Array(name string, fill func()) { r.within(bsonraw.TypeArray, name, fill) }

// Item adds the element of an array at a position, a document with what fill adds.
func (r *Report) Item(i int, fill func()) { r.Doc(strconv.Itoa(i), fill) }

func (r *Report) within(t bsonraw.Type, name string, fill func()) {
	if r.Full() {
		return
	}
	var at int
	r.out, at = bsonraw.BeginElem(r.out, t, name)
	fill()
	r.out = bsonraw.EndDoc(r.out, at)
}
