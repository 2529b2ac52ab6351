package schema_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/schema"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

const (
	schemaMark = "schema "
	arrow      = "  => "
)

// TestGolden runs the tables in testdata. A line that begins with "schema" is a schema, with the error that it gives if it does;
// the lines behind it are documents and what is told of each.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Lines(t, func(t *testing.T) func(string) string {
		t.Helper()
		var s *schema.Schema
		return func(line string) string {
			line, _, _ = strings.Cut(line, arrow)
			if spec, isSchema := strings.CutPrefix(line, schemaMark); isSchema {
				var err error
				if s, err = compile(t, spec); err != nil {
					line += arrow + errorText(err)
				}
			} else if s != nil {
				line += arrow + verdict(s, parse(t, line))
			}
			return line
		}
	})
}

func verdict(s *schema.Schema, doc bsonraw.Doc) string {
	if s.Match(doc) {
		return "ok"
	}
	details, _ := violation.Details(func(r *violation.Report) { s.Report(r, doc, false) })
	return details.Shell()
}

// compile compiles the value of $jsonSchema.
func compile(t testing.TB, spec string) (*schema.Schema, error) {
	t.Helper()
	return schema.Compile(parse(t, `{"s": `+spec+`}`).Lookup("s"))
}

func errorText(err error) string {
	var e *mongoerr.Error
	if !errors.As(err, &e) {
		return "not a server error: " + err.Error()
	}
	return fmt.Sprintf("error %d: %s", e.Code, e.Msg)
}

// parse reads a document of Extended JSON.
func parse(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatalf("encode %v: %v", d, err)
	}
	return bytes.Clone(b)
}
