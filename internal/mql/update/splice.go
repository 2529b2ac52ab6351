package update

import (
	"encoding/binary"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// edit puts data in the place of skip bytes of the old document.
type edit struct {
	at, skip int
	data     []byte
}

// sortEdits orders edits by place. Several at one place keep their order: they are what is put before the end of an object.
func sortEdits(edits []edit) {
	byPlace := func(a, b edit) int { return a.at - b.at }
	if !slices.IsSortedFunc(edits, byPlace) {
		slices.SortStableFunc(edits, byPlace)
	}
}

// splice appends doc[from:to] with its edits, which are sorted and lie within.
func splice(dst []byte, doc bsonraw.Doc, from, to int, edits []edit) []byte {
	for _, e := range edits {
		dst = append(dst, doc[from:e.at]...)
		dst = append(dst, e.data...)
		from = e.at + e.skip
	}
	return append(dst, doc[from:to]...)
}

// typeBytes has every type as a slice, for edits of a type alone.
var typeBytes = func() (b [256]byte) {
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

// editor collects the edits of one document.
type editor struct {
	doc  bsonraw.Doc
	list []edit
	made []byte // what is put into the document, besides values that lie elsewhere
}

// replace puts data in the place of skip bytes.
func (e *editor) replace(at, skip int, data []byte) {
	e.list = append(e.list, edit{at, skip, data})
}

// replaceValue puts a value in the place of another and returns by how many bytes the document grows. Edits that skip nothing
// are only for what comes before the end of an object: a value without bytes, such as null, is replaced with its header.
func (e *editor) replaceValue(s slot, v bsonraw.Value) int {
	grown := len(v.Data) - len(s.value.Data)
	switch {
	case len(s.value.Data) == 0:
		start := len(e.made)
		e.made = bsonraw.AppendValue(e.made, s.name, v)
		e.replace(s.at, s.end()-s.at, e.made[start:])
		return grown
	case v.Type != s.value.Type:
		e.replace(s.at, 1, typeBytes[v.Type:][:1:1])
	}
	e.replace(s.valueAt(), len(s.value.Data), v.Data)
	return grown
}

// resize writes the new length of the object or array at a place.
func (e *editor) resize(at int, doc bsonraw.Doc, grown int) {
	if grown == 0 {
		return
	}
	start := len(e.made)
	e.made = binary.LittleEndian.AppendUint32(e.made, uint32(len(doc)+grown))
	e.replace(at, 4, e.made[start:])
}

// collapse makes one edit of all since mark, which lie within an element, and returns the value that they leave.
func (e *editor) collapse(mark int, s slot) bsonraw.Value {
	if len(e.list) == mark {
		return s.value
	}
	sortEdits(e.list[mark:])
	start := len(e.made)
	e.made = splice(e.made, e.doc, s.at, s.end(), e.list[mark:])
	elem := e.made[start:]
	e.list = append(e.list[:mark], edit{s.at, s.end() - s.at, elem})
	return valueOf(elem, s.name)
}

// finish appends the document with all edits.
func (e *editor) finish(dst []byte) []byte {
	sortEdits(e.list)
	size := len(e.doc)
	for _, x := range e.list {
		size += len(x.data) - x.skip
	}
	return splice(slices.Grow(dst, size), e.doc, 0, len(e.doc), e.list)
}
