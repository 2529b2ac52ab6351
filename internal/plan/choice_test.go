package plan_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/plan"
)

// d parses a document in Extended JSON.
func d(tb testing.TB, text string) bson.D {
	tb.Helper()
	if text == "" {
		return nil
	}
	var out bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &out); err != nil {
		tb.Fatalf("parse %s: %v", text, err)
	}
	return out
}

var choiceIndexes = []bson.D{
	index("a", bson.D{{Key: "a", Value: 1}}),
	index("bc", bson.D{{Key: "b", Value: 1}, {Key: "c", Value: -1}}),
	index("d_sparse", bson.D{{Key: "d", Value: 1}}, bson.E{Key: "sparse", Value: true}),
	index("e_partial", bson.D{{Key: "e", Value: 1}}, bson.E{Key: "partialFilterExpression", Value: bson.D{{Key: "a", Value: bson.D{{Key: "$gte", Value: 5}}}}}),
	index("f_hidden", bson.D{{Key: "f", Value: 1}}, bson.E{Key: "hidden", Value: true}),
	index("g_en", bson.D{{Key: "g", Value: 1}}, bson.E{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 2}}}),
	index("h_unique", bson.D{{Key: "h", Value: 1}}, bson.E{Key: "unique", Value: true}),
	index("m.xy", bson.D{{Key: "m.x", Value: 1}, {Key: "m.y", Value: 1}}),
	index("t", bson.D{{Key: "t", Value: 1}}),
	index("w", bson.D{{Key: "w.$**", Value: 1}}),
	index("q_hashed", bson.D{{Key: "q", Value: "hashed"}}),
}

