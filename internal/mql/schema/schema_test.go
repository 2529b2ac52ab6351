package schema_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/schema"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// everyday is a schema with a rule of every kind, and a document that satisfies it.
const (
	everyday = `{
		"bsonType": "object", "required": ["_id", "name", "total"], "additionalProperties": false, "minProperties": 3,
		"properties": {
			"_id": {"bsonType": "int"}, "name": {"bsonType": "string", "minLength": 1, "maxLength": 40, "pattern": "^[A-Z]"},
			"total": {"bsonType": ["int", "double"], "minimum": 0, "exclusiveMaximum": true, "maximum": 1000, "multipleOf": 5},
			"status": {"enum": ["open", "closed"]},
			"tags": {"bsonType": "array", "uniqueItems": true, "maxItems": 9, "items": {"bsonType": "string"}},
			"place": {"bsonType": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
		},
		"patternProperties": {"^x_": {"anyOf": [{"type": "number"}, {"type": "boolean"}]}},
		"dependencies": {"status": ["total"]}, "not": {"required": ["gone"]}
	}`
	everydayDoc = `{"_id": 1, "name": "Ada", "total": 45, "status": "open", "tags": ["a", "b", "c"], "place": {"city": "London"}, "x_1": true}`
)

// Values of duplicated names, hundreds of names, and names that are paths.
func TestProperties(t *testing.T) {
	t.Parallel()
	var names, values []string
	for i := range 150 {
		names = append(names, fmt.Sprintf(`"p%d": {"minimum": %d}`, i, i))
		values = append(values, fmt.Sprintf(`"p%d": %d`, i, i))
	}
	s, err := compile(t, `{"properties": {`+strings.Join(names, ", ")+`}}`)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Match(parse(t, `{`+strings.Join(values, ", ")+`}`)) {
		t.Error("150 properties, all at their minimum, do not match")
	}
	values[149] = `"p149": 148`
	if s.Match(parse(t, `{`+strings.Join(values, ", ")+`}`)) {
		t.Error("150 properties match, one below its minimum")
	}
}

func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	d := bsonraw.Empty
	for range 1000 {
		next, at := bsonraw.BeginDoc(nil)
		d = bsonraw.EndDoc(bsonraw.AppendDoc(next, "not", d), at)
	}
	if _, err := schema.Compile(d.Value()); !mongoerr.Is(err, mongoerr.Overflow) {
		t.Errorf("not in itself 1000 times: %v", err)
	}
}

func TestLongDetailsAreShortened(t *testing.T) {
	t.Parallel()
	s, err := compile(t, `{"properties": {"a": {"anyOf": [{"type": "number"}, {"type": "boolean"}]}}}`)
	if err != nil {
		t.Fatal(err)
	}
	d, at := bsonraw.BeginDoc(nil)
	doc := bsonraw.Doc(bsonraw.EndDoc(bsonraw.AppendString(d, "a", strings.Repeat("x", 7<<20)), at))
	details, truncated := violation.Details(func(r *violation.Report) { s.Report(r, doc, false) })
	const want = `{ operatorName: "$jsonSchema", schemaRulesNotSatisfied: [ { operatorName: "properties", propertiesNotSatisfied: [ { propertyName: "a", ` +
		`details: [ { operatorName: "anyOf", schemasNotSatisfied: [ { index: 0, details: [ { operatorName: "type", reason: "type did not match", consideredType: "string" } ] }, ` +
		`{ index: 1, details: [ { operatorName: "type", reason: "type did not match", consideredType: "string" } ] } ] } ] } ] } ] }`
	if !truncated || details.Shell() != want {
		t.Errorf("truncated %v: %.500s", truncated, details.Shell())
	}
}

// FuzzSchema compiles any document as a schema and asks it about any other. Nothing may panic, and a document that fails has
// details.
func FuzzSchema(f *testing.F) {
	text, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		f.Fatal(err)
	}
	var spec string
	for line := range strings.SplitSeq(string(text), "\n") {
		line, _, _ = strings.Cut(line, arrow)
		if s, isSchema := strings.CutPrefix(line, schemaMark); isSchema {
			spec = s
		} else if strings.HasPrefix(line, "{") {
			f.Add([]byte(parse(f, spec)), []byte(parse(f, line)))
		}
	}
	f.Add([]byte(parse(f, everyday)), []byte(parse(f, everydayDoc)))
	f.Fuzz(func(t *testing.T, spec, doc []byte) {
		if bsonraw.Validate(spec, bsonraw.MaxMessageDepth) != nil || bsonraw.Validate(doc, bsonraw.MaxMessageDepth) != nil {
			return
		}
		s, err := schema.Compile(bsonraw.Doc(spec).Value())
		if err != nil {
			return
		}
		matched := s.Match(doc)
		details, _ := violation.Details(func(r *violation.Report) { s.Report(r, doc, matched) })
		if err := bsonraw.Validate(details, 10*bsonraw.MaxMessageDepth); err != nil {
			t.Fatalf("%s on %s: %v", bsonraw.Doc(spec).Shell(), bsonraw.Doc(doc).Shell(), err)
		}
		list := details.Lookup("schemaRulesNotSatisfied")
		if !matched && details.Lookup("specifiedAs").IsMissing() && list.Doc().IsEmpty() {
			t.Fatalf("%s fails %s, and nothing says why: %s", bsonraw.Doc(doc).Shell(), bsonraw.Doc(spec).Shell(), details.Shell())
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	s, err := compile(b, everyday)
	if err != nil {
		b.Fatal(err)
	}
	doc := parse(b, everydayDoc)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Match(doc) {
			b.Fatal("no match")
		}
	}
}
