package update

import (
	"bytes"
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// applier holds what is known while the operators run on one document.
type applier struct {
	doc       bsonraw.Doc
	in        Input
	filters   elementFilters
	recorder  *oplog.Recorder // nil in elements of an array that is recorded as a whole
	protected bool            // the document has an _id, which must stay
	touched   int             // values that were recorded though they stay what they are
	edits     editor
	slots     []slot     // a stack: those of the objects that are being walked
	hits      []hit      // a stack, likewise
	trail     trail      // how the walk came to where it is
	moved     [][][]byte // paths that were renamed since something was recorded
	values    arena
}

// slot is the place of an element in the document.
type slot struct {
	at    int // of its first byte in the whole document
	name  []byte
	index int // in an array, else none
	value bsonraw.Value
}

func (s slot) valueAt() int { return s.at + 2 + len(s.name) }
func (s slot) end() int     { return s.valueAt() + len(s.value.Data) }

// step is one component of the path to where the walk is, for messages and for what protects _id.
type step struct {
	name  []byte
	index int // instead of the name where that is nil
}

func (s step) String() string {
	if s.name == nil {
		return strconv.Itoa(s.index)
	}
	return string(s.name)
}

// trail is the path to where the walk is.
type trail []step

// String returns the dotted path.
func (t trail) String() string {
	var b []byte
	for i, s := range t {
		if i > 0 {
			b = append(b, '.')
		}
		b = append(b, s.String()...)
	}
	return string(b)
}

// last returns the last component.
func (t trail) last() string { return t[len(t)-1].String() }

func (a *applier) reset(u *Update, in Input) {
	a.doc, a.in, a.filters.list = in.Doc, in, u.filters
	a.recorder = &u.recorder
	a.recorder.Reset()
	a.touched = 0
	a.protected = !in.Doc.Lookup(idField).IsMissing()
	a.edits.doc, a.edits.list, a.edits.made = in.Doc, a.edits.list[:0], a.edits.made[:0]
	a.slots, a.hits, a.trail, a.moved, a.values.bytes = a.slots[:0], a.hits[:0], a.trail[:0], a.moved[:0], a.values.bytes[:0]
}

// forget lets go of everything but memory.
func (a *applier) forget() {
	clear(a.edits.list[:cap(a.edits.list)])
	clear(a.slots[:cap(a.slots)])
	clear(a.hits[:cap(a.hits)])
	clear(a.trail[:cap(a.trail)])
	clear(a.moved[:cap(a.moved)])
	*a = applier{
		edits: editor{list: a.edits.list[:0], made: a.edits.made[:0]}, slots: a.slots[:0], hits: a.hits[:0], trail: a.trail[:0], moved: a.moved[:0],
		values: arena{a.values.bytes[:0]},
	}
}

// object applies a node's children to the object at a place and returns by how many bytes it grew.
func (a *applier) object(n *node, at int, doc bsonraw.Doc) (grown int, err error) {
	if n, err = a.resolved(n); err != nil {
		return 0, err
	}
	first := len(a.slots)
	a.locate(n, at, doc)
	for i, c := range n.children {
		s := a.slots[first+i]
		a.trail = append(a.trail, step{name: c.name})
		var by int
		if s.value.IsMissing() {
			by, err = a.create(c, at+len(doc)-1)
		} else {
			by, err = a.existing(c, s)
		}
		if err != nil {
			return 0, err
		}
		a.trail = a.trail[:len(a.trail)-1]
		grown += by
	}
	a.slots = a.slots[:first]
	a.edits.resize(at, doc, grown)
	return grown, nil
}

// resolved returns a node with its children in order, the positional one among them under the index that it stands for.
func (a *applier) resolved(n *node) (*node, error) {
	if n.positional == nil {
		return n.inOrder(), nil
	}
	if a.in.Position < 0 {
		return nil, mongoerr.New(mongoerr.BadValue, "The positional operator did not find the match needed from the query.")
	}
	resolved := *n.positional
	resolved.name, resolved.index = strconv.AppendInt(nil, int64(a.in.Position), 10), a.in.Position
	all := &node{kind: n.kind}
	for _, c := range n.children {
		all.insert(c)
	}
	if err := all.mergeChild(&resolved, a.trail.String()); err != nil {
		return nil, err
	}
	return all.inOrder(), nil
}

// childrenOf returns a node's children as resolved has them.
func (a *applier) childrenOf(n *node) ([]*node, error) {
	n, err := a.resolved(n)
	if err != nil {
		return nil, err
	}
	return n.children, nil
}

// locate appends a slot for each child, empty where the object has no such field.
func (a *applier) locate(n *node, at int, doc bsonraw.Doc) {
	first := len(a.slots)
	a.slots = append(a.slots, make([]slot, len(n.children))...)
	slots := a.slots[first:]
	missing := len(n.children)
	at += 4
	for it := doc.Iter(); missing > 0 && it.Next(); at += len(it.Elem()) {
		if i := n.place(it.Key()); i >= 0 && slots[i].name == nil {
			slots[i] = slot{at: at, name: it.Key(), index: none, value: it.Value()}
			missing--
		}
	}
}

// existing applies a node to a value that is there and returns by how many bytes it grew.
func (a *applier) existing(n *node, s slot) (int, error) {
	switch n.kind {
	case atLeaf:
		return a.modify(n.leaf, s)
	case throughFilters:
		if s.value.Type != bsonraw.TypeArray {
			return 0, mongoerr.New(mongoerr.BadValue, "Cannot apply array updates to non-array element %s: %s",
				a.trail.last(), s.value.Shell())
		}
		return a.filtered(n, s)
	}
	switch s.value.Type {
	case bsonraw.TypeDocument:
		a.enter(s, false)
		grown, err := a.object(n, s.valueAt(), s.value.Doc())
		a.recorder.Leave()
		return grown, err
	case bsonraw.TypeArray:
		a.enter(s, true)
		grown, err := a.indexed(n, s.valueAt(), s.value.Doc())
		a.recorder.Leave()
		return grown, err
	}
	return 0, a.blocked(n, s.value)
}

// enter tells the recorder that the walk goes into a value.
func (a *applier) enter(s slot, array bool) {
	if s.index == none {
		a.recorder.Enter(s.name, array)
	} else {
		a.recorder.EnterIndex(s.index, array)
	}
}

// recordUpdate tells the recorder that a value became another.
func (a *applier) recordUpdate(s slot, v bsonraw.Value) {
	if s.index == none {
		a.recorder.Update(s.name, v)
	} else {
		a.recorder.UpdateIndex(s.index, v)
	}
	a.recordMoved()
}

// recordMoved tells the recorder which fields are gone because they were renamed to what was just recorded.
func (a *applier) recordMoved() {
	for _, path := range a.moved {
		a.recorder.DeletePath(path)
	}
	a.moved = a.moved[:0]
}

// modify lets an operator do its work on a value that is there.
func (a *applier) modify(leaf modifier, s slot) (int, error) {
	e, err := leaf.apply(a, s.value)
	if err != nil || e.kind == keep {
		return 0, err
	}
	if err := a.allowed(e); err != nil {
		return 0, err
	}
	switch {
	case e.kind == touch:
		a.touched++
		a.recordUpdate(s, s.value)
		return 0, nil
	case e.kind == remove && s.index == none:
		a.edits.replace(s.at, s.end()-s.at, nil)
		if !e.silent {
			a.recorder.Delete(s.name)
		}
		return s.at - s.end(), nil
	case e.kind == remove:
		e.value = bsonraw.NullValue
	case e.kind == extend:
		return a.extend(s, e), nil
	}
	a.recordUpdate(s, e.value)
	return a.edits.replaceValue(s, e.value), nil
}

// extend puts elements at the end of an array.
func (a *applier) extend(s slot, e effect) int {
	start, index := len(a.edits.made), e.length
	a.enter(s, true)
	for it := e.value.Doc().Iter(); it.Next(); index++ {
		v := it.Value()
		a.edits.made = append(a.edits.made, byte(v.Type))
		a.edits.made = append(strconv.AppendInt(a.edits.made, int64(index), 10), 0)
		a.edits.made = append(a.edits.made, v.Data...)
		a.recorder.UpdateIndex(index, v)
	}
	a.recorder.Leave()
	data := a.edits.made[start:]
	a.edits.replace(s.end()-1, 0, data)
	a.edits.resize(s.valueAt(), s.value.Doc(), len(data))
	return len(data)
}

// allowed checks that the field at the trail's end may be changed.
func (a *applier) allowed(e effect) error {
	switch {
	case e.silent:
		return nil
	case a.protected && string(a.trail[0].name) == idField:
		return immutableID(a.trail.String())
	case e.kind == remove:
		return nil
	}
	return a.checkTop(e.value)
}

// checkTop refuses a value at the trail's end when its first name must not have one. In a new document it may.
func (a *applier) checkTop(v bsonraw.Value) error {
	if a.in.Insert {
		return nil
	}
	return checkTop(a.trail, v)
}

// allowedNew checks that the field at the trail's end, which has been recorded, may be created.
func (a *applier) allowedNew(v bsonraw.Value) error {
	if a.protected && string(a.trail[0].name) == idField {
		return a.extendedID()
	}
	return a.checkTop(v)
}

// extendedID is the error that an _id got a further field. Nothing else of the _id has changed by then.
func (a *applier) extendedID() error {
	if a.recorder == nil {
		return immutableID(a.trail.String())
	}
	doc, err := oplog.ApplyDiff(a.doc, a.recorder.Append(nil))
	if err != nil {
		return immutableID(a.trail.String())
	}
	owner := make([][]byte, 0, len(a.trail))
	for _, s := range a.trail[:len(a.trail)-1] {
		owner = append(owner, s.name)
	}
	v, _ := lookup(doc, owner)
	return mongoerr.New(mongoerr.ImmutableField, "Updating the path '%s' to %s would modify the immutable field '_id'",
		bytes.Join(owner, []byte{'.'}), named(owner[len(owner)-1], v))
}

// documentID shows a document's _id as messages do.
func documentID(doc bsonraw.Doc) string {
	id := doc.Lookup(idField)
	if id.IsMissing() {
		return "no id"
	}
	return named([]byte(idField), id)
}
