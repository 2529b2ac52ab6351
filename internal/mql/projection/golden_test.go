package projection

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

var rewrite = flag.Bool("rewrite", false, "write what the projections give into the files of testdata")

// TestGolden runs the files of testdata. "doc {..}" sets the document, "filter {..}" the query that finds positions; "find",
// "project", "addFields" and "unset" are specifications, and the line behind one is what MongoDB makes of the document:
// "= {..}" or "! code message". Documents are Extended JSON.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			runGolden(t, file)
		})
	}
}

func runGolden(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var doc, query bsonraw.Doc
	got := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch kind, rest, _ := strings.Cut(line, " "); kind {
		case "doc":
			doc, query = fromJSON(t, rest).Doc(), bsonraw.Empty
		case "filter":
			query = fromJSON(t, rest).Doc()
		case "find", "project", "addFields", "unset":
			got = projected(t, kind, fromJSON(t, rest), query, doc)
		case "=", "!":
			if *rewrite {
				line = got
			} else if line != got {
				t.Errorf("%s:%d:\n got %s\nwant %s", file, n, got, line)
			}
		}
		out.WriteString(line + "\n")
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
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
