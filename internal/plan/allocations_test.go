//go:build !race

package plan_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/plan"
)

// TestNoAllocationPerDocument walks two collections of which one is four times as large as the other: both walks allocate what a
// walk needs, and nothing for each document or entry. (The store allocates at times, when it opens one of its files.)
func TestNoAllocationPerDocument(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	const few, many = 500, 2000
	small, large := filled(t, few), filled(t, many)
	for _, test := range []struct{ name, filter, sort string }{
		{"all documents", `{"z": {"$exists": false}}`, ``},
		{"one index", `{"a": {"$gte": 0}, "z": null}`, ``},
		{"one index backwards", `{}`, `{"a": -1}`},
		{"merge", `{"b": {"$in": [0, 1, 2]}}`, `{"c": 1}`},
	} {
		least, most := small.allocations(t, test.filter, test.sort), large.allocations(t, test.filter, test.sort)
		if perDocument := (most - least) / (many - few); perDocument > 0.25 {
			t.Errorf("%s: %.2f allocations a document (%.0f for %d, %.0f for %d)", test.name, perDocument, least, few, most, many)
		}
	}
}

func filled(t *testing.T, n int) *fixture {
	t.Helper()
	f := newFixture(t, index("a", bson.D{{Key: "a", Value: 1}}), index("bc", bson.D{{Key: "b", Value: 1}, {Key: "c", Value: 1}}))
	for id := range n {
		f.insert(t, marshal(t, bson.D{{Key: "_id", Value: id}, {Key: "a", Value: id}, {Key: "b", Value: id % 3}, {Key: "c", Value: id}}))
	}
	return f
}

// allocations returns how often a walk of all that matches allocates.
func (f *fixture) allocations(t *testing.T, query, sort string) float64 {
	t.Helper()
	matches, err := filter.Compile(marshal(t, d(t, query)), filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := plan.Query{Filter: matches}
	if sort != "" {
		if q.Order, err = ordering.Compile(marshal(t, d(t, sort)), nil); err != nil {
			t.Fatal(err)
		}
	}
	return testing.AllocsPerRun(5, func() {
		walk := plan.Choose(f.coll, q).Open(f.st)
		for {
			if _, err := walk.Next(context.Background()); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if err := walk.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
