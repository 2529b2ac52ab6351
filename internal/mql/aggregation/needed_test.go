package aggregation

import (
	"bytes"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Of a filter on something that is looked up the parts on other things are asked before: never more than it says itself, and nothing that
// may fail.
func TestFiltersAreAskedBeforeALookup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ filter, early, late string }{
		{`{"a": 1}`, `{"a": 1}`, ``},
		{`{"looked": 1}`, ``, `{"looked": 1}`},
		{`{"a": 1, "looked": 1}`, `{"a": 1}`, `{"looked": 1}`},
		{`{"$or": [{"a": 1, "looked": 1}, {"b": 1}]}`, `{"$or": [{"$and": [{"a": 1}]}, {"$and": [{"b": 1}]}]}`, `{"$or": [{"a": 1, "looked": 1}, {"b": 1}]}`},
		{`{"$or": [{"a": 1, "looked": 1}, {"looked": 2}]}`, ``, `{"$or": [{"a": 1, "looked": 1}, {"looked": 2}]}`},
		{`{"$nor": [{"a": 1, "looked": 1}]}`, ``, `{"$nor": [{"a": 1, "looked": 1}]}`},
		{`{"$expr": {"$and": ["$a", "$looked"]}}`, `{"$expr": {"$and": ["$a"]}}`, `{"$expr": {"$and": ["$a", "$looked"]}}`},
		{
			`{"$expr": {"$and": [{"$or": [{"$and": ["$a", "$looked"]}, "$b"]}, {"$eq": ["$looked", 1]}]}}`,
			`{"$expr": {"$and": [{"$or": [{"$and": ["$a"]}, "$b"]}]}}`,
			`{"$expr": {"$and": [{"$or": [{"$and": ["$a", "$looked"]}, "$b"]}, {"$eq": ["$looked", 1]}]}}`,
		},
		{`{"$expr": {"$or": ["$a", "$looked"]}}`, ``, `{"$expr": {"$or": ["$a", "$looked"]}}`},
		{`{"$expr": {"$not": [{"$or": ["$a", "$looked"]}]}}`, `{"$expr": {"$not": [{"$or": ["$a"]}]}}`, `{"$expr": {"$not": [{"$or": ["$a", "$looked"]}]}}`},
		{`{"$expr": {"$not": [{"$and": ["$a", "$looked"]}]}}`, ``, `{"$expr": {"$not": [{"$and": ["$a", "$looked"]}]}}`},
		{`{"$expr": {"$and": [{"$toInt": "$a"}, "$looked"]}}`, ``, `{"$expr": {"$and": [{"$toInt": "$a"}, "$looked"]}}`},
		{`{"$expr": {"$and": [{"$in": ["$a", "$b"]}, "$looked"]}}`, ``, `{"$expr": {"$and": [{"$in": ["$a", "$b"]}, "$looked"]}}`},
		{`{"$expr": {"$and": [{"$in": ["$a", [1, 2]]}, "$looked"]}}`, `{"$expr": {"$and": [{"$in": ["$a", [1, 2]]}]}}`, `{"$expr": {"$and": [{"$in": ["$a", [1, 2]]}, "$looked"]}}`},
		{`{"$expr": {"$and": [{"$literal": "$looked"}, "$looked"]}}`, ``, `{"$expr": {"$and": [{"$literal": "$looked"}, "$looked"]}}`},
	} {
		lookup := func(condition bsonraw.Doc) bool { return !bytes.Contains(condition, []byte("looked")) }
		parts, err := CompileBehind(array(t, `[{"$match": `+c.filter+`}]`), Options{}, lookup)
		if err != nil {
			t.Fatalf("%s: %v", c.filter, err)
		}
		for i, want := range []string{c.early, c.late} {
			got := ""
			if parts[i] != nil {
				for _, s := range parts[i].stages {
					got += s.(*match).spec.Value().Shell()
				}
			}
			if want != "" {
				want = document(t, want).Value().Shell()
			}
			if got != want {
				t.Errorf("%s: part %d is %s, want %s", c.filter, i, got, want)
			}
		}
	}
}
