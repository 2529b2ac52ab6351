package command

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// exists reports whether one of the indexes is the one that is asked for. Another one by its name, or the same by another name,
// is an error.
func (s *indexSpec) exists(indexes []*store.Index) (bool, error) {
	if s.isID() {
		return true, nil
	}
	for _, x := range indexes {
		switch {
		case x.Name != s.name:
		case !s.same(x):
			return false, mongoerr.New(mongoerr.IndexKeySpecsConflict, "An existing index has the same name as the requested index. "+
				"When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. "+
				"Requested index: %s, existing index: %s", s.doc().Shell(), x.Spec.Shell())
		case !s.sameOptions(x):
			return false, mongoerr.New(mongoerr.IndexOptionsConflict, "An equivalent index already exists with the same name but different options. "+
				"Requested index: %s, existing index: %s", s.doc().Shell(), x.Spec.Shell())
		default:
			return true, nil
		}
	}
	for _, x := range indexes {
		switch {
		case x.IsID() || !s.same(x):
		case !s.sameOptions(x):
			return false, mongoerr.New(mongoerr.IndexOptionsConflict, "An equivalent index already exists with a different name and options. "+
				"Requested index: %s, existing index: %s", s.doc().Shell(), x.Spec.Shell())
		default:
			return false, mongoerr.New(mongoerr.IndexOptionsConflict, "Index already exists with a different name: %s", x.Name)
		}
	}
	return false, nil
}

// same reports whether an index has the entries of the one asked for. The collection must have had its say: see resolve.
func (s *indexSpec) same(x *store.Index) bool {
	rules := plan.RulesOf(x)
	return s.unique == x.Unique && s.sparse == x.Sparse && sameKey(s.key, x.Key) && sameOption(s.paths, x.Spec.Lookup("wildcardProjection")) &&
		s.by.Same(rules.Collation) && s.partOf.Equivalent(rules.Partial)
}

// sameOptions reports whether an index has the options asked for that do not change its entries. Whether it is hidden does not
// count.
func (s *indexSpec) sameOptions(x *store.Index) bool {
	for _, name := range indexOptions {
		switch name {
		case "background", "hidden", "unique", "partialFilterExpression", "sparse", "collation", "wildcardProjection", "clustered":
		default:
			if !sameOption(s.given.Lookup(name), x.Spec.Lookup(name)) {
				return false
			}
		}
	}
	return true
}

func sameOption(a, b bsonraw.Value) bool {
	return a.IsMissing() == b.IsMissing() && bsonraw.Equal(a, b)
}

// expiryOf returns after how many seconds the documents of an index expire, -1 if they do not.
func expiryOf(x *store.Index) int32 {
	s := indexSpec{expires: x.Spec.Lookup("expireAfterSeconds"), seconds: -1}
	if s.checkExpiry() != nil {
		return -1
	}
	return s.seconds
}

// indexOptions are the options of indexes beside version, key and name, in the order of listings.
var indexOptions = []string{
	"background", "unique", "hidden", "partialFilterExpression", "sparse", "expireAfterSeconds", "storageEngine", "weights", "default_language", "language_override",
	"textIndexVersion", "2dsphereIndexVersion", "bits", "min", "max", "coarsestIndexedLevel", "finestIndexedLevel", "collation", "wildcardProjection", "prepareUnique", "clustered",
}

func isIndexOption(name string) bool { return slices.Contains(indexOptions, name) }

// sameKey reports whether two key patterns have the same fields in the same order and, by value, the same directions.
func sameKey(a, b bsonraw.Doc) bool {
	i, j := a.Iter(), b.Iter()
	for {
		m, n := i.Next(), j.Next()
		if !m || !n {
			return m == n
		}
		if !bytes.Equal(i.Key(), j.Key()) || !bsonraw.Equal(i.Value(), j.Value()) {
			return false
		}
	}
}
