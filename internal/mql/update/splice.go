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

// splicedSize returns the size of a document with its edits.
func splicedSize(doc bsonraw.Doc, edits []edit) int {
	size := len(doc)
	for _, e := range edits {
		size += len(e.data) - e.skip
	}
	return size
}

// typeBytes has every type as a slice, for edits of a type alone.
var typeBytes = func() (b [256]byte) {
	for i := range b {
		b[i] = byte(i)
	}
	return b
}()

// replaceBytes puts data in the place of skip bytes.
func (a *applier) replaceBytes(at, skip int, data []byte) {
	a.edits = append(a.edits, edit{at, skip, data})
}

// replaceValue puts a value in the place of another and returns by how many bytes the document grows. Edits that skip nothing
// are only for what comes before the end of an object: a value without bytes, such as null, is replaced with its header.
func (a *applier) replaceValue(s slot, v bsonraw.Value) int {
	grown := len(v.Data) - len(s.value.Data)
	switch {
	case len(s.value.Data) == 0:
		start := len(a.made)
		a.made = bsonraw.AppendValue(a.made, s.name, v)
		a.replaceBytes(s.at, s.end()-s.at, a.made[start:])
		return grown
	case v.Type != s.value.Type:
		a.replaceBytes(s.at, 1, typeBytes[v.Type:][:1:1])
	}
	a.replaceBytes(s.valueAt(), len(s.value.Data), v.Data)
	return grown
}

// resize writes the new length of the object or array at a place.
func (a *applier) resize(at int, doc bsonraw.Doc, grown int) {
	if grown == 0 {
		return
	}
	start := len(a.made)
	a.made = binary.LittleEndian.AppendUint32(a.made, uint32(len(doc)+grown))
	a.replaceBytes(at, 4, a.made[start:])
}

// collapse makes one edit of all since mark, which lie between two places, and returns what stands there after them.
func (a *applier) collapse(mark, from, to int) []byte {
	sortEdits(a.edits[mark:])
	start := len(a.values)
	a.values = splice(a.values, a.doc, from, to, a.edits[mark:])
	data := a.values[start:]
	a.edits = append(a.edits[:mark], edit{from, to - from, data})
	return data
}
