package filter

import (
	"cmp"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// start is what a node runs on.
type start uint8

const (
	atDocument start = iota // a document, in which paths begin
	atField                 // the value that the first part of all paths leads to
	atElement               // a value that is tested as it is: paths have been walked, and arrays are not spread
)

// build makes the node for a clause.
func build(c *clause, at start) node {
	if at == atDocument {
		if name, ok := root(c); ok {
			return &fieldNode{name: name, node: build(c, atField)}
		}
	}
	switch c.op {
	case opTrue, opFalse:
		return constantNode(c.op == opTrue)
	case opAnd:
		if at == atDocument {
			return buildFields(c.children)
		}
		return andNode(buildAll(c.children, at))
	case opOr:
		return orNode(buildAll(c.children, at))
	case opNot:
		return notNode{build(c.children[0], at)}
	case opExpr, opSample, opSchema:
		return c.run
	case opElemMatchObject, opElemMatchValue:
		return buildElemMatch(c, at)
	}
	return buildTest(c.path, c.leaf(), c.test, at)
}

func buildAll(list []*clause, at start) []node {
	nodes := make([]node, 0, len(list))
	for _, c := range list {
		nodes = append(nodes, build(c, at))
	}
	return nodes
}

func buildTest(path bsonraw.Path, leaf bsonraw.Leaf, t test, at start) node {
	switch rest := path.From(1); {
	case at == atElement, rest.Len() == 0 && leaf == bsonraw.LeafWhole:
		return testNode{t}
	case rest.Len() == 0:
		return spreadNode{t}
	default:
		return &walkNode{rest: rest, leaf: leaf, test: t}
	}
}

func buildElemMatch(c *clause, at start) node {
	elem := newElemTest(c)
	if at == atElement {
		return testNode{elem}
	}
	return &elemNode{rest: c.path.From(1), elem: elem}
}

func newElemTest(c *clause) elemTest {
	if c.op == opElemMatchObject {
		return elemTest{node: build(c.children[0], atDocument), docs: true}
	}
	return elemTest{node: build(c.children[0], atElement)}
}

// root returns the name of the one field that a clause is about; ok is false when there is none or more than one.
func root(c *clause) (name string, ok bool) {
	switch c.op {
	case opAnd, opOr, opNot:
		for i, child := range c.children {
			n, ok := root(child)
			if !ok || i > 0 && n != name {
				return "", false
			}
			name = n
		}
		return name, len(c.children) > 0
	}
	if c.path.Len() == 0 {
		return "", false
	}
	return c.path.Part(0).Name, true
}

// buildFields makes a conjunction on a document: the conditions on fields first, which one walk decides, then what needs more.
func buildFields(list []*clause) node {
	var names []string
	byName := map[string][]*clause{}
	var rest []node
	for _, c := range list {
		name, ok := root(c)
		if !ok {
			rest = append(rest, build(c, atDocument))
			continue
		}
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], c)
	}
	var all andNode
	for group := range slices.Chunk(names, bsonraw.MaxNames) {
		nodes := make([]node, 0, len(group))
		for _, name := range group {
			nodes = append(nodes, buildConjunction(byName[name]))
		}
		if len(group) == 1 {
			all = append(all, &fieldNode{name: group[0], node: nodes[0]})
		} else {
			all = append(all, &fieldsNode{names: bsonraw.NewNames(group), nodes: nodes})
		}
	}
	all = append(all, rest...)
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// buildConjunction makes the node for conditions on one field.
func buildConjunction(list []*clause) node {
	nodes := buildAll(list, atField)
	if len(nodes) == 1 {
		return nodes[0]
	}
	return andNode(nodes)
}

// buildWritten makes a node whose conjuncts run in the order in which they were written.
func buildWritten(c *clause) node {
	if c.op != opAnd {
		return build(c, atDocument)
	}
	return andNode(buildAll(c.children, atDocument))
}

// buildOrdered makes a node whose conjuncts run in MongoDB's order, so that the position is that of the last of them.
func buildOrdered(c *clause) node {
	if c.op != opAnd {
		return build(c, atDocument)
	}
	sorted := slices.Clone(c.children)
	slices.SortStableFunc(sorted, func(a, b *clause) int {
		return cmp.Or(cmp.Compare(a.op, b.op), cmp.Compare(a.path.String(), b.path.String()))
	})
	return andNode(buildAll(sorted, atDocument))
}
