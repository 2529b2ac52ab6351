package projection

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

func mustCompile(t testing.TB, kind, spec string) *Projection {
	t.Helper()
	p, err := compile(kind, fromJSON(t, spec))
	if err != nil {
		t.Fatalf("%s %s: %v", kind, spec, err)
	}
	return p
}

// With many fields, entries are found by a map and marked in more than one word.
func TestManyFields(t *testing.T) {
	t.Parallel()
	var doc, include, add, want strings.Builder
	for i := range 300 {
		fmt.Fprintf(&doc, `, "f%d": %d`, i, i)
		if i%2 == 0 {
			fmt.Fprintf(&include, `, "f%d": 1`, 299-i-1)
		}
		fmt.Fprintf(&add, `, "g%d": "$f%d"`, i, 299-i)
		if i%2 == 0 {
			fmt.Fprintf(&want, `,"f%d":%d`, i, i)
		}
	}
	input := fromJSON(t, `{"_id": 1`+doc.String()+`}`).Doc()
	var ctx expression.Context
	out, err := mustCompile(t, "project", `{"_id": 1`+include.String()+`}`).Append(nil, &ctx, input)
	if err != nil {
		t.Fatal(err)
	}
	if got := toJSON(out); got != `{"_id":1`+want.String()+`}` {
		t.Errorf("inclusion of 150 fields gave %s", got)
	}
	out, err = mustCompile(t, "addFields", `{"_id": 2`+add.String()+`}`).Append(nil, &ctx, input)
	if err != nil {
		t.Fatal(err)
	}
	if got := bsonraw.Doc(out).Len(); got != 601 {
		t.Errorf("adding 300 fields to 301 gave %d", got)
	}
	if got := bsonraw.Doc(out).Lookup("g0").Int32(); got != 299 {
		t.Errorf("g0 is %d, want 299", got)
	}
}

func TestAppendAppends(t *testing.T) {
	t.Parallel()
	var ctx expression.Context
	out, err := mustCompile(t, "find", `{"a": 1, "_id": 0}`).Append([]byte("before"), &ctx, fromJSON(t, `{"_id": 1, "a": 2}`).Doc())
	if err != nil {
		t.Fatal(err)
	}
	rest, ok := bytes.CutPrefix(out, []byte("before"))
	if !ok || toJSON(rest) != `{"a":2}` {
		t.Errorf("got %q", out)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]bool{`{}`: true, `{"a": 0}`: false, `{"_id": 1}`: false} {
		if got := mustCompile(t, "find", spec).Identity(); got != want {
			t.Errorf("projection %s: identity is %t, want %t", spec, got, want)
		}
	}
}

func TestErrorsOfExpressionsReachTheCaller(t *testing.T) {
	t.Parallel()
	var ctx expression.Context
	doc := fromJSON(t, `{"_id": 1, "a": [{"b": 1}], "s": "x"}`).Doc()
	for _, spec := range []string{`{"x": {"$abs": "$s"}}`, `{"a": {"y": {"$abs": "$s"}}}`, `{"q": {"y": {"$abs": "$s"}}}`} {
		if _, err := mustCompile(t, "project", spec).Append(nil, &ctx, doc); !mongoerr.Is(err, 28765) {
			t.Errorf("%s gave %v, want 28765", spec, err)
		}
	}
}

// Duplicate names, which documents of the wire may have, must not break the output.
func TestDuplicateNames(t *testing.T) {
	t.Parallel()
	spec, at := bsonraw.BeginDoc(nil)
	spec = bsonraw.AppendInt32(bsonraw.AppendInt32(spec, "a", 1), "a", 1)
	spec = bsonraw.EndDoc(spec, at)
	if _, err := Compile(spec, Find, nil); !mongoerr.Is(err, 31250) {
		t.Errorf("a field given twice to find: %v, want 31250", err)
	}
	if _, err := Compile(spec, AddFields, nil); !mongoerr.Is(err, 40176) {
		t.Errorf("a field given twice to $addFields: %v, want 40176", err)
	}
}

func TestPlainProjectionsDoNotAllocate(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	doc := fromJSON(t, `{"_id": 1, "a": 5, "b": {"c": 1, "d": 2}, "items": [{"p": 1, "q": 2}, {"p": 3}], "z": "text"}`).Doc()
	for _, c := range []struct{ kind, spec string }{
		{"find", `{"a": 1, "z": 1}`},
		{"find", `{"b.c": 0, "items.q": 0}`},
		{"find", `{"items": {"$slice": 1}}`},
		{"project", `{"b.d": 1, "items.p": 1, "_id": 0}`},
		{"project", `{"x": "$a", "big": {"$gt": ["$a", 3]}}`},
		{"addFields", `{"b.e": "$z", "a": {"$add": ["$a", 1]}, "o": {"p": "$a"}}`},
		{"unset", `["b.c", "z"]`},
	} {
		p := mustCompile(t, c.kind, c.spec)
		var ctx expression.Context
		buf := make([]byte, 0, 1<<10)
		allocs := testing.AllocsPerRun(100, func() {
			ctx.Reset()
			if _, err := p.Append(buf[:0], &ctx, doc); err != nil {
				t.Fatal(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s %s: %.0f allocations a document, want none", c.kind, c.spec, allocs)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	doc := fromJSON(b, `{"_id": 1, "a": 5, "b": {"c": 1, "d": 2}, "items": [{"p": 1, "q": 2}, {"p": 3}], "z": "text"}`).Doc()
	for _, c := range []struct{ name, kind, spec string }{
		{"include", "find", `{"a": 1, "z": 1}`},
		{"exclude", "find", `{"b.c": 0, "items.q": 0}`},
		{"compute", "project", `{"x": "$a", "big": {"$gt": ["$a", 3]}}`},
		{"addFields", "addFields", `{"b.e": "$z", "a": {"$add": ["$a", 1]}}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := mustCompile(b, c.kind, c.spec)
			var ctx expression.Context
			buf := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			for b.Loop() {
				ctx.Reset()
				if _, err := p.Append(buf[:0], &ctx, doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`{"a": 1, "b.c": 1}`, `{"a": 0, "b": {"c": 0}}`, `{"_id": 0, "x": {"$add": ["$a", 1]}}`, `{"a": {"$slice": [1, 2]}}`,
		`{"a": {"$elemMatch": {"b": 3}}}`, `{"a.$": 1}`, `{"b": {"c": {"d": "$a"}}, "q": ["$a"]}`, `{"a.b": {"$literal": 1}}`, `{"": 1}`,
	} {
		f.Add([]byte(fromJSON(f, text).Doc()), uint8(0), 0)
		f.Add([]byte(fromJSON(f, text).Doc()), uint8(1), -1)
		f.Add([]byte(fromJSON(f, text).Doc()), uint8(2), -1)
	}
	doc := fromJSON(f, `{"_id": 1, "a": [1, [2], {"b": 3}], "b": {"a": "x", "c": {"d": [1, {"e": 2}]}}, "c": null}`).Doc()
	f.Fuzz(func(t *testing.T, spec []byte, kind uint8, position int) {
		if bsonraw.Validate(spec, bsonraw.MaxMessageDepth) != nil {
			return
		}
		p, err := Compile(spec, Kind(kind%3), nil)
		if err != nil || p.Optimize() != nil {
			return
		}
		out, err := p.AppendAt(nil, new(expression.Context), doc, position)
		if err != nil {
			return
		}
		if err := bsonraw.Validate(out, 3*bsonraw.MaxMessageDepth); err != nil {
			t.Errorf("the result is not well formed: %v", err)
		}
	})
}
