package bsonraw_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

func document(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatalf("encode %s: %v", text, err)
	}
	return b
}

func TestPathParts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a":             "a/-1",
		"a.b.0":         "a/-1 b/-1 0/0",
		"a.10.00":       "a/-1 10/10 00/-1",
		"":              "/-1",
		"a..b.":         "a/-1 /-1 b/-1 /-1",
		"1234567890":    "1234567890/-1",
		"$a.$.$[]":      "$a/-1 $/-1 $[]/-1",
		"a.+1.-1.1x.1 ": "a/-1 +1/-1 -1/-1 1x/-1 1 /-1",
	} {
		var parts []string
		for _, part := range bsonraw.NewPath(text).Parts() {
			parts = append(parts, fmt.Sprintf("%s/%d", part.Name, part.Index))
		}
		if got := strings.Join(parts, " "); got != want {
			t.Errorf("path %q: got %q, want %q", text, got, want)
		}
	}
	p := bsonraw.NewPath("a.b.c")
	if got := p.From(1).String(); got != "b.c" {
		t.Errorf("a.b.c without its first part: %q", got)
	}
	if got := p.From(3).Len(); got != 0 {
		t.Errorf("a.b.c without its parts: %d", got)
	}
}

func TestPathCovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		p, q string
		want bool
	}{{"a", "a", true}, {"a", "a.b", true}, {"a.b", "a", false}, {"a", "ab", false}, {"a.b", "a.bc", false}} {
		if got := bsonraw.NewPath(c.p).Covers(bsonraw.NewPath(c.q)); got != c.want {
			t.Errorf("%s covers %s: %v", c.p, c.q, got)
		}
	}
}

func TestPathLookup(t *testing.T) {
	t.Parallel()
	doc := document(t, `{"a": {"b": [5, {"c": 7}], "0": "zero"}, "x": 1}`)
	for path, want := range map[string]string{
		"a.b.0": "5", "a.b.1.c": "7", "a.0": `"zero"`, "x": "1", "x.y": "missing", "a.b.c": "missing", "a.b.2": "missing", "": "missing",
	} {
		if got := bsonraw.NewPath(path).Lookup(doc).Shell(); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// TestPathWalk names every value that a walk visits, with its position.
func TestPathWalk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, path, spread, whole string }{
		{`{"a": 1}`, "a", "1", "1"},
		{`{}`, "a", "missing", "missing"},
		{`{"a": 1}`, "a.b", "missing", "missing"},
		{`{"a": [1, 2]}`, "a", "1@0 2@1 [ 1, 2 ]", "[ 1, 2 ]"},
		{`{"a": []}`, "a", "[]", "[]"},
		{`{"a": [[1]]}`, "a", "[ 1 ]@0 [ [ 1 ] ]", "[ [ 1 ] ]"},
		{`{"a": []}`, "a.b", "", ""},
		{`{"a": [1, {"b": 2}, {"c": 3}, [{"b": 4}]]}`, "a.b", "2@1 missing@2", "2@1 missing@2"},
		{`{"a": [{"b": [1, 2]}, {"b": 3}]}`, "a.b", "1@0 2@0 [ 1, 2 ]@0 3@1", "[ 1, 2 ]@0 3@1"},
		{`{"a": [[5], 6]}`, "a.0", "[ 5 ]", "[ 5 ]"},
		{`{"a": [{"0": 5}]}`, "a.0", "5@0 { 0: 5 }", "5@0 { 0: 5 }"},
		{`{"a": [{"b": 5}]}`, "a.0.b", "missing@0 5", "missing@0 5"},
		{`{"a": [[{"b": 5}]]}`, "a.0.b", "5@0", "5@0"},
		{`{"a": [[5]]}`, "a.0.0", "5", "5"},
		{`{"a": {"0": [7]}}`, "a.0", "7@0 [ 7 ]", "[ 7 ]"},
		{`{"a": [{"b": [{"c": 1}]}, {"b": [{"c": 2}]}]}`, "a.b.c", "1@0 2@1", "1@0 2@1"},
		{`{"a": [5]}`, "a.0.b", "", ""},
	} {
		doc, p := document(t, c.doc), bsonraw.NewPath(c.path)
		for leaf, want := range map[bsonraw.Leaf]string{bsonraw.LeafSpread: c.spread, bsonraw.LeafWhole: c.whole} {
			if got := visited(doc, p, leaf); got != want {
				t.Errorf("%s in %s, leaf %d: got %q, want %q", c.path, c.doc, leaf, got, want)
			}
		}
	}
}

