package update

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// UpsertDocument returns the document that an upsert begins with when nothing matched: what the filter says fields are equal
// to, in the order of their paths. A replacement takes over the _id only. The equalities are those that [filter.Filter] gives:
// none of their paths leads to or through another. Give the document to [Update.Apply] with Insert set.
func UpsertDocument(u *Update, equalities []filter.Equality) (bsonraw.Doc, error) {
	sorted := slices.Clone(equalities)
	slices.SortFunc(sorted, func(a, b filter.Equality) int { return strings.Compare(a.Path, b.Path) })
	var root upsertField
	for _, e := range sorted {
		parts := strings.Split(e.Path, ".")
		switch {
		case e.Path == "":
			return nil, mongoerr.New(mongoerr.IllegalOperation, "Cannot call setValue on the root object")
		case !u.IsReplacement():
		case parts[0] != idField:
			continue
		case len(parts) > 1:
			return nil, mongoerr.New(notExactValueField, "field at '_id' must be exactly specified, field at sub-path '%s'found", e.Path)
		}
		if len(parts) > bsonraw.MaxStoredDepth {
			return nil, errTooDeep()
		}
		root.put(parts, e.Value)
	}
	dst, at := bsonraw.BeginDoc(nil)
	for _, f := range root.fields {
		dst = f.append(dst)
	}
	dst = bsonraw.EndDoc(dst, at)
	return dst, checkResult(dst, true)
}

// upsertField is a field of the document under construction: it has a value, or fields.
type upsertField struct {
	name   string
	value  bsonraw.Value
	fields []*upsertField
}

func (f *upsertField) put(parts []string, v bsonraw.Value) {
	for _, part := range parts {
		at := slices.IndexFunc(f.fields, func(g *upsertField) bool { return g.name == part })
		if at < 0 {
			at = len(f.fields)
			f.fields = append(f.fields, &upsertField{name: part})
		}
		f = f.fields[at]
	}
	f.value = v
}

func (f *upsertField) append(dst []byte) []byte {
	if !f.value.IsMissing() {
		return bsonraw.AppendValue(dst, f.name, f.value)
	}
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, f.name)
	for _, g := range f.fields {
		dst = g.append(dst)
	}
	return bsonraw.EndDoc(dst, at)
}
