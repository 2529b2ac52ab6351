package oplog

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// What the parts of a diff count when MongoDB decides whether a diff is worth its size. They approximate the encoded bytes and
// must be what they are: whether an update appears as an update or as a replacement follows from them.
const (
	entryPadding  = 15 // for what stands around the root
	objectSize    = 5
	arraySize     = 9
	nameSize      = 2 // the type and the end of a name
	sectionSize   = 8 // once for each section of an object that has something
	truncatedSize = 7
	letterSize    = 1 // what stands before a name: in arrays always, in objects with nested diffs
)

// Diff appends the diff that turns pre into post. ok is false, and dst as it was, when post itself is not larger than the
// diff: then the update is recorded as a replacement. Nested values whose diff does not pay are recorded whole. Elements of
// arrays are compared place by place.
func Diff(dst []byte, pre, post bsonraw.Doc) (out []byte, ok bool) {
	var c comparer
	root, _, ok := c.object(pre, post, entryPadding)
	if !ok {
		return dst, false
	}
	return c.tree.append(dst, root), true
}

type comparer struct{ tree diffTree }

// mark and rollback take back what was added for a nested value whose diff did not pay.
func (c *comparer) mark() (levels, changes int) { return len(c.tree.levels), len(c.tree.changes) }

func (c *comparer) rollback(levels, changes int) {
	c.tree.levels, c.tree.changes = c.tree.levels[:levels], c.tree.changes[:changes]
}

// object compares two objects and returns the level that holds their diff and its size, padding included. ok tells whether the
// diff pays.
func (c *comparer) object(pre, post bsonraw.Doc, padding int) (level int32, size int, ok bool) {
	d := objectDiff{comparer: c, level: c.tree.newLevel(false), size: objectSize + padding}
	x, y := pre.Iter(), post.Iter()
	moreX, moreY := x.Next(), y.Next()
	var missed [][]byte // names that pre has and post did not have at that place
	for moreX && moreY {
		switch {
		case !bytes.Equal(x.Key(), y.Key()):
			missed = append(missed, x.Key())
			moreX = x.Next()
			continue
		case !x.Value().Same(y.Value()):
			d.differ(x.Key(), x.Value(), y.Value())
		}
		moreX, moreY = x.Next(), y.Next()
	}
	for ; moreX; moreX = x.Next() {
		d.remove(x.Key())
	}
	slices.SortFunc(missed, bytes.Compare)
	missed = slices.CompactFunc(missed, bytes.Equal)
	found := make([]bool, len(missed))
	for ; moreY; moreY = y.Next() {
		if i, is := slices.BinarySearchFunc(missed, y.Key(), bytes.Compare); is {
			found[i] = true
		}
		d.add(diffChange{section: created, name: y.Key(), value: y.Value()}, len(y.Value().Data))
	}
	for i, name := range missed {
		if !found[i] {
			d.remove(name)
		}
	}
	return d.level, d.size, len(post) > d.size
}

// objectDiff is one level while its two objects are compared.
type objectDiff struct {
	*comparer
	level int32
	size  int
}

func (d *objectDiff) remove(name []byte) {
	d.add(diffChange{section: removed, name: name, value: removedValue}, 1)
}

func (d *objectDiff) add(c diffChange, valueSize int) {
	if c.section != nested && d.tree.levels[d.level].head[c.section] == none {
		d.size += sectionSize
	}
	d.size += len(c.name) + nameSize + valueSize
	d.tree.add(d.level, c)
}

func (d *objectDiff) differ(name []byte, pre, post bsonraw.Value) {
	if level, size, ok := d.nested(pre, post); ok {
		d.add(diffChange{section: nested, name: name, level: level}, size+letterSize)
		return
	}
	d.add(diffChange{section: changed, name: name, value: post}, len(post.Data))
}

// nested compares two objects or two arrays. ok is false when they are something else, or the diff does not pay.
func (c *comparer) nested(pre, post bsonraw.Value) (level int32, size int, ok bool) {
	if pre.Type != post.Type || pre.Type != bsonraw.TypeDocument && pre.Type != bsonraw.TypeArray {
		return 0, 0, false
	}
	levels, changes := c.mark()
	if pre.Type == bsonraw.TypeDocument {
		level, size, ok = c.object(pre.Doc(), post.Doc(), 0)
	} else {
		level, size, ok = c.array(pre.Doc(), post.Doc())
	}
	if !ok {
		c.rollback(levels, changes)
	}
	return level, size, ok
}

func (c *comparer) array(pre, post bsonraw.Doc) (level int32, size int, ok bool) {
	level, size = c.tree.newLevel(true), arraySize
	x, y := pre.Iter(), post.Iter()
	moreX, moreY := x.Next(), y.Next()
	i := 0
	for ; moreX && moreY; i++ {
		if a, b := x.Value(), y.Value(); !a.Same(b) {
			size += letterSize + digits(i) + nameSize
			if below, n, pays := c.nested(a, b); pays {
				c.tree.add(level, diffChange{section: nested, index: i, level: below})
				size += n
			} else {
				c.tree.add(level, diffChange{section: changed, index: i, value: b})
				size += len(b.Data)
			}
		}
		moreX, moreY = x.Next(), y.Next()
	}
	if moreX {
		c.tree.levels[level].newSize = i
		size += truncatedSize
	}
	for ; moreY; moreY = y.Next() {
		c.tree.add(level, diffChange{section: changed, index: i, value: y.Value()})
		size += letterSize + digits(i) + nameSize + len(y.Value().Data)
		i++
	}
	return level, size, len(post) > size
}

// digits counts the decimal digits of an index.
func digits(i int) int {
	n := 1
	for ; i > 9; i /= 10 {
		n++
	}
	return n
}
