package aggregation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/mql/projection"
)

func mustCompile(t testing.TB, text string, opts Options) *Pipeline {
	t.Helper()
	p, err := Compile(array(t, text), opts)
	if err != nil {
		t.Fatalf("compile %s: %v", text, err)
	}
	return p
}

func document(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	return array(t, "["+text+"]").At(0).Doc()
}

func TestFirstStage(t *testing.T) {
	t.Parallel()
	name, argument, err := FirstStage(array(t, `[{"$changeStream": {"fullDocument": "updateLookup"}}, {"$match": {}}]`))
	if err != nil || name != "$changeStream" || argument.Doc().Lookup("fullDocument").Str() != "updateLookup" {
		t.Errorf("got %s %v, %v", name, argument, err)
	}
	if name, argument, err := FirstStage(bsonraw.Empty); name != "" || !argument.IsMissing() || err != nil {
		t.Errorf("of an empty pipeline: %q %v %v", name, argument, err)
	}
	if _, _, err := FirstStage(array(t, `[5]`)); !mongoerr.Is(err, mongoerr.TypeMismatch) {
		t.Errorf("of a number: %v, want TypeMismatch", err)
	}
}

func TestStagesMoveToWhereTheyDoLess(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{"$match": {}}, {"$limit": 5}]`:                                                                                          "$limit",
		`[{"$match": {"a": 1}}, {"$match": {"b": 1}}]`:                                                                             "$match",
		`[{"$sort": {"a": 1}}, {"$match": {"b": 1}}]`:                                                                              "$match $sort",
		`[{"$match": {"a": 1}}, {"$sort": {"a": 1}}, {"$match": {"b": 1}}]`:                                                        "$match $sort",
		`[{"$sort": {"a": 1}}, {"$unset": "x"}, {"$skip": 2}, {"$limit": 2}]`:                                                      "$sort $skip $limit $unset",
		`[{"$limit": 5}, {"$match": {"b": 1}}, {"$limit": 3}, {"$limit": 2}]`:                                                      "$limit $match $limit",
		`[{"$redact": "$$KEEP"}, {"$limit": 3}]`:                                                                                   "$redact $limit",
		`[{"$set": {"x": 1}}, {"$match": {"x": 1}}, {"$count": "n"}, {"$match": {"n": 1}}]`:                                        "$set $match $count $match",
		`[{"$set": {"x": 1}}, {"$match": {"x": 1, "a": 2}}]`:                                                                       "$match $set $match",
		`[{"$project": {"a": 1, "b.c": 1, "d": "$e"}}, {"$match": {"a.z": 1, "b": 1, "d": 1, "f": 1}}]`:                            "$match $project $match",
		`[{"$unset": "x"}, {"$sort": {"a": 1}}, {"$match": {"a": 1, "_id": 1}}]`:                                                   "$match $unset $sort",
		`[{"$lookup": {"from": "o", "as": "x.y", "pipeline": []}}, {"$unwind": "$x.y"}, {"$match": {"a": 1, "x.y.b": 2}}]`:         "$match $lookup $match",
		`[{"$unwind": {"path": "$a", "includeArrayIndex": "i"}}, {"$match": {"$or": [{"b": 1}, {"c": 2}]}}, {"$match": {"i": 1}}]`: "$match $unwind $match",
		`[{"$unwind": "$a"}, {"$match": {"$or": [{"b": 1}, {"a": 2}], "$expr": "$c"}}]`:                                            "$match $unwind $match",
		`[{"$unwind": "$a"}, {"$match": {"$nor": [{"b": 1}, {"a": 2}]}}]`:                                                          "$match $unwind $match",
		`[{"$unwind": "$a"}, {"$match": {"b": {"$elemMatch": {"c": 1}}}}]`:                                                         "$unwind $match",
		`[{"$unwind": "$a"}, {"$limit": 1}, {"$match": {"b": 1}}]`:                                                                 "$unwind $limit $match",
		`[{"$project": {"a": "$b"}}, {"$limit": 1}, {"$match": {"_id": 1}}]`:                                                       "$limit $match $project",
		`[{"$unwind": "$a"}, {"$match": {"b": {"$size": 1, "$gt": 2}}}]`:                                                           "$match $unwind $match",
		`[{"$unwind": "$a"}, {"$match": {"$expr": {"$eq": ["$b.c", "$$ROOT.d"]}}}]`:                                                "$match $unwind",
		`[{"$unwind": "$a"}, {"$match": {"$expr": {"$eq": ["$a", "$b"]}}}]`:                                                        "$unwind $match",
	} {
		if got := strings.Join(mustCompile(t, text, testOptions).Stages(), " "); got != want {
			t.Errorf("%s runs as %s, want %s", text, got, want)
		}
	}
}

func TestWhatAPlannerTakesOver(t *testing.T) {
	t.Parallel()
	p := mustCompile(t, `[{"$match": {"a": {"$gt": 1}}}, {"$sort": {"a": 1}}, {"$skip": 1}, {"$limit": 2}]`, testOptions)
	if p.LeadingFilter() == nil || len(p.LeadingFilter().Conjunction().Predicates) != 1 {
		t.Fatal("the leading filter is not there")
	}
	o, limit, _ := p.LeadingOrdering()
	if o == nil || o.Fields()[0].Path != "a" || limit != 3 {
		t.Fatalf("leading ordering %v of %d documents, want a, of 3", o, limit)
	}
	for want, rest := range map[string]*Pipeline{
		"$sort $skip $limit":        p.Without(true, false),
		"$match $skip $limit":       p.Without(false, true),
		"$skip $limit":              p.Without(true, true),
		"$match $sort $skip $limit": p.Without(false, false),
	} {
		if got := strings.Join(rest.Stages(), " "); got != want {
			t.Errorf("left is %s, want %s", got, want)
		}
	}
	docs := array(t, `[{"a": 2}, {"a": 3}, {"a": 4}]`)
	out, err := drain(t, p.Without(true, true).Run(newSource(docs)))
	if err != nil || toJSON(out) != `[{"a":3},{"a":4}]` {
		t.Errorf("over a sorted source: %s, %v", toJSON(out), err)
	}
	none := mustCompile(t, `[{"$limit": 2}]`, testOptions)
	if o, _, _ := none.LeadingOrdering(); none.LeadingFilter() != nil || o != nil {
		t.Error("a pipeline without filter and sort has some")
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	f, err := filter.Compile(document(t, `{"tags": {"$gt": 1}}`), filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o, err := ordering.Compile(document(t, `{"_id": -1}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := projection.Compile(document(t, `{"tags.$": 1}`), projection.Find, nil)
	if err != nil {
		t.Fatal(err)
	}
	docs := array(t, `[{"_id": 1, "tags": [1, 2]}, {"_id": 2, "tags": [3]}, {"_id": 3, "tags": [1]}, {"_id": 4, "tags": [0, 1, 5]}]`)
	for want, query := range map[string]Find{
		`[{"_id":4,"tags":[5]},{"_id":2,"tags":[3]},{"_id":1,"tags":[2]}]`: {Filter: f, Ordering: o, Projection: p},
		`[{"_id":2,"tags":[3]}]`: {Filter: f, Ordering: o, Projection: p, Skip: 1, Limit: 1},
		`[{"_id":3,"tags":[1]}]`: {Skip: 2, Limit: 1},
	} {
		out, err := drain(t, FromFind(query).Run(newSource(docs)))
		if err != nil || toJSON(out) != want {
			t.Errorf("got %s, %v, want %s", toJSON(out), err, want)
		}
	}
}

