package command

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// queryFeatureNotAllowed is the code of what makes no sense in the filter of an index.
const queryFeatureNotAllowed mongoerr.Code = 224

// checkPartialLanguage checks the filter of a partial index as a filter, less what has no meaning there.
func checkPartialLanguage(d bsonraw.Doc) error {
	for _, name := range []string{"$expr", "$jsonSchema"} {
		if mentions(d, name) {
			return mongoerr.New(queryFeatureNotAllowed, "%s is not allowed in this context", name)
		}
	}
	for _, name := range []string{"$where", "$text", "$near", "$nearSphere", "$geoNear"} {
		if mentions(d, name) {
			return mongoerr.New(mongoerr.BadValue, "%s is not allowed in this context", name)
		}
	}
	_, err := compilePartial(d, nil)
	return err
}

// compilePartial compiles the filter of a partial index, whose strings compare as in the index.
func compilePartial(d bsonraw.Doc, by *collation.Collation) (*filter.Filter, error) {
	var none *expression.Scope
	return filter.Compile(d, filter.Options{Scope: none.WithCollation(by)})
}

// mentions reports whether a filter has an operator at the top, in a field or in a conjunction or disjunction.
func mentions(d bsonraw.Doc, operator string) bool {
	for it := d.Iter(); it.Next(); {
		switch name, v := string(it.Key()), it.Value(); {
		case name == operator:
			return true
		case name == "$and" || name == "$or" || name == "$nor":
			for branches := v.Doc().Iter(); v.Type == bsonraw.TypeArray && branches.Next(); {
				if branches.Value().IsDoc() && mentions(branches.Value().Doc(), operator) {
					return true
				}
			}
		case v.IsDoc() && !strings.HasPrefix(name, "$"):
			if !v.Doc().Lookup(operator).IsMissing() {
				return true
			}
		}
	}
	return false
}

// unsupportedInPartial names what in a filter, which is one, may not be in that of a partial index: it may have equality,
// comparisons, $in, $type, $exists: true, and conjunctions and disjunctions of them.
func unsupportedInPartial(d bsonraw.Doc) string {
	for it := d.Iter(); it.Next(); {
		name, v := string(it.Key()), it.Value()
		switch {
		case name == "$comment":
		case name == "$and" || name == "$or":
			for branches := v.Doc().Iter(); branches.Next(); {
				if what := unsupportedInPartial(branches.Value().Doc()); what != "" {
					return what
				}
			}
		case strings.HasPrefix(name, "$") && name != "$ref" && name != "$id" && name != "$db":
			return name
		case v.Type == bsonraw.TypeRegex:
			return name + " regex " + v.Shell()
		case v.IsDoc():
			if what := unsupportedOperator(v.Doc()); what != "" {
				return name + " " + what
			}
		}
	}
	return ""
}

func unsupportedOperator(d bsonraw.Doc) string {
	for it := d.Iter(); it.Next(); {
		switch name := string(it.Key()); name {
		case "$eq", "$gt", "$gte", "$lt", "$lte", "$in", "$type":
		case "$exists":
			if !it.Value().Truthy() {
				return "$not $exists"
			}
		case "$all":
			for elements := it.Value().Doc().Iter(); elements.Next(); {
				if v := elements.Value(); v.Type == bsonraw.TypeRegex || v.IsDoc() && !v.Doc().Lookup("$elemMatch").IsMissing() {
					return "$all with " + v.Shell()
				}
			}
		default:
			if !strings.HasPrefix(name, "$") {
				return "" // a value
			}
			return name
		}
	}
	return ""
}