func visited(doc bsonraw.Doc, p bsonraw.Path, leaf bsonraw.Leaf) string {
	var out []string
	p.Walk(doc, leaf, func(v bsonraw.Value, position int) bool {
		text := v.Shell()
		if position >= 0 {
			text += fmt.Sprintf("@%d", position)
		}
		out = append(out, text)
		return true
	})
	return strings.Join(out, " ")
}

func TestPathWalkStops(t *testing.T) {
	t.Parallel()
	doc := document(t, `{"a": [{"b": [1, 2]}, {"b": [3, 4]}]}`)
	p := bsonraw.NewPath("a.b")
	for want := 1; want <= 6; want++ {
		n := 0
		finished := p.Walk(doc, bsonraw.LeafSpread, func(bsonraw.Value, int) bool { n++; return n < want })
		if n != want || finished {
			t.Errorf("stopped after %d values, finished %v; want %d", n, finished, want)
		}
	}
	if !p.Walk(doc, bsonraw.LeafSpread, func(bsonraw.Value, int) bool { return true }) {
		t.Error("a walk to the end says that it was stopped")
	}
}

// TestKeyWalk names the tuples of a document.
func TestKeyWalk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		doc, want string
		arrays    uint64
		paths     []string
	}{
		{`{"a": 1, "b": 2}`, "1 2", 0, []string{"a", "b"}},
		{`{}`, "missing", 0, []string{"a.b"}},
		{`{"a": 5}`, "missing", 0, []string{"a.b"}},
		{`{"a": [1, 2], "b": 3}`, "1 3, 2 3", 1, []string{"a", "b"}},
		{`{"a": [], "b": 3}`, "undefined missing 3", 3, []string{"a", "a.c", "b"}},
		{`{"a": [[1, 2], 3]}`, "[ 1, 2 ], 3", 1, []string{"a"}},
		{`{"a": [{"b": 1, "c": 2}, {"b": 3}, 4]}`, "1 2, 3 missing, missing missing", 3, []string{"a.b", "a.c"}}, //nolint:dupword // two paths that lead nowhere
		{`{"a": [{"b": [1, 2], "c": 3}]}`, "1 3, 2 3", 3, []string{"a.b", "a.c"}},
		{`{"a": [[{"b": 1}]]}`, "missing", 1, []string{"a.b"}},
		{`{"a": [5, 6]}`, "5, 5", 1, []string{"a.0"}},
		{`{"a": [[5, 6]]}`, "[ 5, 6 ], [ 5, 6 ]", 1, []string{"a.0"}},
		{`{"a": [{"b": 5}, {"b": 6}]}`, "5, 5", 1, []string{"a.0.b"}},
		{`{"a": [1, {"b": 2}], "c": 9}`, "1 missing 9, { b: 2 } 2 9", 3, []string{"a", "a.b", "c"}},
	} {
		w := bsonraw.NewKeyWalk(paths(c.paths))
		for range 2 { // the second time with what the first has left
			got, err := tuples(w, document(t, c.doc))
			if err != nil || got != c.want {
				t.Errorf("%v of %s: got %q, error %v, want %q", c.paths, c.doc, got, err, c.want)
			}
		}
		var arrays uint64
		for i, parts := range w.Arrays() {
			if parts != 0 {
				arrays |= 1 << i
			}
		}
		if arrays != c.arrays {
			t.Errorf("%v of %s: paths with arrays %b, want %b", c.paths, c.doc, arrays, c.arrays)
		}
	}
}

func TestKeyWalkArrays(t *testing.T) {
	t.Parallel()
	w := bsonraw.NewKeyWalk(paths([]string{"a.b", "a.b.c", "a.d", "e"}))
	for _, step := range []struct{ doc, want string }{
		{`{"a": {"b": 1}}`, "[0 0 0 0]"},
		{`{"a": {"b": [1]}}`, "[10 10 0 0]"},
		{`{"a": [{"d": [1]}]}`, "[11 11 11 0]"},
		{`{"e": []}`, "[11 11 11 1]"},
	} {
		if _, err := tuples(w, document(t, step.doc)); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%b", w.Arrays()); got != step.want {
			t.Errorf("after %s: %s, want %s", step.doc, got, step.want)
		}
	}
}

