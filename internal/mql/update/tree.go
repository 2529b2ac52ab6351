package update

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// node is one place that paths of the update lead to or through.
type node struct {
	kind       nodeKind
	name       []byte  // the field or index, or the identifier of an array filter, under which its parent has it
	index      int     // name as an index, or none
	children   []*node // in the order in which they are applied, once inOrder was called
	positional *node   // the child under $, whose name is known when it is applied
	leaf       modifier
	places     map[string]int // of the children, where they are many
	unsorted   bool
}

// manyChildren is where looking names up one by one becomes slower than a map.
const manyChildren = 16

type nodeKind uint8

const (
	throughFields  nodeKind = iota // an object, or an array whose elements are named by index
	throughFilters                 // an array whose elements are chosen by $[] and $[identifier]
	atLeaf                         // where an operator does its work
)

// kindAt tells what the node of a path's component is, which depends on the component after it.
func kindAt(parts [][]byte, i int) nodeKind {
	switch {
	case i == len(parts)-1:
		return atLeaf
	case isFilterPart(parts[i+1]):
		return throughFilters
	}
	return throughFields
}

// forget makes the node as new, but for memory.
func (n *node) forget() {
	clear(n.children)
	*n = node{children: n.children[:0]}
}

// add puts an operator at the end of a path. Two operators must not meet, nor one stand above another.
func (u *Update) add(parts [][]byte, leaf modifier) error {
	n := u.tree
	for i, part := range parts {
		kind := kindAt(parts, i)
		next := n.child(part)
		if next == nil {
			next = u.newNode(kind)
			n.put(part, next)
		} else if next.kind != kind || kind == atLeaf {
			return mongoerr.New(mongoerr.ConflictingUpdateOperators, "Updating the path '%s' would create a conflict at '%s'",
				bytes.Join(parts, []byte{'.'}), bytes.Join(parts[:i+1], []byte{'.'}))
		}
		n = next
	}
	n.leaf = leaf
	return nil
}

// child returns the node under a component, or nil.
func (n *node) child(part []byte) *node {
	if n.kind == throughFields && string(part) == positionalPart {
		return n.positional
	}
	if n.kind == throughFilters {
		part = identifier(part)
	}
	return n.named(part)
}

func (n *node) named(name []byte) *node {
	if i := n.place(name); i >= 0 {
		return n.children[i]
	}
	return nil
}

// place returns where the child of a name is among the children, or a negative number.
func (n *node) place(name []byte) int {
	if n.places != nil {
		if i, ok := n.places[string(name)]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(n.children, func(c *node) bool { return bytes.Equal(c.name, name) })
}

func (n *node) put(part []byte, c *node) {
	c.name, c.index = part, none
	switch {
	case n.kind == throughFilters:
		c.name = identifier(part)
	case string(part) == positionalPart:
		n.positional = c
		return
	default:
		c.index = parseIndex(part)
	}
	n.insert(c)
}

// insert adds a child: where its name belongs, or at the end where the children are many and will be sorted.
func (n *node) insert(c *node) {
	if n.places != nil {
		n.unsorted = n.unsorted || compareParts(n.children[len(n.children)-1].name, c.name) > 0
		n.places[string(c.name)] = len(n.children)
		n.children = append(n.children, c)
		return
	}
	at, _ := slices.BinarySearchFunc(n.children, c.name, func(d *node, name []byte) int { return compareParts(d.name, name) })
	n.children = slices.Insert(n.children, at, c)
	if len(n.children) > manyChildren {
		n.number()
	}
}

func (n *node) number() {
	n.places = make(map[string]int, 2*len(n.children))
	for i, c := range n.children {
		n.places[string(c.name)] = i
	}
}

// inOrder returns the node with its children in the order in which they are applied.
func (n *node) inOrder() *node {
	if n.unsorted {
		slices.SortStableFunc(n.children, func(c, d *node) int { return compareParts(c.name, d.name) })
		n.number()
		n.unsorted = false
	}
	return n
}

// identifier returns what stands in $[identifier].
func identifier(part []byte) []byte { return part[2 : len(part)-1] }

// merge makes a node that does what both do. at is the path to them, for the error that they conflict.
func merge(a, b *node, at string) (*node, error) {
	if a.kind != b.kind || a.kind == atLeaf {
		return nil, mongoerr.New(mongoerr.ConflictingUpdateOperators, "Update created a conflict at '%s'", at)
	}
	out := &node{kind: a.kind, name: a.name, index: a.index, positional: a.positional}
	for _, c := range a.children {
		out.insert(c)
	}
	if out.positional == nil {
		out.positional = b.positional
	} else if b.positional != nil {
		var err error
		if out.positional, err = merge(a.positional, b.positional, at+".$"); err != nil {
			return nil, err
		}
	}
	for _, c := range b.children {
		if err := out.mergeChild(c, at); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// mergeChild adds a child, together with the one of its name that is there.
func (n *node) mergeChild(c *node, at string) error {
	if i := n.place(c.name); i >= 0 {
		d := n.children[i]
		both, err := merge(d, c, at+"."+string(c.name))
		if err != nil {
			return err
		}
		n.children[i] = both
		return nil
	}
	n.insert(c)
	return nil
}
