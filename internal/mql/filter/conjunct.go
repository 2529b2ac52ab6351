package filter

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// Predicate is a condition that an index can help with. Its promise is this: in an index on Path that holds, for each document,
// one key for every element of the arrays on the way (and at the end) of Path, null where there is nothing, and undefined for
// an empty array at the end, each document that the filter takes has at least one key in the predicate's ranges. It follows:
//
//   - A predicate never excludes a document wrongly, but it may let others through: whoever plans with it runs the filter over
//     what the index gives, unless Exact says that it need not be.
//   - Where documents have several keys, two predicates may be met by different ones. Their ranges must not be intersected
//     then, nor stand side by side in a compound index, unless the filter asks them of the same element: see SameElement.
//   - An index that leaves out documents without the field does not help where MatchesMissing is set.
//
// Paths with array positions are not among the predicates: filters and indexes read them differently.
type Predicate struct {
	Path           string
	MatchesMissing bool // a document without the field may be taken
	// Exact says that a document with a single key is taken exactly when the key is in the ranges.
	Exact bool

	ranges  []Range
	loose   []Range              // what holds whatever the order of strings; nil: the ranges, if text does not forbid it
	text    bool                 // the ranges begin or end with strings
	by      *collation.Collation // which compares them
	clause  *clause
	element []element
}

// element says that a predicate is asked of one element of an array: $elemMatch. depth is how many parts of the path lead to
// the array.
type element struct{ id, depth int }

// Ranges returns where the keys lie in an index that orders strings by a collation, in order and apart from each other; ok is
// false when such an index does not help.
func (p Predicate) Ranges(by *collation.Collation) (list []Range, ok bool) {
	if !p.text || p.by.Same(by) {
		return p.ranges, true
	}
	return p.loose, p.loose != nil
}

// Is reports whether the predicate demands one value of a path.
func (p Predicate) Is(path string, v bsonraw.Value) bool {
	return p.Path == path && p.clause.op == Eq && p.clause.value.Same(v)
}

// Says reports whether two predicates come from the same condition.
func (p Predicate) Says(other Predicate) bool { return p.clause == other.clause }

// SameElement reports whether both predicates are asked of the same element of the array that the first depth parts of their
// paths lead to.
func (p Predicate) SameElement(q Predicate, depth int) bool {
	for _, one := range p.element {
		for _, other := range q.element {
			if one == other && one.depth == depth {
				return true
			}
		}
	}
	return false
}

// Conjunction is a filter, or a branch of an $or in it, in the eyes of a planner: what must all hold for a document to be taken.
// What is in neither list gives an index no hold.
type Conjunction struct {
	Predicates   []Predicate
	Disjunctions []Disjunction

	clauses []*clause
}

// Disjunction is an $or: one of its branches must hold. They stand in MongoDB's order.
type Disjunction []*Conjunction

// Conjunction returns the filter's conjunction, with $and, $all and $elemMatch opened.
func (f *Filter) Conjunction() *Conjunction {
	var r planReader
	return r.conjunction(f.clause)
}

// Within returns a branch together with what holds whatever the branch.
func (c *Conjunction) Within(outer *Conjunction) *Conjunction {
	return &Conjunction{
		Predicates:   slices.Concat(c.Predicates, outer.Predicates),
		Disjunctions: c.Disjunctions,
		clauses:      slices.Concat(c.clauses, outer.clauses),
	}
}

// planReader reads clauses for planners. It numbers the $elemMatch that it meets.
type planReader struct{ elements int }

func (r *planReader) conjunction(c *clause) *Conjunction {
	out := &Conjunction{clauses: []*clause{c}}
	if c.op == opAnd {
		out.clauses = c.children
	}
	for _, one := range out.clauses {
		if one.op != opOr {
			out.Predicates = r.predicates(out.Predicates, place{}, one)
			continue
		}
		var or Disjunction
		for _, branch := range inOrder(one.children) {
			or = append(or, r.conjunction(branch))
		}
		out.Disjunctions = append(out.Disjunctions, or)
	}
	return out
}

// place is where in a document a clause applies: in it, or in the elements of arrays in it.
type place struct {
	path    string // of the array, with a dot behind; empty for the document itself
	element []element
}

