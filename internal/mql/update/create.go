package update

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// maxPadding is how many nulls are put before a new element of an array at most.
const maxPadding = 1_500_000

// create makes the field at the trail's end, if its operators want it, at the end of an object that ends at a place.
func (a *applier) create(n *node, end int) (int, error) {
	start := len(a.edits.made)
	out, created, err := a.appendCreated(a.edits.made, n, n.name)
	if err != nil || !created {
		return 0, err
	}
	a.edits.made = out
	elem := out[start:]
	a.recorder.Insert(n.name, valueOf(elem, n.name))
	a.recordMoved()
	if err := a.allowedNew(valueOf(elem, n.name)); err != nil {
		return 0, err
	}
	a.edits.replace(end, 0, elem)
	return len(elem), nil
}

// valueOf returns the value of an element's bytes.
func valueOf(elem, name []byte) bsonraw.Value {
	return bsonraw.Value{Type: bsonraw.Type(elem[0]), Data: elem[2+len(name):]}
}

// appendCreated appends an element with what a node's operators make where nothing is.
func (a *applier) appendCreated(dst []byte, n *node, name []byte) (out []byte, created bool, err error) {
	switch n.kind {
	case throughFilters:
		return nil, false, noArrayError(a.trail)
	case atLeaf:
		e, err := n.leaf.apply(a, bsonraw.Value{})
		if err != nil || e.kind != assign {
			return dst, false, err
		}
		return bsonraw.AppendValue(dst, name, e.value), true, nil
	}
	children, err := a.childrenOf(n)
	if err != nil {
		return nil, false, err
	}
	start := len(dst)
	dst = bsonraw.AppendHeader(dst, bsonraw.TypeDocument, name)
	dst, at := bsonraw.BeginDoc(dst)
	for _, c := range children {
		a.trail = append(a.trail, step{name: c.name})
		var made bool
		if dst, made, err = a.appendCreated(dst, c, c.name); err != nil {
			return nil, false, err
		}
		created = created || made
		a.trail = a.trail[:len(a.trail)-1]
	}
	if !created {
		return dst[:start], false, nil
	}
	return bsonraw.EndDoc(dst, at), true, nil
}

func noArrayError(t trail) error {
	return mongoerr.New(mongoerr.BadValue, "The path '%s' must exist in the document in order to apply array updates.", t)
}

// createElement makes an element of an array that ends at a place and has had elements up to length. It returns by how many
// bytes the array grows, and how many elements it has then.
func (a *applier) createElement(n *node, end, length int) (grown, newLength int, err error) {
	start := len(a.edits.made)
	out, created, err := a.appendCreated(a.edits.made, n, n.name)
	if err != nil || !created {
		return 0, length, err
	}
	v := valueOf(out[start:], n.name)
	a.recorder.UpdateIndex(n.index, v)
	if err := a.allowedNew(v); err != nil {
		return 0, 0, err
	}
	if n.index-length > maxPadding {
		return 0, 0, mongoerr.New(cannotBackfillArray, "can't backfill more than %d elements", maxPadding)
	}
	// The name may have leading zeros, which the new element's has not: its header is written anew, after the padding.
	a.edits.made = out
	start = len(a.edits.made)
	for i := length; i < n.index; i++ {
		a.edits.made = append(a.edits.made, byte(bsonraw.TypeNull))
		a.edits.made = append(strconv.AppendInt(a.edits.made, int64(i), 10), 0)
	}
	a.edits.made = append(a.edits.made, byte(v.Type))
	a.edits.made = append(strconv.AppendInt(a.edits.made, int64(n.index), 10), 0)
	header := a.edits.made[start:]
	a.edits.replace(end, 0, header)
	a.edits.replace(end, 0, v.Data)
	return len(header) + len(v.Data), n.index + 1, nil
}

// blocked is what comes of a node's operators where a value is neither object nor array, or an array without such a field:
// the error of the first that minds.
func (a *applier) blocked(n *node, value bsonraw.Value) error {
	children, err := a.childrenOf(n)
	if err != nil {
		return err
	}
	depth := len(a.trail)
	for _, c := range children {
		a.trail = append(a.trail[:depth], step{name: c.name})
		if err := a.blockedBelow(c, depth, value); err != nil {
			return err
		}
	}
	a.trail = a.trail[:depth]
	return nil
}

// blockedBelow goes on to the operators below the component that cannot be had, which stands in the trail at a depth.
func (a *applier) blockedBelow(n *node, depth int, value bsonraw.Value) error {
	switch n.kind {
	case throughFilters:
		return noArrayError(a.trail)
	case atLeaf:
		part, owner := a.trail[depth], a.trail[depth-1]
		policy, err := n.leaf.whenBlocked(a)
		if err != nil {
			return err
		}
		switch policy {
		case failCreating:
			return mongoerr.New(mongoerr.PathNotViable, "Cannot create field '%s' in element {%s: %s}", part, owner, value.Shell())
		case failTraversing:
			return mongoerr.New(mongoerr.PathNotViable, "Cannot use the part (%s) of (%s) to traverse the element ({%s: %s})",
				part, a.trail, owner, value.Shell())
		}
		return nil
	}
	children, err := a.childrenOf(n)
	if err != nil {
		return err
	}
	for _, c := range children {
		a.trail = append(a.trail, step{name: c.name})
		if err := a.blockedBelow(c, depth, value); err != nil {
			return err
		}
		a.trail = a.trail[:len(a.trail)-1]
	}
	return nil
}
