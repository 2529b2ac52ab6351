package filter_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

func collated(t *testing.T, query bson.D) *filter.Filter {
	t.Helper()
	by, err := collation.Parse(bytesOf(t, bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 1}}), "collation")
	if err != nil {
		t.Fatal(err)
	}
	var none *expression.Scope
	f, err := filter.Compile(bytesOf(t, query), filter.Options{Scope: none.WithCollation(by)})
	if err != nil {
		t.Fatalf("compile %v: %v", query, err)
	}
	return f
}

func bytesOf(t *testing.T, d bson.D) bsonraw.Doc {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCollatedPredicates holds back from planners what an index in another order of strings would answer wrongly.
func TestCollatedPredicates(t *testing.T) {
	t.Parallel()
	other, err := collation.Parse(bytesOf(t, bson.D{{Key: "locale", Value: "en"}}), "collation")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		query bson.D
		want  int // predicates that an index by another collation can use
	}{
		{bson.D{{Key: "a", Value: "x"}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$gt", Value: "x"}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$ne", Value: "x"}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$in", Value: bson.A{1, "x"}}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$in", Value: bson.A{1, 2}}}}}, 1},
		{bson.D{{Key: "a", Value: bson.D{{Key: "k", Value: bson.A{"x"}}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "k", Value: 1}}}}, 1},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$type", Value: "string"}}}}, 1},
		{bson.D{{Key: "a", Value: bson.Regex{Pattern: "^x"}}}, 1},
		{bson.D{{Key: "a", Value: "x"}, {Key: "b", Value: 5}}, 1},
		{bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: "a", Value: "x"}}, bson.D{{Key: "a", Value: "y"}}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$elemMatch", Value: bson.D{{Key: "s", Value: "x"}, {Key: "n", Value: 1}}}}}}, 1},
	} {
		f := collated(t, test.query)
		got := 0
		for _, p := range f.Conjunction().Predicates {
			if _, ok := p.Ranges(f.Collation()); !ok {
				t.Errorf("%v: an index of its own collation does not help", test.query)
			}
			if _, ok := p.Ranges(other); ok {
				got++
			}
		}
		if got != test.want {
			t.Errorf("%v has %d predicates for an index of another collation, want %d", test.query, got, test.want)
		}
	}
}
