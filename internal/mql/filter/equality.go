package filter

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Equality is a field that a filter demands to have one value.
type Equality struct {
	Path  string
	Value bsonraw.Value
}

// codeQueryFeatureNotAllowed is the code for $expr where it makes no sense.
const codeQueryFeatureNotAllowed mongoerr.Code = 224

// Equalities returns what a document that an upsert inserts takes over from the filter: equalities of its conjunction, those in
// $and, $all, an $or or $in with one member included. It fails with NotSingleValueField when a path is given twice, or together
// with a path inside of it, whatever the values, and with QueryFeatureNotAllowed when the filter uses $expr anywhere.
func (f *Filter) Equalities() ([]Equality, error) {
	if f.usesExpr {
		return nil, mongoerr.New(codeQueryFeatureNotAllowed, "$expr is not allowed in the query predicate for an upsert")
	}
	var all []Equality
	list := []*clause{f.clause}
	if f.clause.op == opAnd {
		list = f.clause.children
	}
	var paths []bsonraw.Path
	for _, c := range list {
		if c.op != Eq {
			continue
		}
		for _, p := range paths {
			if err := checkDistinct(p, c.path); err != nil {
				return nil, err
			}
		}
		paths = append(paths, c.path)
		all = append(all, Equality{Path: c.path.String(), Value: c.value})
	}
	return all, nil
}

func checkDistinct(p, q bsonraw.Path) error {
	if p.String() == q.String() {
		return mongoerr.New(mongoerr.NotSingleValueField, "cannot infer query fields to set, path '%s' is matched twice", p)
	}
	if p.Len() < q.Len() {
		p, q = q, p
	}
	if q.Covers(p) {
		return mongoerr.New(mongoerr.NotSingleValueField, "cannot infer query fields to set, both paths '%s' and '%s' are matched", p, q)
	}
	return nil
}
