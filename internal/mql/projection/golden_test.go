package projection

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// TestGolden runs the files of testdata. "doc {..}" sets the document, "filter {..}" the query that finds positions; "find",
// "project", "addFields" and "unset" are specifications, and the line behind one is what MongoDB makes of the document:
// "= {..}" or "! code message". Documents are Extended JSON.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Lines(t, func(t *testing.T) func(string) string {
		t.Helper()
		var doc, query bsonraw.Doc
		got := ""
		return func(line string) string {
			switch kind, rest, _ := strings.Cut(line, " "); kind {
			case "doc":
				doc, query = fromJSON(t, rest).Doc(), bsonraw.Empty
			case "filter":
				query = fromJSON(t, rest).Doc()
			case "find", "project", "addFields", "unset":
				got = projected(t, kind, fromJSON(t, rest), query, doc)
			case "=", "!":
				return got
			}
			return line
		}
	})
}

func projected(t *testing.T, kind string, spec bsonraw.Value, query, doc bsonraw.Doc) string {
	t.Helper()
	p, err := compile(kind, spec)
	if err != nil {
		return errorText(err)
	}
	f, err := filter.Compile(query, filter.Options{})
	if err != nil {
		t.Fatal(err)
	}
	position := -1
	if p.Positional() {
		if _, position, err = f.MatchAt(nil, doc); err != nil {
			t.Fatal(err)
		}
	}
	before := bytes.Clone(doc)
	result, err := p.AppendAt(nil, new(expression.Context), doc, position)
	if !bytes.Equal(before, doc) {
		t.Errorf("%s %s changed its input", kind, toJSON(spec.Doc()))
	}
	if err != nil {
		return errorText(err)
	}
	if err := bsonraw.Validate(result, bsonraw.MaxStoredDepth); err != nil {
		t.Errorf("%s %s: %v", kind, toJSON(spec.Doc()), err)
	}
	return "= " + toJSON(result)
}

func compile(kind string, spec bsonraw.Value) (p *Projection, err error) {
	switch kind {
	case "find":
		p, err = Compile(spec.Doc(), Find, nil)
	case "project":
		p, err = Compile(spec.Doc(), Project, nil)
	case "addFields":
		p, err = Compile(spec.Doc(), AddFields, nil)
	case "unset":
		var paths []string
		for it := spec.Doc().Iter(); it.Next(); {
			paths = append(paths, it.Value().Str())
		}
		p, err = CompileUnset(paths)
	}
	if err != nil {
		return nil, err
	}
	return p, p.Optimize()
}

func errorText(err error) string {
	e := mongoerr.From(err)
	return fmt.Sprintf("! %d %s", e.Code, e.Msg)
}

func fromJSON(t testing.TB, text string) bsonraw.Value {
	t.Helper()
	var doc bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(`{"v": `+text+`}`), false, &doc); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return bsonraw.Doc(doc).Lookup("v")
}

func toJSON(doc bsonraw.Doc) string {
	text, err := bson.MarshalExtJSON(bson.Raw(doc), false, false)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
