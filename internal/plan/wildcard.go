package plan

import (
	"bytes"
	"maps"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/store"
)

// wildcardScans makes a scan for each path that the filter bounds and the wildcard index has.
func (q *query) wildcardScans(x *store.Index) (list []*scan) {
	for _, path := range slices.Sorted(maps.Keys(q.byPath)) {
		part := x.At(path)
		if part == nil {
			continue
		}
		if s := q.scan(part); s != nil {
			list = append(list, s)
		}
	}
	return list
}

// touches reports whether the filter may ask for a path that the index has. Of a wildcard index without such a path nothing can be made;
// with one all documents are walked where the index itself does not do.
func (q *query) touches(x *store.Index) bool {
	if !x.IsWildcard() {
		return true
	}
	for path := range q.byPath {
		if x.At(path) != nil {
			return true
		}
	}
	return !q.Filter.IsEmpty() && len(q.byPath) == 0 || len(q.conjunction.Disjunctions) > 0
}

// atPath begins the scan of a part of a wildcard index with the path, which is the first field of its entries.
func (s *scan) atPath() {
	key := s.index.PathKey()
	path := interval{from: key, to: successor(key), point: true}
	path.values.Low = bsonraw.StringValue(s.index.Fields[1].Path)
	path.values.High = path.values.Low
	s.fields = []field{{list: []interval{path}, bounded: true}}
	s.extend(s.fields[0].list, false)
	s.points, s.bound = 1, 1
}

// indexedByWildcard reports whether all values of the intervals have entries in a wildcard index: documents and arrays have none.
func indexedByWildcard(list []interval) bool {
	return !slices.ContainsFunc(list, func(i interval) bool {
		return bytes.Compare(i.from, afterArrays) < 0 && bytes.Compare(i.to, beforeDocuments) > 0
	})
}

// The keys of documents and of arrays, which follow them, lie between these.
var (
	beforeDocuments = bsonraw.AppendKey(nil, bsonraw.Value{Type: bsonraw.TypeDocument, Data: bsonraw.Empty})[:1]
	afterArrays     = successor(bsonraw.AppendKey(nil, bsonraw.Value{Type: bsonraw.TypeArray, Data: bsonraw.Empty})[:1])
)