func TestKeyWalkErrors(t *testing.T) {
	t.Parallel()
	var parallel *bsonraw.ParallelArraysError
	_, err := tuples(bsonraw.NewKeyWalk(paths([]string{"a", "x.b", "x.c"})), document(t, `{"a": 1, "x": {"b": [1], "c": []}}`))
	if !errors.As(err, &parallel) || parallel.First != "c" || parallel.Second != "b" {
		t.Errorf("two arrays: %v", err)
	}
	var ambiguous *bsonraw.AmbiguousFieldError
	_, err = tuples(bsonraw.NewKeyWalk(paths([]string{"a.0"})), document(t, `{"a": [{"0": 1}]}`))
	if !errors.As(err, &ambiguous) || ambiguous.Field != "0" {
		t.Errorf("a number that is a name and a position: %v", err)
	}
	stop := errors.New("stop")
	if err := bsonraw.NewKeyWalk(paths([]string{"a"})).Each(document(t, `{"a": [1, 2]}`), func([]bsonraw.Value) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error of the visitor: %v", err)
	}
}

func paths(list []string) []bsonraw.Path {
	var out []bsonraw.Path
	for _, p := range list {
		out = append(out, bsonraw.NewPath(p))
	}
	return out
}

func tuples(w *bsonraw.KeyWalk, doc bsonraw.Doc) (string, error) {
	var out []string
	err := w.Each(doc, func(values []bsonraw.Value) error {
		var texts []string
		for _, v := range values {
			texts = append(texts, v.Shell())
		}
		out = append(out, strings.Join(texts, " "))
		return nil
	})
	return strings.Join(out, ", "), err
}

func TestPathsAllocateNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	doc := document(t, `{"x": {"y": 1}, "a": [{"b": [1, 2], "c": 3}, {"b": 4}, 5]}`)
	p := bsonraw.NewPath("a.b")
	w := bsonraw.NewKeyWalk(paths([]string{"a.b", "a.c", "x.y"}))
	n := 0
	for name, run := range map[string]func(){
		"walk":   func() { p.Walk(doc, bsonraw.LeafSpread, func(bsonraw.Value, int) bool { n++; return true }) },
		"lookup": func() { p.Lookup(doc) },
		"keys":   func() { _ = w.Each(doc, func([]bsonraw.Value) error { n++; return nil }) },
	} {
		if allocs := testing.AllocsPerRun(100, run); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}

func TestNamesVisit(t *testing.T) {
	t.Parallel()
	doc := document(t, `{"b": 1, "aa": 2, "a": 3, "c": [4], "b2": 5}`)
	for _, c := range []struct {
		names, want string
		stop        int
	}{
		{"a b", "b=1 a=3 missing 0", 9},
		{"x a y", "a=3 missing 101", 9},
		{"x", "missing 1", 9},
		{"b aa c", "b=1 aa=2 stopped", 2},
		{"c", "c=[ 4 ] missing 0", 9},
	} {
		list := strings.Fields(c.names)
		names := bsonraw.NewNames(list)
		var got []string
		missing, finished := names.Visit(doc, func(i int, v bsonraw.Value) bool {
			got = append(got, list[i]+"="+v.Shell())
			return len(got) < c.stop
		})
		if finished {
			got = append(got, fmt.Sprintf("missing %b", missing))
		} else {
			got = append(got, "stopped")
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: got %q, want %q", c.names, text, c.want)
		}
	}
	long := strings.Repeat("n", 70)
	names := bsonraw.NewNames([]string{long})
	if missing, _ := names.Visit(document(t, `{"`+long+`x": 1, "`+long+`": 2}`), func(_ int, v bsonraw.Value) bool { return v.Int32() == 2 }); missing != 0 {
		t.Error("a long name is not found")
	}
	if missing, finished := names.Visit(nil, func(int, bsonraw.Value) bool { return false }); missing != 1 || !finished {
		t.Errorf("no document at all: missing %b, finished %v", missing, finished)
	}
}
