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
	return f.equalities(func(bsonraw.Path) bool { return true }, checkDistinct)
}

// IDEqualities are Equalities for a replacement, which takes over nothing but _id: what else is given twice does not matter, and that
// _id is given in parts is an error of its own.
func (f *Filter) IDEqualities() ([]Equality, error) {
	return f.equalities(
		func(p bsonraw.Path) bool { return p.Part(0).Name == "_id" },
		func(p, q bsonraw.Path) error {
			if p.Len() != q.Len() {
				return nil
			}
			return checkDistinct(p, q)
		})
}

func (f *Filter) equalities(wanted func(bsonraw.Path) bool, check func(p, q bsonraw.Path) error) ([]Equality, error) {
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
		if c.op != Eq || !wanted(c.path) {
			continue
		}
		for _, p := range paths {
			if err := check(p, c.path); err != nil {
				return nil, err
			}
		}
		paths = append(paths, c.path)
		all = append(all, Equality{Path: c.path.String(), Value: c.value})
	}
	return all, nil
}

var errSchemaNotAllowed = mongoerr.New(codeQueryFeatureNotAllowed, "$jsonSchema is not allowed in this context")

// CheckPosition fails when the filter cannot tell which element of an array matched, as a projection with a positional operator asks:
// MongoDB does not let it have $expr or $jsonSchema anywhere then.
func (f *Filter) CheckPosition() error {
	switch {
	case f.usesExpr:
		return mongoerr.New(codeQueryFeatureNotAllowed, "$expr is not allowed in this context")
	case f.usesSchema:
		return errSchemaNotAllowed
	}
	return nil
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
