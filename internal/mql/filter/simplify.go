package filter

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// simplify brings a clause into the form that plans and nodes are made of: conjunctions and disjunctions without others inside
// them and with two children at least, constants alone or at the top of $elemMatch, no $nor. It keeps the meaning, the positions
// that are reported, and the equalities that MongoDB sees: an empty $in, for one, must not swallow what stands beside it.
func simplify(c *clause) *clause {
	switch c.op {
	case opAnd:
		return simplifyList(opAnd, opTrue, opFalse, c.children)
	case opOr:
		return simplifyList(opOr, opFalse, opTrue, c.children)
	case opNor:
		return simplifyNot(simplifyList(opOr, opFalse, opTrue, c.children))
	case opNot:
		return simplifyNot(simplify(c.children[0]))
	case opElemMatchObject, opElemMatchValue:
		out := *c
		out.children = []*clause{simplify(c.children[0])}
		return &out
	}
	return c
}

func simplifyNot(c *clause) *clause {
	switch c.op {
	case opTrue:
		return &clause{op: opFalse}
	case opFalse:
		return &clause{op: opTrue}
	}
	return &clause{op: opNot, path: c.path, children: []*clause{c}}
}

// simplifyList joins the children of a conjunction or disjunction. neutral is the constant that changes nothing, final the one
// that decides.
func simplifyList(op, neutral, final Op, children []*clause) *clause {
	out := &clause{op: op}
	for _, child := range children {
		child = simplify(child)
		switch child.op {
		case neutral:
		case final:
			return child
		case op:
			out.children = append(out.children, child.children...)
		default:
			out.children = append(out.children, child)
		}
	}
	if op == opOr {
		out.children = mergeEqualities(out.children)
	}
	switch len(out.children) {
	case 0:
		return &clause{op: neutral}
	case 1:
		return out.children[0]
	}
	return out
}

// mergeEqualities joins members of a disjunction that ask the same field for a value or a pattern into one $in.
func mergeEqualities(list []*clause) []*clause {
	byPath := map[string][]*clause{}
	for _, c := range list {
		if c.isMergeable() {
			byPath[c.path.String()] = append(byPath[c.path.String()], c)
		}
	}
	out := make([]*clause, 0, len(list))
	for _, c := range list {
		same := byPath[c.path.String()]
		switch {
		case !c.isMergeable() || len(same) == 1:
			out = append(out, c)
		case same[0] == c:
			out = append(out, mergeIntoIn(same))
		}
	}
	return out
}

func (c *clause) isMergeable() bool {
	return c.op == opRegex || c.op == Eq && c.value.Type != bsonraw.TypeRegex
}

func mergeIntoIn(list []*clause) *clause {
	var values []bsonraw.Value
	var patterns []*clause
	var by *collation.Collation
	for _, c := range list {
		if c.op == Eq {
			values, by = append(values, c.value), c.by
		} else {
			patterns = append(patterns, c)
		}
	}
	return newIn(list[0].path, values, patterns, by)
}
