package filter

import (
	"math/bits"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// noPosition says that a match did not go through an array.
const noPosition = -1

// node is a part of a filter that runs. v is the document, or the value that the part is about. at is the position in the
// array that the match went through, or noPosition. ctx is for $expr; it may be nil.
type node interface {
	match(ctx *expression.Context, v bsonraw.Value) (ok bool, at int, err error)
}

type constantNode bool

func (n constantNode) match(*expression.Context, bsonraw.Value) (bool, int, error) {
	return bool(n), noPosition, nil
}

// fieldNode runs a node on one field of a document.
type fieldNode struct {
	name string
	node node
}

func (n *fieldNode) match(ctx *expression.Context, v bsonraw.Value) (bool, int, error) {
	return n.node.match(ctx, v.Doc().Lookup(n.name))
}

// testNode tests a value as it is.
type testNode struct{ test test }

func (n testNode) match(_ *expression.Context, v bsonraw.Value) (bool, int, error) {
	return n.test.holds(v), noPosition, nil
}

// spreadNode tests a value at the end of its path: for an array its elements, then itself.
type spreadNode struct{ test test }

func (n spreadNode) match(_ *expression.Context, v bsonraw.Value) (bool, int, error) {
	if v.Type == bsonraw.TypeArray {
		at := 0
		for it := v.Doc().Iter(); it.Next(); at++ {
			if n.test.holds(it.Value()) {
				return true, at, nil
			}
		}
	}
	return n.test.holds(v), noPosition, nil
}

// walkNode tests what the rest of a path leads to.
type walkNode struct {
	rest bsonraw.Path
	leaf bsonraw.Leaf
	test test
}

func (n *walkNode) match(_ *expression.Context, v bsonraw.Value) (ok bool, at int, err error) {
	at = noPosition
	n.rest.WalkValue(v, n.leaf, func(v bsonraw.Value, position int) bool {
		if n.test.holds(v) {
			ok, at = true, position
			return false
		}
		return true
	})
	return ok, at, nil
}

// elemNode is $elemMatch: some element of an array that the rest of the path leads to satisfies the node.
type elemNode struct {
	rest bsonraw.Path
	elem elemTest
}

func (n *elemNode) match(_ *expression.Context, v bsonraw.Value) (ok bool, at int, err error) {
	at = noPosition
	n.rest.WalkValue(v, bsonraw.LeafWhole, func(v bsonraw.Value, position int) bool {
		i := n.elem.find(v)
		if i < 0 {
			return true
		}
		if ok, at = true, position; at < 0 {
			at = i
		}
		return false
	})
	return ok, at, nil
}

// elemTest finds an element of an array that satisfies a node. Nothing inside of $elemMatch gives errors: $expr is not allowed
// there.
type elemTest struct {
	node node
	docs bool // only documents, and arrays taken for documents, come into question
}

func (x elemTest) holds(v bsonraw.Value) bool { return x.find(v) >= 0 }

func (x elemTest) find(v bsonraw.Value) int {
	if v.Type != bsonraw.TypeArray {
		return -1
	}
	i := 0
	for it := v.Doc().Iter(); it.Next(); i++ {
		if x.takes(it.Value()) {
			return i
		}
	}
	return -1
}

func (x elemTest) takes(v bsonraw.Value) bool {
	if x.docs && v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray {
		return false
	}
	ok, _, err := x.node.match(nil, v)
	return ok && err == nil
}

type andNode []node

func (n andNode) match(ctx *expression.Context, v bsonraw.Value) (bool, int, error) {
	at := noPosition
	for _, child := range n {
		ok, i, err := child.match(ctx, v)
		if !ok || err != nil {
			return false, noPosition, err
		}
		if i >= 0 {
			at = i
		}
	}
	return true, at, nil
}

type orNode []node

func (n orNode) match(ctx *expression.Context, v bsonraw.Value) (bool, int, error) {
	for _, child := range n {
		if ok, _, err := child.match(ctx, v); ok || err != nil {
			return ok, noPosition, err
		}
	}
	return false, noPosition, nil
}

// notNode holds where its node does not.
type notNode struct{ node node }

func (n notNode) match(ctx *expression.Context, v bsonraw.Value) (bool, int, error) {
	ok, _, err := n.node.match(ctx, v)
	return !ok && err == nil, noPosition, err
}

// fieldsNode is a conjunction of conditions on different fields of one document, met in one walk over the document.
type fieldsNode struct {
	names bsonraw.Names
	nodes []node // by name
}

func (n *fieldsNode) match(ctx *expression.Context, v bsonraw.Value) (ok bool, at int, err error) {
	missing, finished := n.names.Visit(v.Doc(), func(i int, v bsonraw.Value) bool {
		ok, _, err = n.nodes[i].match(ctx, v)
		return ok && err == nil
	})
	if !finished {
		return false, noPosition, err
	}
	for ; missing != 0; missing &= missing - 1 {
		ok, _, err := n.nodes[bits.TrailingZeros64(missing)].match(ctx, bsonraw.Value{})
		if !ok || err != nil {
			return false, noPosition, err
		}
	}
	return true, noPosition, nil
}
