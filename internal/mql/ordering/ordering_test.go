package ordering_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/ordering"
)

const arrow = "  => "

// TestGolden runs the table: documents, one a line with its number, and specifications with the order that they put the
// documents into ("=" between those that are equal), or the error. Every line was compared with mongod 6.0.5.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Lines(t, func(t *testing.T) func(string) string {
		t.Helper()
		var docs []row
		return func(line string) string {
			number, doc, isDoc := strings.Cut(line, " ")
			if isDoc && strings.Trim(number, "0123456789") == "" {
				docs = append(docs, row{number: number, doc: parse(t, doc)})
				return line
			}
			spec, _, _ := strings.Cut(line, arrow)
			return spec + arrow + outcome(parse(t, spec), docs)
		}
	})
}

type row struct {
	number string
	doc    bsonraw.Doc
	key    []byte
}

func outcome(spec bsonraw.Doc, docs []row) string {
	o, err := ordering.Compile(spec, nil)
	if err != nil {
		return errorText(err)
	}
	sorted := slices.Clone(docs)
	for i := range sorted {
		if sorted[i].key, err = o.AppendKey(nil, sorted[i].doc); err != nil {
			return errorText(err)
		}
	}
	slices.SortStableFunc(sorted, func(a, b row) int { return bytes.Compare(a.key, b.key) })
	text := ""
	for i, r := range sorted {
		switch {
		case i == 0:
		case bytes.Equal(r.key, sorted[i-1].key):
			text += "="
		default:
			text += " "
		}
		text += r.number
	}
	return text
}

func errorText(err error) string {
	var e *mongoerr.Error
	if !errors.As(err, &e) {
		return "not a server error: " + err.Error()
	}
	return fmt.Sprintf("error %d: %s", e.Code, e.Msg)
}

func parse(t testing.TB, text string) bsonraw.Doc {
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

func compile(t testing.TB, text string) *ordering.Ordering {
	t.Helper()
	o, err := ordering.Compile(parse(t, text), nil)
	if err != nil {
		t.Fatalf("compile %s: %v", text, err)
	}
	return o
}

func TestFields(t *testing.T) {
	t.Parallel()
	got := compile(t, `{"a": 1, "b.c": -1.9, "d": {"$numberDecimal": "-1"}}`).Fields()
	want := []ordering.Field{{Path: "a"}, {Path: "b.c", Descending: true}, {Path: "d", Descending: true}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestKeysAppend(t *testing.T) {
	t.Parallel()
	o := compile(t, `{"a": 1, "b": -1}`)
	doc := parse(t, `{"a": [3, 1, 2], "b": "x"}`)
	alone, err := o.AppendKey(nil, doc)
	if err != nil {
		t.Fatal(err)
	}
	behind, err := o.AppendKey([]byte("before"), doc)
	if err != nil || string(behind) != "before"+string(alone) {
		t.Errorf("behind other bytes the key is %x, error %v; alone it is %x", behind, err, alone)
	}
	parallel := parse(t, `{"a": [1], "b": [2]}`)
	if rest, err := o.AppendKey([]byte("before"), parallel); !mongoerr.Is(err, mongoerr.BadValue) || string(rest) != "before" {
		t.Errorf("after an error %q is left, error %v", rest, err)
	}
}

func TestNatural(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		`{"$natural": 1}`:          "backwards false, ok true",
		`{"$natural": -1}`:         "backwards true, ok true",
		`{"a": 1}`:                 "backwards false, ok false",
		`{}`:                       "backwards false, ok false",
		`{"a": 1, "$natural": -1}`: "error 2: Cannot include '$natural' in compound sort: { a: 1, $natural: -1 }",
		`{"$natural": "x"}`:        `error 2: $natural must be 1 or -1, not "x"`,
	} {
		backwards, ok, err := ordering.Natural(parse(t, spec))
		got := fmt.Sprintf("backwards %v, ok %v", backwards, ok)
		if err != nil {
			got = errorText(err)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", spec, got, want)
		}
	}
}

func TestTooManyFields(t *testing.T) {
	t.Parallel()
	d, at := bsonraw.BeginDoc(nil)
	for i := range 33 {
		d = bsonraw.AppendInt32(d, fmt.Sprint("f", i), 1)
	}
	if _, err := ordering.Compile(bsonraw.EndDoc(d, at), nil); !mongoerr.Is(err, 13103) {
		t.Errorf("33 fields: %v", err)
	}
	if _, err := ordering.Compile(element(strings.Repeat("a.", 250)+"a"), nil); !mongoerr.Is(err, mongoerr.Overflow) {
		t.Errorf("a path of 251 names: %v", err)
	}
}

func element(name string) bsonraw.Doc {
	d, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(bsonraw.AppendInt32(d, name, 1), at)
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	o := compile(t, `{"a.b": 1, "a.c": -1}`)
	doc := parse(t, `{"a": [{"b": 2, "c": 1}, {"b": 1, "c": 2}, {"b": 1, "c": 3}]}`)
	want, err := o.AppendKey(nil, doc)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if got, err := o.AppendKey(nil, doc); !bytes.Equal(got, want) || err != nil {
					t.Errorf("key %x, error %v; want %x", got, err, want)
				}
			}
		})
	}
	all.Wait()
}

var (
	everydayDoc   = `{"_id": 1, "name": {"first": "Ada", "last": "Lovelace"}, "age": 36, "tags": [3, 1, 2], "items": [{"q": 2, "p": 5}, {"q": 1, "p": 7}]}`
	everydaySorts = []string{`{"age": -1}`, `{"name.last": 1, "age": -1, "_id": 1}`, `{"tags": 1}`, `{"items.q": 1, "items.p": -1}`}
)

func BenchmarkAppendKey(b *testing.B) {
	doc := parse(b, everydayDoc)
	dst := make([]byte, 0, 256)
	for _, spec := range everydaySorts {
		o := compile(b, spec)
		b.Run(spec, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, err = o.AppendKey(dst[:0], doc); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzOrdering compiles any document as a specification and orders any other with it. Nothing may panic, and a key must not
// depend on what the ordering has seen before.
func FuzzOrdering(f *testing.F) {
	text, err := os.ReadFile("testdata/order.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if spec, _, ok := strings.Cut(line, arrow); ok {
			f.Add([]byte(parse(f, spec)), []byte(parse(f, everydayDoc)))
			f.Add([]byte(parse(f, spec)), []byte(parse(f, `{"a": [[1, {"b": [2]}], {"b": {"c": []}}], "b": "x\u0000"}`)))
		}
	}
	f.Fuzz(func(t *testing.T, spec, doc []byte) {
		if bsonraw.Validate(spec, bsonraw.MaxMessageDepth) != nil || bsonraw.Validate(doc, bsonraw.MaxMessageDepth) != nil {
			return
		}
		_, _, _ = ordering.Natural(spec)
		o, err := ordering.Compile(spec, nil)
		if err != nil {
			return
		}
		first, err := o.AppendKey(nil, doc)
		again, errAgain := o.AppendKey(nil, doc)
		if !bytes.Equal(first, again) || (err == nil) != (errAgain == nil) {
			t.Fatalf("key %x, error %v; the second time %x, error %v", first, err, again, errAgain)
		}
		if err == nil && len(first) == 0 {
			t.Fatal("a key is empty")
		}
	})
}
