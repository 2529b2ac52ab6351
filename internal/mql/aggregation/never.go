package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
)

// possible returns the branches of an $or that something may meet. The others leave it, in MongoDB before its filter is moved.
func possible(branches bsonraw.Doc) (left []bsonraw.Doc) {
	for branch := branches.Iter(); branch.Next(); {
		if !isNever(branch.Value().Doc()) {
			left = append(left, branch.Value().Doc())
		}
	}
	return left
}

// isNever reports whether a filter has a condition that nothing meets, as far as MongoDB sees that without a document. It sees that of
// some schemas too, see asksSchema.
func isNever(spec bsonraw.Doc) bool {
	for it := spec.Iter(); it.Next(); {
		var never bool
		switch key, v := string(it.Key()), it.Value(); key {
		case "$alwaysFalse":
			never = true
		case "$and":
			never = some(v, isNever)
		case "$or":
			never = len(possible(v.Doc())) == 0
		default:
			never = isNothing(v)
		}
		if never {
			return true
		}
	}
	return false
}

// asksSchema reports whether a filter has a $jsonSchema that must be met. Where nothing meets that, MongoDB moves nothing of what
// stands beside it in a branch.
func asksSchema(spec bsonraw.Doc) bool {
	for it := spec.Iter(); it.Next(); {
		switch key := string(it.Key()); {
		case key == "$jsonSchema", (key == "$and" || key == "$or") && some(it.Value(), asksSchema):
			return true
		}
	}
	return false
}

// isNothing reports whether a field is asked for {$all: []}, which nothing matches and MongoDB takes for a condition on no field.
func isNothing(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeDocument {
		return false
	}
	all := v.Doc().Lookup("$all")
	return all.Type == bsonraw.TypeArray && all.Doc().IsEmpty()
}

// some reports whether a filter of a list is of a kind.
func some(filters bsonraw.Value, is func(bsonraw.Doc) bool) bool {
	for it := filters.Doc().Iter(); it.Next(); {
		if is(it.Value().Doc()) {
			return true
		}
	}
	return false
}
