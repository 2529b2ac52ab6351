package plan

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/store"
)

// IndexRules are what the query language says of an index: how it orders strings, and which documents it has.
type IndexRules struct {
	Collation *collation.Collation // nil: strings are ordered by their bytes
	Partial   *filter.Filter       // nil: all documents
}

// CompileIndexRules reads the rules out of the specification of an index; nil where there are none. It is what a store needs to
// know of the language: see [store.Config].
func CompileIndexRules(spec bsonraw.Doc) (store.IndexRules, error) {
	var r IndexRules
	if v := spec.Lookup("collation"); v.IsDoc() {
		by, err := collation.Parse(v.Doc(), "collation")
		if err != nil {
			return nil, err
		}
		r.Collation = by
	}
	if v := spec.Lookup("partialFilterExpression"); v.IsDoc() {
		var none *expression.Scope
		f, err := filter.Compile(v.Doc(), filter.Options{Scope: none.WithCollation(r.Collation)})
		if err != nil {
			return nil, err
		}
		r.Partial = f
	}
	if r.Collation == nil && r.Partial == nil {
		return nil, nil
	}
	return &r, nil
}

// Has reports whether the index has entries of a document.
func (r *IndexRules) Has(doc bsonraw.Doc) (bool, error) {
	if r.Partial == nil {
		return true, nil
	}
	return r.Partial.Match(doc)
}

// AppendKey appends the key of a value, in the order of the index's field.
func (r *IndexRules) AppendKey(dst []byte, v bsonraw.Value, descending bool) []byte {
	if descending {
		return r.Collation.AppendKeyDescending(dst, v)
	}
	return r.Collation.AppendKey(dst, v)
}

// RulesOf returns the rules of an index; the zero rules where it has none.
func RulesOf(x *store.Index) *IndexRules {
	if r, ok := x.Rules.(*IndexRules); ok {
		return r
	}
	return &noRules
}

var noRules IndexRules