func TestChangeStreamPipelines(t *testing.T) {
	t.Parallel()
	opts := Options{Source: "$changeStream"}
	p := mustCompile(t, `[{"$changeStream": {}}, {"$match": {"operationType": "insert"}}, {"$set": {"seen": true}}, {"$changeStreamSplitLargeEvent": {}}]`, opts)
	if !p.PerDocument() || !p.SplitsLargeEvents() {
		t.Fatalf("per document %t, splits %t", p.PerDocument(), p.SplitsLargeEvents())
	}
	var ctx expression.Context
	out, keep, err := p.Apply(&ctx, document(t, `{"_id": 1, "operationType": "insert"}`))
	if err != nil || !keep || !out.Lookup("seen").Bool() {
		t.Errorf("an insert gave %s, %t, %v", out.Shell(), keep, err)
	}
	if _, keep, err := p.Apply(&ctx, document(t, `{"_id": 2, "operationType": "delete"}`)); keep || err != nil {
		t.Errorf("a delete gave %t, %v", keep, err)
	}
	for text, code := range map[string]mongoerr.Code{
		`[{"$changeStream": {}}, {"$group": {"_id": 1}}]`:                                                     20,
		`[{"$changeStream": {}}, {"$sort": {"a": 1}}]`:                                                        20,
		`[{"$changeStream": {}}, {"$limit": 1}]`:                                                              20,
		`[{"$changeStream": {}}, {"$sort": {"a": 0}}]`:                                                        15975, // forms are checked first
		`[{"$changeStream": {}}, {"$foo": 1}]`:                                                                40324,
		`[{"$changeStream": {}}, {"$changeStream": {}}]`:                                                      40602,
		`[{"$changeStream": {}}, {"$changeStreamSplitLargeEvent": {}}, {"$match": {}}]`:                       7182802,
		`[{"$changeStream": {}}, {"$changeStreamSplitLargeEvent": {"a": 1}}]`:                                 7182800,
		`[{"$changeStream": {}}, {"$merge": {"into": "x"}}]`:                                                  20,
		`[{"$changeStream": {}}, {"$changeStreamSplitLargeEvent": {}}, {"$changeStreamSplitLargeEvent": {}}]`: 7182802,
	} {
		if _, err := Compile(array(t, text), opts); !mongoerr.Is(err, code) {
			t.Errorf("%s gave %v, want code %d", text, err, code)
		}
	}
	if _, err := Compile(array(t, `[{"$changeStreamSplitLargeEvent": {}}]`), testOptions); !mongoerr.Is(err, mongoerr.IllegalOperation) {
		t.Errorf("$changeStreamSplitLargeEvent alone gave %v, want IllegalOperation", err)
	}
}

