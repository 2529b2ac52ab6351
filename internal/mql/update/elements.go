package update

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// indexed applies a node's children to the elements of an array that they name, and returns by how many bytes it grew.
func (a *applier) indexed(n *node, at int, array bsonraw.Doc) (grown int, err error) {
	children, err := a.childrenOf(n)
	if err != nil {
		return 0, err
	}
	if children, err = sortByIndex(children, a.trail); err != nil {
		return 0, err
	}
	first := len(a.slots)
	length := a.locateElements(children, at, array)
	for i, c := range children {
		s := a.slots[first+i]
		a.trail = append(a.trail, step{name: c.name})
		var by int
		switch {
		case c.index == none:
			err = a.blockedBelow(c, len(a.trail)-1, bsonraw.Value{Type: bsonraw.TypeArray, Data: array})
		case s.value.IsMissing():
			by, length, err = a.createElement(c, at+len(array)-1, length)
		default:
			by, err = a.existing(c, s)
		}
		if err != nil {
			return 0, err
		}
		a.trail = a.trail[:len(a.trail)-1]
		grown += by
	}
	a.slots = a.slots[:first]
	a.edits.resize(at, array, grown)
	return grown, nil
}

// locateElements appends a slot for each child, empty where the array is shorter, and returns the array's length. The indexes
// of those children that have one are ascending.
func (a *applier) locateElements(children []*node, at int, array bsonraw.Doc) (length int) {
	next := 0
	at += 4
	for it := array.Iter(); it.Next(); length++ {
		for next < len(children) && children[next].index == none {
			a.slots = append(a.slots, slot{})
			next++
		}
		if next < len(children) && children[next].index == length {
			a.slots = append(a.slots, slot{at: at, name: it.Key(), index: length, value: it.Value()})
			next++
		}
		at += len(it.Elem())
	}
	for range children[next:] {
		a.slots = append(a.slots, slot{})
	}
	return length
}

// sortByIndex returns children in the order of their indexes; those without one stay among them where they can. One element
// may have several names, with leading zeros; then what they do must not meet.
func sortByIndex(children []*node, at trail) ([]*node, error) {
	highest, ascending := none, true
	for _, c := range children {
		if c.index != none {
			ascending = ascending && c.index > highest
			highest = c.index
		}
	}
	if ascending {
		return children, nil
	}
	var out []*node
	for _, c := range children {
		place, found := slices.BinarySearchFunc(out, c.index, func(d *node, index int) int { return d.index - index })
		if !found || c.index == none {
			out = slices.Insert(out, place, c)
			continue
		}
		both, err := merge(out[place], c, at.String()+"."+string(c.name))
		if err != nil {
			return nil, err
		}
		out[place] = both
	}
	return out, nil
}

// hit is an element of an array that array filters chose, and what is to be done to it: several nodes where several did.
type hit struct {
	slot
	node *node
	more []*node
}

// filtered applies a node's children to those elements of an array that their filters choose, and returns by how many bytes
// it grew. One element that was chosen is recorded by what happens in it; of several, one that changed is recorded whole, and
// more than one as the whole array.
func (a *applier) filtered(n *node, s slot) (grown int, err error) {
	array, at, first := s.value.Doc(), s.valueAt(), len(a.hits)
	if err := a.choose(n, array, at); err != nil {
		return 0, err
	}
	last := len(a.hits)
	recorder := a.recorder
	if last-first > 1 {
		a.recorder = nil
	}
	mark, changed := len(a.edits.list), 0
	var single slot
	a.enter(s, true)
	for i := first; i < last; i++ {
		h := a.hits[i]
		before := len(a.edits.list) + a.touched
		a.trail = append(a.trail, step{index: h.index})
		for _, n := range h.more {
			if h.node, err = merge(h.node, n, a.trail.String()); err != nil {
				return 0, err
			}
		}
		by, err := a.existing(h.node, h.slot)
		if err != nil {
			return 0, err
		}
		a.trail = a.trail[:len(a.trail)-1]
		grown += by
		if len(a.edits.list)+a.touched > before {
			changed++
			single = h.slot
		}
	}
	a.recorder.Leave()
	a.hits = a.hits[:first]
	a.recorder = recorder
	if recorder == nil || last-first == 1 {
		a.edits.resize(at, array, grown)
		return grown, nil
	}
	if changed == 1 {
		a.enter(s, true)
		a.recordUpdate(single, a.edits.collapse(mark, single))
		a.recorder.Leave()
	}
	a.edits.resize(at, array, grown)
	if changed > 1 {
		a.recordUpdate(s, a.edits.collapse(mark, s))
	}
	return grown, nil
}

// choose appends a hit for each element that filters of a node choose.
func (a *applier) choose(n *node, array bsonraw.Doc, at int) error {
	at += 4
	index := 0
	for it := array.Iter(); it.Next(); index++ {
		h := hit{slot: slot{at, it.Key(), index, it.Value()}}
		for _, c := range n.inOrder().children {
			ok, err := a.filters.choose(c.name, it.Value())
			if err != nil {
				return err
			}
			switch {
			case !ok:
			case h.node == nil:
				h.node = c
			default:
				h.more = append(h.more, c)
			}
		}
		if h.node != nil {
			a.hits = append(a.hits, h)
		}
		at += len(it.Elem())
	}
	return nil
}
