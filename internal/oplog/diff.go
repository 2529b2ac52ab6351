package oplog

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// An update that is not a replacement is recorded as {$v: 2, diff: D}, where D describes one object or array:
//
//	object  {d: {f: false, ..}, u: {f: v, ..}, i: {f: v, ..}, s<f>: D, ..}   removed, changed and created fields, diffs of nested values
//	array   {a: true, l: <new length>, u<i>: v, .., s<i>: D, ..}             in the order of the indexes
//
// Sections that have none are left out. A created field ("i") that exists already moves to the document's end.
const (
	sectionRemoved = "d"
	sectionChanged = "u"
	sectionCreated = "i"
	sectionNested  = 's' // one letter before the field's name
	arrayMark      = "a"
	arrayNewLength = "l"
	arrayChanged   = 'u' // one letter before the index
	entryVersion   = "$v"
	entryDiff      = "diff"
	diffVersion    = 2
)

// none stands for an index, a length, a level or a change that does not exist.
const none = -1

// rootLevel is the level of the document itself in a diffTree.
const rootLevel = 0

// EntryDiff returns the diff of an update's entry. ok is false when o is a replacement, that is, the new document itself.
func EntryDiff(o bsonraw.Doc) (diff bsonraw.Doc, ok bool) {
	it := o.Iter()
	if !it.Next() || string(it.Key()) != entryVersion {
		return nil, false
	}
	v := o.Lookup(entryDiff)
	if v.Type != bsonraw.TypeDocument {
		return nil, false
	}
	return v.Doc(), true
}

// AppendEntry appends the entry of an update that diff describes, {$v: 2, diff: diff}.
func AppendEntry(dst []byte, diff bsonraw.Doc) []byte {
	dst, at := beginEntry(dst)
	return bsonraw.EndDoc(append(dst, diff...), at)
}

// beginEntry begins an entry up to where its diff stands.
func beginEntry(dst []byte) (out []byte, at int) {
	dst, at = bsonraw.BeginDoc(dst)
	dst = bsonraw.AppendInt32(dst, entryVersion, diffVersion)
	return bsonraw.AppendHeader(dst, bsonraw.TypeDocument, entryDiff), at
}

// section is where a change of an object is noted.
type section uint8

const (
	removed section = iota
	changed
	created
	nested
	sections
)

// diffTree is a diff under construction: levels (one an object or array that has changes) with their changes chained in order.
// Names and values are views of whatever they came from.
type diffTree struct {
	levels  []diffLevel
	changes []diffChange
}

type diffLevel struct {
	array      bool
	newSize    int // of an array that became shorter, else none
	head, tail [sections]int32
}

type diffChange struct {
	section section
	name    []byte // of a field
	index   int    // of an array element
	value   bsonraw.Value
	level   int32 // of a nested change
	next    int32
}

func (t *diffTree) reset() {
	t.levels, t.changes = t.levels[:0], t.changes[:0]
}

func (t *diffTree) newLevel(array bool) int32 {
	empty := [sections]int32{none, none, none, none}
	t.levels = append(t.levels, diffLevel{array: array, newSize: none, head: empty, tail: empty})
	return int32(len(t.levels) - 1)
}

// add notes a change. An array keeps all its changes in one chain, ordered by index.
func (t *diffTree) add(level int32, c diffChange) {
	l := &t.levels[level]
	chain := c.section
	if l.array {
		chain = changed
	}
	id := int32(len(t.changes))
	c.next = none
	if last := l.tail[chain]; l.array && last != none && t.changes[last].index > c.index {
		t.insert(l, c)
		return
	}
	if last := l.tail[chain]; last == none {
		l.head[chain] = id
	} else {
		t.changes[last].next = id
	}
	l.tail[chain] = id
	t.changes = append(t.changes, c)
}

// insert notes a change of an array before the first one of a higher index, which exists.
func (t *diffTree) insert(l *diffLevel, c diffChange) {
	at := &l.head[changed]
	for t.changes[*at].index <= c.index {
		at = &t.changes[*at].next
	}
	c.next = *at
	*at = int32(len(t.changes))
	t.changes = append(t.changes, c)
}

// append encodes a level and all below it.
func (t *diffTree) append(dst []byte, level int32) []byte {
	l := &t.levels[level]
	dst, at := bsonraw.BeginDoc(dst)
	if l.array {
		dst = t.appendArray(dst, l)
		return bsonraw.EndDoc(dst, at)
	}
	for s, name := range [...]string{removed: sectionRemoved, changed: sectionChanged, created: sectionCreated} {
		if l.head[s] == none {
			continue
		}
		var inner int
		dst, inner = bsonraw.BeginElem(dst, bsonraw.TypeDocument, name)
		for id := l.head[s]; id != none; id = t.changes[id].next {
			dst = bsonraw.AppendValue(dst, t.changes[id].name, t.changes[id].value)
		}
		dst = bsonraw.EndDoc(dst, inner)
	}
	for id := l.head[nested]; id != none; id = t.changes[id].next {
		dst = append(dst, byte(bsonraw.TypeDocument), sectionNested)
		dst = append(append(dst, t.changes[id].name...), 0)
		dst = t.append(dst, t.changes[id].level)
	}
	return bsonraw.EndDoc(dst, at)
}

func (t *diffTree) appendArray(dst []byte, l *diffLevel) []byte {
	dst = bsonraw.AppendBool(dst, arrayMark, true)
	if l.newSize != none {
		dst = bsonraw.AppendInt32(dst, arrayNewLength, int32(l.newSize))
	}
	for id := l.head[changed]; id != none; id = t.changes[id].next {
		c := &t.changes[id]
		if c.section == nested {
			dst = append(dst, byte(bsonraw.TypeDocument), sectionNested)
			dst = append(strconv.AppendInt(dst, int64(c.index), 10), 0)
			dst = t.append(dst, c.level)
			continue
		}
		dst = append(dst, byte(c.value.Type), arrayChanged)
		dst = append(strconv.AppendInt(dst, int64(c.index), 10), 0)
		dst = append(dst, c.value.Data...)
	}
	return dst
}