// TestNoScanWhereAnIndexFits is the table of queries and the index that they must use. Documents are numbers 0 to 99: a is the
// number modulo 10, b modulo 7, d, h and q the number, m an array of two documents, t a text, w has the number at several places.
func TestNoScanWhereAnIndexFits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, choiceIndexes...)
	for id := range 100 {
		f.insert(t, marshal(t, bson.D{
			{Key: "_id", Value: id},
			{Key: "a", Value: id % 10},
			{Key: "b", Value: id % 7},
			{Key: "c", Value: id % 3},
			{Key: "d", Value: id},
			{Key: "e", Value: id % 4},
			{Key: "f", Value: id},
			{Key: "g", Value: string(rune('a' + id%26))},
			{Key: "h", Value: id},
			{Key: "q", Value: id},
			{Key: "t", Value: string(rune('a'+id%26)) + "x"},
			{Key: "w", Value: bson.D{{Key: "v", Value: id}, {Key: "n", Value: bson.D{{Key: "k", Value: bson.A{id, id + 1}}}}}},
			{Key: "m", Value: bson.A{bson.D{{Key: "x", Value: id}, {Key: "y", Value: 1}}, bson.D{{Key: "x", Value: id + 1}, {Key: "y", Value: 2}}}},
		}))
	}
	for _, test := range []struct {
		filter, sort string
		index        string
		looks        int // at most
	}{
		// Equality, ranges, sets, null and existence.
		{`{"_id": 5}`, ``, "_id_", 1},
		{`{"_id": {"$gte": 90}}`, ``, "_id_", 10},
		{`{"_id": {"$in": [1, 2, 300]}}`, ``, "_id_", 2},
		{`{"a": 3}`, ``, "a", 10},
		{`{"a": {"$gt": 3, "$lte": 5}}`, ``, "a", 20},
		{`{"a": {"$in": [1, 2]}}`, ``, "a", 20},
		{`{"a": {"$ne": 1}}`, ``, "a", 90},
		{`{"a": {"$not": {"$lt": 8}}}`, ``, "a", 20},
		{`{"a": {"$nin": [1, 2]}}`, ``, "a", 80},
		{`{"a": null}`, ``, "a", 0},
		{`{"a": {"$exists": false}}`, ``, "a", 0},
		{`{"a": {"$exists": true}}`, ``, "a", 100},
		{`{"a": {"$type": "string"}}`, ``, "a", 0},
		{`{"a": {"$mod": [5, 1]}}`, ``, "a", 100},
		{`{"d": {"$exists": true}}`, ``, "d_sparse", 100},
		{`{"d": {"$gt": 95}}`, ``, "d_sparse", 4},
		{`{"h": 7, "a": 7}`, ``, "h_unique", 1},
		{`{"$and": [{"$and": [{"a": 3}]}, {"z": 1}]}`, ``, "a", 10},
		{`{"a": [3, 4]}`, ``, "a", 10},

		// Compound indexes.
		{`{"b": 3}`, ``, "bc", 15},
		{`{"b": 3, "c": 1}`, ``, "bc", 5},
		{`{"b": 3, "c": {"$gte": 1}}`, ``, "bc", 10},
		{`{"b": {"$in": [3, 4]}, "c": {"$in": [0, 1]}}`, ``, "bc", 22},

		// Arrays: both conditions of one element, or one of them.
		{`{"m": {"$elemMatch": {"x": 10, "y": 2}}}`, ``, "m.xy", 1},
		{`{"m.x": 10, "m.y": 2}`, ``, "m.xy", 2},
		{`{"m": {"$elemMatch": {"x": {"$gt": 5, "$lt": 8}}}}`, ``, "m.xy", 3},

		// Regular expressions.
		{`{"t": {"$regex": "^ax"}}`, ``, "t", 4},
		{`{"t": {"$regex": "b"}}`, ``, "t", 100},
		{`{"t": {"$in": [{"$regularExpression": {"pattern": "^ax", "options": ""}}, "bx"]}}`, ``, "t", 8},

		// Disjunctions.
		{`{"$or": [{"a": 1}, {"b": 1}]}`, ``, "a bc", 25},
		{`{"$or": [{"a": 1}, {"h": 99}, {"_id": 7}]}`, ``, "_id_ a h_unique", 12},
		{`{"$or": [{"a": 1, "z": 1}, {"b": 1, "c": 1}], "y": 2}`, ``, "a bc", 15},
		{`{"$or": [{"a": 1}, {"$or": [{"b": 1}, {"h": 1}]}]}`, ``, "a bc h_unique", 26},
		{`{"$or": [{"z": 1}, {"y": 1}], "h": 5}`, ``, "h_unique", 1},
		{`{"$or": [{"c": 1}, {"c": 2}], "b": 2}`, ``, "bc", 10},

		// Order.
		{`{}`, `{"a": 1}`, "a", 100},
		{`{}`, `{"a": -1}`, "a", 100},
		{`{}`, `{"b": -1, "c": 1}`, "bc", 100},
		{`{"b": 4}`, `{"c": 1}`, "bc", 14},
		{`{"b": {"$in": [1, 2]}}`, `{"c": -1}`, "bc", 29},
		{`{"b": {"$in": [1, 2]}, "c": {"$gt": 0}}`, `{"c": 1}`, "bc", 20},
		{`{"$or": [{"b": 1}, {"b": 2, "z": 1}]}`, `{"c": 1}`, "bc", 29},
		{`{"a": 4}`, `{"_id": 1}`, "a", 10},
		{`{"_id": {"$gt": 50}}`, `{"_id": -1}`, "_id_", 49},

		// Partial, sparse, hidden indexes, where they have all that matters.
		{`{"e": 1, "a": 7}`, ``, "a", 10},
		{`{"e": 1, "a": {"$gte": 6}}`, ``, "e_partial", 15},
		{`{"e": 1, "a": {"$gte": 4}}`, ``, "a", 60},
		{`{"d": 5, "f": 5}`, ``, "d_sparse", 1},

		// Hashed and wildcard indexes.
		{`{"q": 5}`, ``, "q_hashed", 1},
		{`{"w.v": 5}`, ``, "w", 1},
		{`{"w.v": {"$gt": 95}}`, ``, "w", 4},
		{`{"w.v": {"$in": [5, 7]}, "z": 1}`, ``, "w", 2},
		{`{"w.n.k": 5}`, ``, "w", 2},
		{`{"w.v": 5, "w.n.k": {"$gt": 5}}`, ``, "w", 1},
		{`{"$or": [{"w.v": 1}, {"w.n.k": 7}]}`, ``, "w w", 3},

		// Collation.
		{`{"g": 5}`, ``, "g_en", 0},

		// What no index helps with.
		{`{"z": 1}`, ``, "", 100},
		{`{"d": null}`, ``, "", 100},
		{`{"e": 1}`, ``, "", 100},
		{`{"f": 1}`, ``, "", 100},
		{`{"g": "a"}`, ``, "", 100},
		{`{"w.v": {"$exists": true}}`, ``, "", 100},
		{`{"w.v": null}`, ``, "", 100},
		{`{"w": {"v": 5}}`, ``, "", 100},
		{`{"w.n.k": [5, 6]}`, ``, "", 100},
		{`{"w.n.k.0": 5}`, ``, "", 100},
		{`{}`, `{"w.v": 1}`, "", 100},
		{`{"$or": [{"a": 1}, {"z": 1}]}`, ``, "", 100},
		{`{}`, `{"d": 1}`, "", 100},
		{`{}`, ``, "", 100},
		{`{"a": {"$in": []}}`, ``, "", 0},
	} {
		p := plan.Choose(f.coll, plan.Query{Filter: query(t, d(t, test.filter), nil), Order: order(t, d(t, test.sort), nil)})
		if got := names(p); got != test.index {
			t.Errorf("%s sort %s uses %q, want %q", test.filter, test.sort, got, test.index)
		}
		if got := f.looks(t, p); got > test.looks {
			t.Errorf("%s sort %s looks at %d documents, want at most %d", test.filter, test.sort, got, test.looks)
		}
		if test.sort != "" && test.index != "" && test.index != "a" && !p.Sorted {
			t.Errorf("%s sort %s is not sorted by its index", test.filter, test.sort)
		}
	}
}
