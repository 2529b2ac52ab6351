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

// TestCollatedConjuncts holds back from planners what an index on bytes would answer wrongly.
func TestCollatedConjuncts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		query bson.D
		want  int
	}{
		{bson.D{{Key: "a", Value: "x"}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$gt", Value: "x"}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$in", Value: bson.A{1, "x"}}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$in", Value: bson.A{1, 2}}}}}, 1},
		{bson.D{{Key: "a", Value: bson.D{{Key: "k", Value: bson.A{"x"}}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "k", Value: 1}}}}, 1},
		{bson.D{{Key: "a", Value: "x"}, {Key: "b", Value: 5}}, 1},
		{bson.D{{Key: "$or", Value: bson.A{bson.D{{Key: "a", Value: "x"}}, bson.D{{Key: "a", Value: "y"}}}}}, 0},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$elemMatch", Value: bson.D{{Key: "s", Value: "x"}, {Key: "n", Value: 1}}}}}}, 1},
	} {
		if got := collated(t, test.query).Conjuncts(); len(got) != test.want {
			t.Errorf("Conjuncts of %v = %v, want %d", test.query, got, test.want)
		}
	}
}
