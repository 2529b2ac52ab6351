package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/enginetest"
	"github.com/sluicestream/sluice/internal/golden"
)

// renderCase is a block of testdata/render.txt: a title with options, an event in Extended JSON, and its line after "> ", in
// which ESC stands as ␛. That of an invalidate event is the last, because it ends the stream.
type renderCase struct{ title, source string }

func TestRendering(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "render.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []renderCase
	for block := range strings.SplitSeq(strings.TrimSpace(string(text)), "\n\n") {
		title, rest, _ := strings.Cut(block, "\n")
		source, _, _ := strings.Cut(rest, "\n")
		cases = append(cases, renderCase{title, source})
	}
	var out strings.Builder
	for i, e := range eventsOf(t, cases) {
		c := cases[i]
		fmt.Fprintf(&out, "%s\n%s\n> %s\n\n", c.title, c.source, strings.ReplaceAll(c.render(t, e), "\x1b", "␛"))
	}
	golden.Compare(t, "testdata/render.txt", strings.TrimSuffix(out.String(), "\n"))
}

// eventsOf gives the cases' events the way that events come: a pipeline makes them of inserted documents.
func eventsOf(t *testing.T, cases []renderCase) []event {
	t.Helper()
	coll := enginetest.Start(t).Database(t).Collection("events")
	stream, err := sluice.Watch[bson.Raw](t.Context(), coll, mongo.Pipeline{{{Key: "$replaceWith", Value: bson.D{
		{Key: "$mergeObjects", Value: bson.A{"$fullDocument.event", bson.D{{Key: "_id", Value: "$_id"}}}},
	}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	var events []event
	for _, c := range cases {
		var source bson.Raw
		if err := bson.UnmarshalExtJSON([]byte(c.source), false, &source); err != nil {
			t.Fatalf("%s: %v", c.title, err)
		}
		if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "event", Value: source}}); err != nil {
			t.Fatalf("%s: %v", c.title, err)
		}
		e, err := stream.Next(within(t))
		if err != nil {
			t.Fatalf("%s: %v", c.title, err)
		}
		events = append(events, e)
	}
	return events
}

// render renders the case's event as its options say.
func (c renderCase) render(t *testing.T, e event) string {
	t.Helper()
	columns := fileColumns
	r := &textRenderer{
		columns: func() int { return columns },
		zone:    time.UTC,
		now:     func() time.Time { return time.Date(2026, 3, 4, 23, 0, 0, 0, time.UTC) },
	}
	for option := range strings.FieldsSeq(c.title) {
		if width, ok := strings.CutPrefix(option, "width="); ok {
			n, err := strconv.Atoi(width)
			if err != nil {
				t.Fatal(err)
			}
			columns = n
		}
		r.coloured = r.coloured || option == "coloured"
	}
	line, err := r.render(e)
	if err != nil {
		t.Fatalf("%s: %v", c.title, err)
	}
	rest, ok := strings.CutSuffix(string(line), "\n")
	if !ok || strings.Contains(rest, "\n") {
		t.Errorf("%s: not one line: %q", c.title, line)
	}
	return rest
}

// TestJSONOfEveryString holds that the JSON of a document is the document, whatever its strings hold.
func TestJSONOfEveryString(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"db.a", `db.a"b\`, `"},"x":{"`, "db.\u00e9<>&\u2028", "\x1b\n\u007f\u009b"} {
		doc := bson.D{
			{Key: s, Value: s},
			{Key: "pointer", Value: bson.DBPointer{DB: s}},
			{Key: "within", Value: bson.A{bson.D{{Key: "p", Value: bson.DBPointer{DB: s}}}, bson.DBPointer{DB: s}}},
			{Key: "scope", Value: bson.CodeWithScope{Code: bson.JavaScript(s), Scope: bson.D{{Key: "p", Value: bson.DBPointer{DB: s}}}}},
			{Key: "symbol", Value: bson.Symbol(s)},
			{Key: "code", Value: bson.JavaScript(s)},
			{Key: "regex", Value: bson.Regex{Pattern: s}},
		}
		want, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		line, err := lineOfJSON(want)
		if err != nil {
			t.Fatal(err)
		}
		checkText(t, line)
		var got bson.Raw
		if err := bson.UnmarshalExtJSON(line, true, &got); err != nil {
			t.Fatalf("%q: %v: %s", s, err, line)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%q: another document: %s", s, line)
		}
	}
}

// FuzzRendering holds that no document, however malformed, makes a line that is more than text or wider than allowed.
func FuzzRendering(f *testing.F) {
	doc := bson.D{
		{Key: "\x07\u009b", Value: "a\x1b[2Jb\u202ec\u009b31m\x7f"},
		{Key: "wide", Value: "日本語"},
		{Key: "marks", Value: "e\u0301\u0301"},
		{Key: "code", Value: bson.CodeWithScope{Code: "x", Scope: bson.D{{Key: "a", Value: 1}}}},
		{Key: "pointer", Value: bson.DBPointer{DB: "x\x81\""}},
		{Key: "binary", Value: bson.Binary{Subtype: 2, Data: []byte{1, 2}}},
		{Key: "array", Value: bson.A{bson.Regex{Pattern: "a/b"}, 1.5, bson.MinKey{}, bson.Symbol("s"), bson.D{}}},
	}
	seed, err := bson.Marshal(doc)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed, 80)
	f.Add(seed[:len(seed)-9], 3)
	f.Fuzz(func(t *testing.T, raw []byte, columns int) {
		columns = min(max(columns, 1), 400)
		l := &line{columns: columns}
		l.document(raw, "_id")
		out := l.end()
		checkText(t, out)
		width := 0
		for _, c := range string(out[:len(out)-1]) {
			width += runeColumns(c)
		}
		if width > columns {
			t.Errorf("%d columns, at most %d: %q", width, columns, out)
		}
		if text, err := lineOfJSON(raw); err == nil {
			checkText(t, text)
			if !json.Valid(text) {
				t.Errorf("no JSON: %q", text)
			}
		}
	})
}

// checkText checks that a line is valid UTF-8 without control characters, but for the line feed at its end.
func checkText(t *testing.T, line []byte) {
	t.Helper()
	text, ok := strings.CutSuffix(string(line), "\n")
	if !ok || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("not one line of text: %q", line)
	}
}
