package aggregation

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// FuzzPipeline compiles any array as a pipeline and runs it over some documents. Nothing may panic, a pipeline that is checked
// compiles or fails with a constant, what it gives is BSON, and what was opened is closed at the end.
func FuzzPipeline(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if pipeline, ok := strings.CutPrefix(line, "pipeline "); ok {
				f.Add([]byte(array(f, pipeline)))
			}
		}
	}
	docs := array(f, `[{"_id": 1, "a": 1, "b": [1, {"c": 2}]}, {"_id": 2, "a": [1, null]}, {"_id": 3, "b": {"c": "x"}}, {"_id": 4, "a": "x", "b": []}]`)
	view := Beneath{Namespace: Namespace{"db", "f"}, View: true, Pipeline: array(f, `[{"$match": {"a": 1}}]`)}
	f.Fuzz(func(t *testing.T, pipeline []byte) {
		if bsonraw.Validate(pipeline, bsonraw.MaxMessageDepth) != nil || bytes.Contains(pipeline, []byte("$range")) {
			return // what makes long arrays is slow, and tested where it is built
		}
		env := newTestEnvironment()
		env.collections["f"], env.views["v"] = docs, view
		opts := testOptions
		opts.DB, opts.Coll, opts.Environment, opts.Memory = "db", "c", env, 1<<20
		Collections(pipeline, func(string) {})
		_, _, _ = FirstStage(pipeline)
		checked := Check(pipeline, opts)
		p, err := Compile(pipeline, opts)
		if err == nil && checked != nil {
			t.Fatalf("%s compiles, and the check says %v", bsonraw.Doc(pipeline).Shell(), checked)
		}
		if err != nil {
			return
		}
		p.LeadingFilter()
		p.LeadingOrdering()
		p.Stages()
		src := p.Run(newSource(docs))
		for range 1000 {
			doc, err := src.Next(t.Context())
			if errors.Is(err, io.EOF) && env.open != 0 {
				t.Fatalf("%s left %d readers open", bsonraw.Doc(pipeline).Shell(), env.open)
			}
			if err != nil {
				return
			}
			if err := bsonraw.Validate(doc, len(doc)); err != nil {
				t.Fatalf("%s gives %x: %v", bsonraw.Doc(pipeline).Shell(), doc, err)
			}
		}
	})
}
