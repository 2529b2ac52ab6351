package update

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/oplog"
)

// The files in testdata are what mongod 6.0.5 did, case by case:
//
//	doc       the document before, or
//	insert    the base of an upsert, or
//	filter    the filter of an upsert that matched nothing
//	update    the update argument
//	filters   arrayFilters
//	position  what a positional $ stands for
//	result    the document after, without an _id that was made for it
//	entry     "o" of the oplog entry
//	unchanged nModified is 0 and the oplog has no entry
//	error     the code and the message
//
// They are facts, so there is no flag to rewrite them. What differs for a reason is in knownDifferences.

// goldenCase is one case of a file.
type goldenCase struct {
	line   int
	fields map[string]string
}

func readGolden(t testing.TB, path string) []goldenCase {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cases []goldenCase
	current := goldenCase{}
	for i, line := range strings.Split(string(text)+"\n", "\n") {
		if line == "" {
			if current.fields != nil {
				cases = append(cases, current)
			}
			current = goldenCase{}
			continue
		}
		if current.fields == nil {
			current = goldenCase{i + 1, map[string]string{}}
		}
		name, rest, _ := strings.Cut(line, " ")
		current.fields[name] = rest
	}
	return cases
}

// parseValue reads Extended JSON of any type.
func parseValue(t testing.TB, text string) bsonraw.Value {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(`{"v":`+text+`}`), false, &d); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatalf("encode %s: %v", text, err)
	}
	return bsonraw.Doc(b).Lookup("v")
}

func parseDoc(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	return parseValue(t, text).Doc()
}

func show(d bsonraw.Doc) string { return bson.Raw(d).String() }

// knownDifferences are errors whose message is another than mongod's, by what mongod says.
var knownDifferences = map[string]string{
	"2 unknown top level operator: $foo. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.": "2 unknown operator: $foo",
}

func TestGolden(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			for _, c := range readGolden(t, path) {
				if problem := c.check(t); problem != "" {
					t.Errorf("%s:%d: %s\n  doc %s%s\n  update %s %s", path, c.line, problem, c.fields["doc"], c.fields["insert"]+c.fields["filter"],
						c.fields["update"], c.fields["filters"])
				}
			}
		})
	}
}

// check runs the case and tells what is wrong.
func (c goldenCase) check(t *testing.T) string {
	t.Helper()
	opts := Options{}
	if filters, ok := c.fields["filters"]; ok {
		opts.ArrayFilters = parseDoc(t, filters)
	}
	in := Input{Position: -1}
	if position, ok := c.fields["position"]; ok {
		in.Position, _ = strconv.Atoi(position)
	}
	if base, ok := c.fields["insert"]; ok {
		in.Insert = true
		in.Doc = parseDoc(t, base)
	} else if doc, ok := c.fields["doc"]; ok {
		in.Doc = parseDoc(t, doc)
	}
	var out Outcome
	u, err := Compile(parseValue(t, c.fields["update"]), opts)
	defer u.Release()
	if text, ok := c.fields["filter"]; ok && err == nil {
		in.Insert = true
		in.Doc, err = upsertBase(u, parseDoc(t, text))
	}
	before := in.Doc.Clone()
	if err == nil {
		out, err = u.Apply(in)
	}
	if !bytes.Equal(before, in.Doc) {
		return "the input was changed"
	}
	if want, ok := c.fields["error"]; ok || err != nil {
		return checkError(err, want)
	}
	if _, ok := c.fields["unchanged"]; ok != out.NoOp {
		return fmt.Sprintf("NoOp is %t, document %s", out.NoOp, show(out.Doc))
	}
	if want, ok := c.fields["result"]; ok && show(out.Doc) != show(parseDoc(t, want)) {
		return fmt.Sprintf("document\n   got %s\n  want %s", show(out.Doc), show(parseDoc(t, want)))
	}
	if want, ok := c.fields["entry"]; ok && show(out.Entry) != show(parseDoc(t, want)) {
		return fmt.Sprintf("entry\n   got %s\n  want %s", show(out.Entry), show(parseDoc(t, want)))
	}
	if err := bsonraw.Validate(out.Doc, bsonraw.MaxStoredDepth); err != nil {
		return err.Error()
	}
	if diff, ok := oplog.EntryDiff(out.Entry); ok && !u.IsPipeline() {
		if after, err := oplog.ApplyDiff(in.Doc, diff); err != nil || !bytes.Equal(after, out.Doc) {
			return fmt.Sprintf("the entry leads to %s, %v", show(after), err)
		}
	}
	return ""
}

func upsertBase(u *Update, condition bsonraw.Doc) (bsonraw.Doc, error) {
	f, err := filter.Compile(condition, filter.Options{})
	if err != nil {
		return nil, err
	}
	equalities, err := f.Equalities()
	if err != nil {
		return nil, err
	}
	return UpsertDocument(u, equalities)
}

func checkError(err error, want string) string {
	var e *mongoerr.Error
	if !errors.As(err, &e) {
		return fmt.Sprintf("error %v, want %s", err, want)
	}
	got := fmt.Sprintf("%d %s", e.Code, e.Msg)
	if got != want && knownDifferences[want] != got {
		return fmt.Sprintf("error\n   got %s\n  want %s", got, want)
	}
	return ""
}