func TestStagesThatAreNotThereYetSaySo(t *testing.T) {
	t.Parallel()
	for name, d := range stages {
		if d.compile != nil || d.expand != nil || d.position == first {
			continue
		}
		_, err := Compile(array(t, fmt.Sprintf(`[{"%s": {}}]`, name)), testOptions)
		if !mongoerr.Is(err, mongoerr.CommandNotSupported) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s gave %v, want CommandNotSupported that names it", name, err)
		}
	}
	if _, err := Compile(array(t, `[{"$planCacheStats": {}}]`), testOptions); !mongoerr.Is(err, mongoerr.CommandNotSupported) {
		t.Errorf("a source that the caller did not take gave %v", err)
	}
}

func TestManyMatchesAreNoDeepFilter(t *testing.T) {
	t.Parallel()
	text := "[" + strings.Repeat(`{"$match": {"a": 1}}, `, maxStages-1) + `{"$match": {"a": 1}}]`
	if _, err := Compile(array(t, text), testOptions); err != nil {
		t.Error(err)
	}
}

// TestManyMatchesTakeTheirShare holds that four times as many filters take about four times the memory, not sixteen times, to be compiled.
func TestManyMatchesTakeTheirShare(t *testing.T) { //nolint:paralleltest // allocations of others would count
	allocations := func(stages int) float64 {
		text := `[{"$project": {"a": 1, "d": "$x"}}`
		for i := range stages {
			text += fmt.Sprintf(`, {"$match": {"b%d": 1, "a.k%d": 1, "c%d": 1, "e%d": 1}}`, i, i, i, i)
		}
		pipeline := array(t, text+"]")
		return testing.AllocsPerRun(1, func() {
			if _, err := Compile(pipeline, Options{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocations(100), allocations(400)
	if many > 6*few {
		t.Errorf("%v allocations for 400 filters, %v for 100", many, few)
	}
}

func TestTooManyStages(t *testing.T) {
	t.Parallel()
	text := "[" + strings.Repeat(`{"$skip": 0}, `, maxStages) + `{"$skip": 0}]`
	if _, err := Compile(array(t, text), testOptions); !mongoerr.Is(err, mongoerr.FailedToParse) {
		t.Errorf("got %v, want FailedToParse", err)
	}
}

// However few documents are wanted, they are the first ones of the whole order, and those with equal keys come as they arrived.
func TestTopDocumentsAreThoseOfTheWholeSort(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	type row struct{ key, id int }
	for _, n := range []int{0, 1, 2, 10, 100} {
		rows := make([]row, n)
		docs := bsonraw.BeginArray(nil)
		for i := range rows {
			rows[i] = row{random.IntN(10), i}
			docs.AppendDoc(document(t, fmt.Sprintf(`{"_id": %d, "k": %d, "pad": "%s"}`, i, rows[i].key, strings.Repeat("x", random.IntN(50)))))
		}
		collection := bsonraw.Doc(docs.End())
		slices.SortStableFunc(rows, func(a, b row) int { return a.key - b.key })
		for _, limit := range []int{1, 2, 7, 99, 1000} {
			p := mustCompile(t, fmt.Sprintf(`[{"$sort": {"k": 1}}, {"$limit": %d}]`, limit), testOptions)
			out, err := drain(t, p.Run(newSource(collection)))
			if err != nil {
				t.Fatal(err)
			}
			want := rows[:min(limit, n)]
			if out.Len() != len(want) {
				t.Fatalf("%d of %d: got %d documents", limit, n, out.Len())
			}
			for i := range want {
				if id := int(out.At(i).Doc().Lookup("_id").Int32()); id != want[i].id {
					t.Fatalf("%d of %d: document %d is %d, want %d", limit, n, i, id, want[i].id)
				}
			}
		}
	}
}

// repeat gives the same document for ever.
type repeat struct {
	doc  bsonraw.Doc
	read int
}

func (s *repeat) Next(ctx context.Context) (bsonraw.Doc, error) {
	s.read++
	return s.doc, ctx.Err()
}

func TestSortKeepsToItsMemory(t *testing.T) {
	t.Parallel()
	doc := document(t, `{"a": "`+strings.Repeat("x", 1000)+`"}`)
	opts := testOptions
	opts.Memory = 1 << 20
	src := &repeat{doc: doc}
	_, err := mustCompile(t, `[{"$sort": {"a": 1}}]`, opts).Run(src).Next(t.Context())
	if !mongoerr.Is(err, mongoerr.QueryExceededMemoryLimitNoDiskUseAllowed) {
		t.Fatalf("got %v, want 292", err)
	}
	if src.read > 1200 {
		t.Errorf("read %d documents before it gave up", src.read)
	}
	// A limit keeps what is held small, however much is read.
	ctx, cancel := context.WithCancel(t.Context())
	limited := mustCompile(t, `[{"$sort": {"a": 1}}, {"$limit": 10}]`, opts).Run(&cancelAfter{src: src, left: 5000, cancel: cancel})
	if _, err := limited.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the context ended", err)
	}
}

// cancelAfter cancels the context after some documents.
type cancelAfter struct {
	src    Source
	left   int
	cancel context.CancelFunc
}

func (s *cancelAfter) Next(ctx context.Context) (bsonraw.Doc, error) {
	if s.left--; s.left == 0 {
		s.cancel()
	}
	return s.src.Next(ctx)
}

func TestLimitReadsNoMoreThanItNeeds(t *testing.T) {
	t.Parallel()
	src := newSource(array(t, `[{"_id": 1}, {"_id": 2}, {"_id": 3}, {"_id": 4}]`))
	out := mustCompile(t, `[{"$set": {"x": 1}}, {"$skip": 1}, {"$limit": 1}]`, testOptions).Run(src)
	if src.read != 0 {
		t.Errorf("%d documents were read before the first was asked for", src.read)
	}
	if _, err := drain(t, out); err != nil {
		t.Fatal(err)
	}
	if src.read != 2 {
		t.Errorf("%d documents were read, want 2", src.read)
	}
	if _, err := out.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want io.EOF", err)
	}
}

func TestResultsTooLargeForAReplyAreRefused(t *testing.T) {
	t.Parallel()
	doc := document(t, `{"_id": 7, "s": "`+strings.Repeat("x", 1<<20)+`"}`)
	spec := `[{"$project": {"r": [` + strings.TrimSuffix(strings.Repeat(`"$s", `, 17), ", ") + `]}}`
	_, err := mustCompile(t, spec+`]`, testOptions).Run(&repeat{doc: doc}).Next(t.Context())
	if !mongoerr.Is(err, mongoerr.BSONObjectTooLarge) || !strings.Contains(err.Error(), "First element: _id: 7") {
		t.Errorf("got %v, want BSONObjectTooLarge", err)
	}
	if _, err := mustCompile(t, spec+`, {"$unset": "r"}]`, testOptions).Run(&repeat{doc: doc}).Next(t.Context()); err != nil {
		t.Errorf("what is too large on the way only: %v", err)
	}
}

func TestPlainPipelinesDoNotAllocate(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	p := mustCompile(t, `[{"$match": {"a": {"$gt": 1}}}, {"$set": {"b": {"$add": ["$a", 1]}}}, {"$project": {"b": 1}}]`, testOptions)
	src := p.Run(&repeat{doc: document(t, `{"_id": 1, "a": 5, "c": "text"}`)})
	ctx := t.Context()
	allocs := testing.AllocsPerRun(100, func() {
		if _, err := src.Next(ctx); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%.0f allocations a document, want none", allocs)
	}
}

func BenchmarkRun(b *testing.B) {
	docs := bsonraw.BeginArray(nil)
	for i := range 1000 {
		docs.AppendDoc(document(b, fmt.Sprintf(`{"_id": %d, "a": %d, "name": "customer %d"}`, i, i*7919%1000, i)))
	}
	collection := bsonraw.Doc(docs.End())
	for name, text := range map[string]string{
		"match":   `[{"$match": {"a": {"$lt": 100}}}]`,
		"project": `[{"$project": {"a": 1, "double": {"$multiply": ["$a", 2]}}}]`,
		"sort":    `[{"$sort": {"a": 1}}]`,
		"top":     `[{"$sort": {"a": 1}}, {"$limit": 10}]`,
		"count":   `[{"$match": {"a": {"$gte": 500}}}, {"$count": "n"}]`,
	} {
		b.Run(name, func(b *testing.B) {
			p := mustCompile(b, text, testOptions)
			b.ReportAllocs()
			for b.Loop() {
				src := p.Run(&walkSource{it: collection.Iter()})
				for {
					if _, err := src.Next(b.Context()); err != nil {
						break
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/doc")
		})
	}
}

// walkSource gives the documents of an array where they are.
type walkSource struct{ it bsonraw.Iter }

func (s *walkSource) Next(context.Context) (bsonraw.Doc, error) {
	if !s.it.Next() {
		return nil, io.EOF
	}
	return s.it.Value().Doc(), nil
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`[{"$match": {"a": 1}}, {"$project": {"a": 1}}]`, `[{"$sort": {"a": -1}}, {"$limit": 1}]`, `[{"$set": {"b.c": "$a"}}, {"$unset": "a"}]`,
		`[{"$replaceWith": {"x": "$$ROOT"}}, {"$count": "n"}]`, `[{"$redact": {"$cond": ["$a", "$$DESCEND", "$$PRUNE"]}}]`, `[{"$skip": 1}]`,
		`[{"$match": {"$expr": {"$gt": ["$a", 0]}}}, {"$sort": {"b.c": 1, "a": -1}}, {"$match": {}}]`, `[{"$group": {"_id": 1}}]`,
	} {
		f.Add([]byte(array(f, text)))
	}
	docs := array(f, `[{"_id": 1, "a": [1, {"b": 2}], "b": {"c": [3, 4]}}, {"_id": 2, "a": "x"}, {"_id": 3}]`)
	f.Fuzz(func(t *testing.T, pipeline []byte) {
		if bsonraw.Validate(pipeline, bsonraw.MaxMessageDepth) != nil {
			return
		}
		p, err := Compile(pipeline, testOptions)
		if err != nil {
			return
		}
		out, err := drain(t, p.Run(newSource(docs)))
		if err != nil {
			return
		}
		if err := bsonraw.Validate(out, 1<<20); err != nil {
			t.Errorf("the result is not well formed: %v", err)
		}
	})
}