func (r *planReader) predicates(dst []Predicate, at place, c *clause) []Predicate {
	switch c.op {
	case opAnd:
		for _, child := range c.children {
			dst = r.predicates(dst, at, child)
		}
		return dst
	case opExpr:
		return appendEqualities(dst, c)
	case opElemMatchObject:
		if c.path.HasIndex() {
			return dst
		}
		return r.predicates(dst, r.enter(at, c.path), c.children[0])
	case opElemMatchValue:
		return r.elementPredicates(dst, at, c)
	case opNot:
		if c.children[0].op == opOr { // $nor: none of them
			for _, child := range c.children[0].children {
				dst = appendPredicate(dst, at, child.path, negation(child))
			}
			return dst
		}
		return appendPredicate(dst, at, c.children[0].path, c)
	}
	return appendPredicate(dst, at, c.path, c)
}

// enter is the place in the elements of an array.
func (r *planReader) enter(at place, path bsonraw.Path) place {
	r.elements++
	one := element{r.elements, strings.Count(at.path, ".") + path.Len()}
	return place{path: at.path + path.String() + ".", element: append(slices.Clip(at.element), one)}
}

// elementPredicates opens $elemMatch with operators. A further $elemMatch in it is about arrays in arrays, which have no
// keys of their own.
func (r *planReader) elementPredicates(dst []Predicate, at place, c *clause) []Predicate {
	inner := []*clause{c.children[0]}
	if inner[0].op == opAnd {
		inner = inner[0].children
	}
	in := r.enter(at, c.path)
	in.path = at.path
	for _, one := range inner {
		n := len(dst)
		dst = appendPredicate(dst, in, c.path, one)
		if len(dst) > n {
			dst[n].Exact = false // there must be an array, which its only key does not tell
		}
	}
	return dst
}

func appendPredicate(dst []Predicate, at place, path bsonraw.Path, c *clause) []Predicate {
	if path.HasIndex() || path.Len() == 0 {
		return dst
	}
	p, ok := newPredicate(c)
	if !ok {
		return dst
	}
	p.Path, p.element = at.path+path.String(), at.element
	if c.op == opNot && strings.Contains(p.Path, ".") {
		// An array without elements on the way has no value at all, and the key null: what is demanded of no value holds.
		if holdsNull(c.children[0]) {
			return dst
		}
		p.MatchesMissing, p.Exact = true, false
	}
	return append(dst, p)
}

// appendEqualities appends what $expr asks of fields. A document with an array on the way, or at the end, has no value that is equal to
// anything but an array, which is not asked for; every other document has the value as its only key.
func appendEqualities(dst []Predicate, c *clause) []Predicate {
	for _, e := range c.run.(*exprNode).expression.Equalities() {
		path := bsonraw.NewPath(strings.Join(e.Path, "."))
		if path.HasIndex() {
			continue
		}
		p := Predicate{Path: path.String(), clause: c, by: c.by, text: collation.HoldsText(e.Value)}
		p.ranges = []Range{pointRange(e.Value)}
		dst = append(dst, p)
	}
	return dst
}

// newPredicate makes what a clause asks of the values that its path leads to.
func newPredicate(c *clause) (p Predicate, ok bool) {
	p = Predicate{clause: c, by: c.by}
	if c.op == opNot {
		return p.negate(c.children[0])
	}
	if c.test == nil || !p.read(c) {
		return p, false
	}
	p.MatchesMissing = c.test.holds(bsonraw.Value{})
	return p, true
}

// negate makes the predicate of a negation. No key of a document that it takes is one that its clause holds for.
func (p *Predicate) negate(c *clause) (_ Predicate, ok bool) {
	p.by = c.by
	switch c.op {
	case Exists:
		p.ranges, p.MatchesMissing = []Range{pointRange(bsonraw.NullValue)}, true
		return *p, true
	case Eq, In, Lt, Lte, Gt, Gte:
	default:
		return *p, false
	}
	if len(c.patterns) > 0 || !provedByKeys(c.value) || slices.ContainsFunc(c.values, func(v bsonraw.Value) bool { return !provedByKeys(v) }) {
		return *p, false
	}
	of := Predicate{by: c.by}
	of.read(c)
	if p.Exact = !holdsNull(c); !p.Exact {
		of.ranges = without(of.ranges, bsonraw.TypeUndefined) // the key of an empty array, which is not null
	}
	p.ranges, p.text = complement(of.ranges), of.text
	p.MatchesMissing = !c.test.holds(bsonraw.Value{})
	return *p, true
}

// provedByKeys reports whether a document with a key that compares with v has a value that does.
func provedByKeys(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeArray && v.Type != bsonraw.TypeMinKey && v.Type != bsonraw.TypeMaxKey
}
