//go:build !race

package filter_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The race detector makes pools drop memory, so this file is built without it.

// TestCollatedAllocations holds filters under a collation to no memory per document.
func TestCollatedAllocations(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	doc := bytesOf(t, bson.D{{Key: "a", Value: "Résumé"}, {Key: "b", Value: 5}})
	for _, query := range []bson.D{
		{{Key: "a", Value: "resume"}},
		{{Key: "a", Value: bson.D{{Key: "$gte", Value: "Q"}}}},
	} {
		f := collated(t, query)
		if ok, err := f.Match(doc); !ok || err != nil {
			t.Errorf("Match %v = %t, %v", query, ok, err)
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = f.Match(doc) }); n >= 1 {
			t.Errorf("%v allocates %v times a document", query, n)
		}
	}
}
