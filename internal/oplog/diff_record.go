package oplog

import "github.com/sluicestream/sluice/internal/bsonraw"

// Recorder collects what the operators of an update do to one document, while they do it, and encodes it as a diff. The
// operators say where they are with Enter and Leave, and what they change there. The zero Recorder is ready for use; a nil one
// records nothing. Names and values are kept as views until Reset; an array's indexes may come in any order. It is not safe
// for concurrent use.
type Recorder struct {
	tree  diffTree
	stack []place
}

// place is an object or array that the operators are in. Its level is made when the first change is recorded in it.
type place struct {
	name  []byte
	index int // none in an object
	array bool
	level int32
}

// Forget lets go of everything but the Recorder's own memory. Reset follows before it is used again.
func (r *Recorder) Forget() {
	clear(r.stack[:cap(r.stack)])
	clear(r.tree.changes[:cap(r.tree.changes)])
}

// Memory is about how many bytes the Recorder holds, in use or not.
func (r *Recorder) Memory() int {
	const structure = 64
	return structure * (cap(r.stack) + 2*cap(r.tree.changes) + cap(r.tree.levels))
}

// Reset forgets everything recorded.
func (r *Recorder) Reset() {
	r.tree.reset()
	r.tree.newLevel(false)
	r.stack = append(r.stack[:0], place{index: none, level: rootLevel})
}

// Empty reports whether nothing was recorded since Reset.
func (r *Recorder) Empty() bool { return len(r.tree.changes) == 0 }

// Enter goes into the value of a field of the current object; array says whether that value is an array.
func (r *Recorder) Enter(field []byte, array bool) {
	if r != nil {
		r.stack = append(r.stack, place{name: field, index: none, array: array, level: none})
	}
}

// EnterIndex goes into an element of the current array; array says whether that element is an array itself.
func (r *Recorder) EnterIndex(index int, array bool) {
	if r != nil {
		r.stack = append(r.stack, place{index: index, array: array, level: none})
	}
}

// Leave goes back to where the last Enter or EnterIndex was called.
func (r *Recorder) Leave() {
	if r != nil {
		r.stack = r.stack[:len(r.stack)-1]
	}
}

// Update records the new value of a field that existed.
func (r *Recorder) Update(field []byte, v bsonraw.Value) {
	r.add(diffChange{section: changed, name: field, value: v})
}

// Insert records a field that was created at the end of the current object.
func (r *Recorder) Insert(field []byte, v bsonraw.Value) {
	r.add(diffChange{section: created, name: field, value: v})
}

// Delete records that a field of the current object was removed.
func (r *Recorder) Delete(field []byte) {
	r.add(diffChange{section: removed, name: field, value: removedValue})
}

// UpdateIndex records the new value of an element of the current array, be it a new one.
func (r *Recorder) UpdateIndex(index int, v bsonraw.Value) {
	r.add(diffChange{section: changed, index: index, value: v})
}

// DeletePath records that a field was removed that is not in the current object: path leads to it from the document's root,
// through objects only.
func (r *Recorder) DeletePath(path [][]byte) {
	if r == nil || len(path) == 0 {
		return
	}
	level := int32(rootLevel)
	last := len(path) - 1
	for _, name := range path[:last] {
		level = r.nestedLevel(level, diffChange{section: nested, name: name, index: none}, false)
	}
	r.tree.add(level, diffChange{section: removed, name: path[last], value: removedValue})
}

// Append appends the recorded diff.
func (r *Recorder) Append(dst []byte) []byte { return r.tree.append(dst, rootLevel) }

// AppendEntry appends the recorded diff as an update's entry, {$v: 2, diff: ..}.
func (r *Recorder) AppendEntry(dst []byte) []byte {
	dst, at := beginEntry(dst)
	return bsonraw.EndDoc(r.Append(dst), at)
}

var removedValue = bsonraw.BoolValue(false)

func (r *Recorder) add(c diffChange) {
	if r == nil {
		return
	}
	r.tree.add(r.current(), c)
}

// current returns the level of the place that the operators are in, with all levels on the way to it.
func (r *Recorder) current() int32 {
	top := len(r.stack) - 1
	known := top
	for r.stack[known].level == none {
		known--
	}
	for i := known + 1; i <= top; i++ {
		p := &r.stack[i]
		c := diffChange{section: nested, name: p.name, index: p.index}
		p.level = r.nestedLevel(r.stack[i-1].level, c, p.array)
	}
	return r.stack[top].level
}

// nestedLevel finds the level below parent that c names, or makes it.
func (r *Recorder) nestedLevel(parent int32, c diffChange, array bool) int32 {
	l := &r.tree.levels[parent]
	chain := nested
	if l.array {
		chain = changed
	}
	for id := l.head[chain]; id != none; id = r.tree.changes[id].next {
		d := &r.tree.changes[id]
		if d.section == nested && d.index == c.index && string(d.name) == string(c.name) {
			return d.level
		}
	}
	c.level = r.tree.newLevel(array)
	r.tree.add(parent, c)
	return c.level
}
