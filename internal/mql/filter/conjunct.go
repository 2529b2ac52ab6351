package filter

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// Predicate is a condition that an index can help with. Its promise is this: in an index on Path that holds, for each document,
// one key for every element of the arrays on the way (and at the end) of Path, null where there is nothing, and undefined for
// an empty array at the end, each document that the filter takes has at least one key that satisfies the predicate. It follows:
//
//   - A predicate never excludes a document wrongly, but it may let others through: whoever plans with it runs the filter over
//     what the index gives.
//   - Where some document has several keys (a multikey index), two predicates on one path may be met by different keys. Their
//     ranges must not be intersected then; one of them is to be chosen. Without such documents they may.
//   - The same holds for predicates on two fields of a compound index that lead through one array.
//   - Eq with null, and In with null among the values, are met by keys null and undefined both, and by documents that have no
//     such field: an index that leaves those out does not help. See MatchesMissing.
//   - Ranges lie within the class of Value (numbers of all types are one class), NaN excluded. Value is never null, MinKey,
//     MaxKey, NaN, undefined or an array in a range, and never an array or undefined otherwise.
//   - Exists has no Value; each key will do. It tells that an index that leaves out documents without the field has all
//     documents that matter.
//
// Comparisons with strings under a collation are not among the predicates: indexes order strings by their bytes. Nor are
// paths with array positions: filters and indexes read them differently.
type Predicate struct {
	Path   string
	Op     Op              // Eq, In, Lt, Lte, Gt, Gte or Exists
	Value  bsonraw.Value   // of Eq, Lt, Lte, Gt and Gte
	Values []bsonraw.Value // of In: one or more, in order, without duplicates
}

// MatchesMissing reports whether a document without the field satisfies the predicate.
func (p Predicate) MatchesMissing() bool {
	switch p.Op {
	case Eq:
		return p.Value.Type == bsonraw.TypeNull
	case In:
		for _, v := range p.Values {
			if v.Type == bsonraw.TypeNull {
				return true
			}
		}
	}
	return false
}

// Conjuncts returns the predicates that every document must satisfy for the filter to take it, in no special order. They come
// from the filter's conjunction, with $and, $all and $elemMatch opened; $or, $nor, $not, $ne and the like give none.
func (f *Filter) Conjuncts() []Predicate {
	return appendPredicates(nil, "", f.clause)
}

func appendPredicates(dst []Predicate, prefix string, c *clause) []Predicate {
	switch c.op {
	case opAnd:
		for _, child := range c.children {
			dst = appendPredicates(dst, prefix, child)
		}
		return dst
	case opElemMatchObject:
		if c.path.HasIndex() {
			return dst
		}
		return appendPredicates(dst, prefix+c.path.String()+".", c.children[0])
	case opElemMatchValue:
		return appendElementPredicates(dst, prefix, c)
	}
	return c.appendPredicate(dst, prefix, c.path)
}

// appendElementPredicates opens $elemMatch with operators. A further $elemMatch in it is about arrays in arrays, which have no
// keys of their own.
func appendElementPredicates(dst []Predicate, prefix string, c *clause) []Predicate {
	inner := []*clause{c.children[0]}
	if inner[0].op == opAnd {
		inner = inner[0].children
	}
	for _, one := range inner {
		dst = one.appendPredicate(dst, prefix, c.path)
	}
	return dst
}

func (c *clause) appendPredicate(dst []Predicate, prefix string, path bsonraw.Path) []Predicate {
	p, ok := c.predicate()
	if !ok || path.HasIndex() {
		return dst
	}
	p.Path = prefix + path.String()
	return append(dst, p)
}

func (c *clause) predicate() (p Predicate, ok bool) {
	if slices.ContainsFunc(c.values, c.by.Matters) || c.by.Matters(c.value) {
		return p, false
	}
	switch c.op {
	case Eq:
		return Predicate{Op: Eq, Value: c.value}, c.value.Type != bsonraw.TypeArray
	case Lt, Lte, Gt, Gte:
		return c.rangePredicate()
	case Exists:
		return Predicate{Op: Exists}, true
	case In:
		for _, v := range c.values {
			if v.Type == bsonraw.TypeArray {
				return p, false
			}
		}
		return Predicate{Op: In, Values: c.values}, len(c.values) > 0
	}
	return p, false
}

func (c *clause) rangePredicate() (p Predicate, ok bool) {
	switch t := c.value.Type; {
	case t == bsonraw.TypeMinKey, t == bsonraw.TypeMaxKey, t == bsonraw.TypeArray:
		return p, false
	case t == bsonraw.TypeNull, argument.IsNaN(c.value):
		// At most or at least null means null, and NaN likewise; below and above them is nothing.
		return Predicate{Op: Eq, Value: c.value}, c.op == Lte || c.op == Gte
	}
	return Predicate{Op: c.op, Value: c.value}, true
}
