package filter

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// Implies reports whether every document that the conjunction takes is one that f takes, as the filter of a partial index must
// if the index is to be used. It may say no where it is so.
func (c *Conjunction) Implies(f *Filter) bool { return c.implies(f.clause) }

func (c *Conjunction) implies(want *clause) bool {
	switch want.op {
	case opTrue:
		return true
	case opAnd:
		return !slices.ContainsFunc(want.children, func(one *clause) bool { return !c.implies(one) })
	case opOr:
		if slices.ContainsFunc(want.children, c.implies) {
			return true
		}
	default:
		if slices.ContainsFunc(c.Predicates, func(p Predicate) bool { return p.implies(want) }) {
			return true
		}
	}
	return slices.ContainsFunc(c.Disjunctions, func(or Disjunction) bool {
		return !slices.ContainsFunc(or, func(branch *Conjunction) bool { return !branch.implies(want) })
	})
}

// implies reports whether a document that satisfies the predicate has a value that a clause on the same path takes.
func (p Predicate) implies(want *clause) bool {
	if want.path.HasIndex() || p.Path != want.path.String() {
		return false
	}
	if want.op == Exists {
		return !p.MatchesMissing
	}
	if p.clause.op == opNot {
		return false // it says what no value is, and nothing of a value that there must be
	}
	if want.op == opType {
		return p.impliesType(want)
	}
	if p.clause.op == want.op && p.by.Same(want.by) && p.clause.value.Same(want.value) && want.op != In {
		return true
	}
	of := Predicate{by: want.by}
	switch want.op {
	case Eq, In, Lt, Lte, Gt, Gte:
	default:
		return false
	}
	if !provedByKeys(want.value) || len(want.patterns) > 0 || slices.ContainsFunc(want.values, func(v bsonraw.Value) bool { return !provedByKeys(v) }) {
		return false
	}
	of.read(want)
	if p.text && of.text && !p.by.Same(want.by) || p.MatchesMissing && !want.test.holds(bsonraw.Value{}) {
		return false
	}
	return of.covers(p.ranges)
}

// impliesType is implies for $type.
func (p Predicate) impliesType(want *clause) bool {
	types, _ := want.test.(*typeTest)
	if types == nil {
		return false
	}
	if own, isType := p.clause.test.(*typeTest); isType {
		return !slices.ContainsFunc(argument.EveryType, func(t bsonraw.Type) bool { return own.types.Has(t) && !types.types.Has(t) })
	}
	// Classes of which every type is meant.
	var of Predicate
	for _, t := range argument.EveryType {
		whole := types.types.Has(t) && t != bsonraw.TypeArray
		for _, other := range argument.EveryType {
			whole = whole && (other.Class() != t.Class() || types.types.Has(other))
		}
		if whole {
			of.ranges = append(of.ranges, classRange(t, true))
		}
	}
	of.ranges = of.sorted(of.ranges)
	return !p.MatchesMissing && of.covers(p.ranges)
}

// covers reports whether each range lies within one of the predicate's.
func (p Predicate) covers(list []Range) bool {
	for _, r := range list {
		if !slices.ContainsFunc(p.ranges, func(within Range) bool { return p.contains(within, r) }) {
			return false
		}
	}
	return true
}

func (p Predicate) contains(outer, inner Range) bool {
	low, high := p.by.Compare(outer.Low, inner.Low), p.by.Compare(outer.High, inner.High)
	return (low < 0 || low == 0 && (inner.LowOut || !outer.LowOut)) && (high > 0 || high == 0 && (inner.HighOut || !outer.HighOut))
}
