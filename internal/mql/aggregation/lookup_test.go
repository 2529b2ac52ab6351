package aggregation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// numbered makes an array of n documents, {_id: i, a: i mod m, text}.
func numbered(t *testing.T, n, m int, text string) bsonraw.Doc {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `%s{"_id": %d, "a": %d, "t": "%s"}`, strings.Repeat(", ", min(i, 1)), i, i%m, text)
	}
	return array(t, "["+b.String()+"]")
}

func runIn(t *testing.T, env *testEnvironment, memory int, pipeline string, docs bsonraw.Doc) (bsonraw.Doc, error) {
	t.Helper()
	opts := testOptions
	opts.DB, opts.Environment, opts.Memory = "db", env, memory
	p, err := Compile(array(t, pipeline), opts)
	if err != nil {
		t.Fatalf("%s: %v", pipeline, err)
	}
	out, err := drain(t, p.Run(newSource(docs)))
	if env.open != 0 {
		t.Errorf("%s: %d readers were not closed", pipeline, env.open)
	}
	return out, err
}

func TestLookupReadsNoMoreThanItHasTo(t *testing.T) {
	t.Parallel()
	const equality = `[{"$lookup": {"from": "f", "localField": "a", "foreignField": "a", "as": "x"}}, {"$project": {"n": {"$size": "$x"}}}]`
	for name, c := range map[string]struct {
		pipeline, indexed string
		memory, reads     int
	}{
		"a table of equality":              {equality, "", 0, 2},
		"an index for equality":            {equality, "a", 0, 8},
		"a table that would be too large":  {equality, "", 6_000, 9},
		"what depends on no document":      {`[{"$lookup": {"from": "f", "pipeline": [{"$match": {"a": 1}}], "as": "x"}}]`, "", 0, 1},
		"that, too large to be kept":       {`[{"$lookup": {"from": "f", "pipeline": [{"$match": {"a": 1}}], "as": "x"}}]`, "", 700, 9},
		"what begins without the document": {`[{"$lookup": {"from": "f", "let": {"v": "$a"}, "pipeline": [{"$match": {"a": 1}}, {"$limit": 3}, {"$match": {"$expr": {"$eq": ["$_id", "$$v"]}}}], "as": "x"}}]`, "", 0, 1},
		"what begins with the document":    {`[{"$lookup": {"from": "f", "let": {"v": "$a"}, "pipeline": [{"$match": {"$expr": {"$eq": ["$_id", "$$v"]}}}], "as": "x"}}]`, "", 0, 8},
		"what differs each time":           {`[{"$lookup": {"from": "f", "pipeline": [{"$sample": {"size": 1}}], "as": "x"}}]`, "", 0, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := newTestEnvironment()
			env.collections["f"], env.indexed = numbered(t, 100, 10, "text"), c.indexed
			if _, err := runIn(t, env, c.memory, c.pipeline, numbered(t, 8, 8, "")); err != nil && c.memory == 0 {
				t.Fatal(err)
			}
			if env.reads["f"] != c.reads {
				t.Errorf("the collection was read %d times, want %d", env.reads["f"], c.reads)
			}
		})
	}
}

func TestLookupGivesTheSameInEveryWay(t *testing.T) {
	t.Parallel()
	for _, pipeline := range []string{
		`[{"$lookup": {"from": "f", "localField": "a", "foreignField": "a", "as": "x"}}, {"$unwind": "$x"}]`,
		`[{"$lookup": {"from": "f", "localField": "a", "foreignField": "a", "pipeline": [{"$match": {"_id": {"$gt": 20}}}, {"$limit": 2}], "as": "x"}}]`,
		`[{"$lookup": {"from": "f", "localField": "a", "foreignField": "a", "let": {"v": "$_id"}, "pipeline": [{"$match": {"$expr": {"$gt": ["$_id", {"$multiply": ["$$v", 10]}]}}}, {"$limit": 2}], "as": "x"}}]`,
		`[{"$lookup": {"from": "f", "let": {"v": "$_id"}, "pipeline": [{"$match": {"a": 3}}, {"$sort": {"_id": -1}}, {"$match": {"$expr": {"$gt": ["$_id", {"$multiply": ["$$v", 10]}]}}}], "as": "x"}}]`,
		`[{"$lookup": {"from": "v", "localField": "a", "foreignField": "a", "pipeline": [{"$match": {"_id": {"$gt": 20}}}], "as": "x"}}]`,
	} {
		var want string
		for _, c := range []struct {
			indexed string
			memory  int
		}{{"a", 0}, {"", 0}, {"", 3_000}} {
			env := newTestEnvironment()
			env.collections["f"], env.indexed = numbered(t, 60, 6, "text"), c.indexed
			env.views["v"] = Beneath{Namespace: Namespace{"db", "f"}, View: true, Pipeline: array(t, `[{"$match": {"a": {"$ne": 2}}}]`)}
			out, err := runIn(t, env, c.memory, pipeline, numbered(t, 6, 6, ""))
			if err != nil {
				t.Fatalf("%s: %v", pipeline, err)
			}
			if want == "" {
				want = toJSON(out)
			} else if got := toJSON(out); got != want {
				t.Errorf("%s with index %q and %d bytes gave\n%s\nwant\n%s", pipeline, c.indexed, c.memory, got, want)
			}
		}
	}
}

func TestLookupHoldsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	env := newTestEnvironment()
	env.collections["f"] = numbered(t, 1000, 1, strings.Repeat("x", 100))
	const pipeline = `[{"$lookup": {"from": "f", "localField": "a", "foreignField": "a", "as": "x"}}`
	if _, err := runIn(t, env, 50_000, pipeline+`]`, numbered(t, 1, 1, "")); !mongoerr.Is(err, 4568) {
		t.Errorf("an array of 100 kB in 50 kB gave %v, want 4568", err)
	}
	out, err := runIn(t, env, 50_000, pipeline+`, {"$unwind": "$x"}, {"$count": "n"}]`, numbered(t, 1, 1, ""))
	if err != nil || toJSON(out) != `[{"n":1000}]` {
		t.Errorf("an array that is unwound at once gave %v, %v", toJSON(out), err)
	}
}

func TestPipelinesWithinPipelinesAreNotTooDeep(t *testing.T) {
	t.Parallel()
	for depth, code := range map[int]mongoerr.Code{maxNesting: 0, maxNesting + 1: mongoerr.MaxSubPipelineDepthExceeded} {
		for _, stage := range []string{`{"$lookup": {"from": "f", "as": "x", "pipeline": [%s]}}`, `{"$unionWith": {"coll": "f", "pipeline": [%s]}}`} {
			text := ""
			for range depth {
				text = fmt.Sprintf(stage, text)
			}
			_, err := Compile(array(t, "["+text+"]"), testOptions)
			if code == 0 && err != nil || code != 0 && !mongoerr.Is(err, code) {
				t.Errorf("%d times %s gave %v", depth, stage, err)
			}
		}
	}
}
