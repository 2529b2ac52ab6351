package aggregation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// TestGolden runs the files of testdata. "docs [..]" sets the collection, "other NAME [..]" another one, "view NAME ON [..]" a view on
// one, "pipeline [..]" runs on the first, and the line behind is what
// MongoDB gives: "= [..]", or "! stage code message", the stage being compile or run. All values are Extended JSON.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Lines(t, func(t *testing.T) func(string) string {
		t.Helper()
		var docs bsonraw.Doc
		env := newTestEnvironment()
		got := ""
		return func(line string) string {
			switch kind, rest, _ := strings.Cut(line, " "); kind {
			case "docs":
				docs = array(t, rest)
			case "other":
				name, list, _ := strings.Cut(rest, " ")
				env.collections[name] = array(t, list)
			case "view":
				name, rest, _ := strings.Cut(rest, " ")
				on, pipeline, _ := strings.Cut(rest, " ")
				env.views[name] = Beneath{Namespace: Namespace{"db", on}, View: true, Pipeline: array(t, pipeline)}
			case "pipeline":
				got = aggregated(t, env, array(t, rest), docs)
			case "=", "!":
				return got
			}
			return line
		}
	})
}

var testOptions = Options{Scope: expression.NewScope(time.UnixMilli(1), 1<<32)}

func aggregated(t *testing.T, env *testEnvironment, pipeline, docs bsonraw.Doc) string {
	t.Helper()
	opts := testOptions
	opts.DB, opts.Environment = "db", env
	p, err := Compile(pipeline, opts)
	if err != nil {
		return errorText("compile", err)
	}
	out, err := drain(t, p.Run(newSource(docs)))
	if err != nil {
		return errorText("run", err)
	}
	return "= " + toJSON(out)
}

func errorText(stage string, err error) string {
	e := mongoerr.From(err)
	return fmt.Sprintf("! %s %d %s", stage, e.Code, e.Msg)
}

// arraySource gives the documents of an array, each in memory that the next one overwrites, as sources may.
type arraySource struct {
	it   bsonraw.Iter
	buf  []byte
	read int
}

func newSource(docs bsonraw.Doc) *arraySource { return &arraySource{it: docs.Iter()} }

func (s *arraySource) Next(ctx context.Context) (bsonraw.Doc, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range s.buf {
		s.buf[i] = 0xee
	}
	if !s.it.Next() {
		return nil, io.EOF
	}
	s.read++
	s.buf = append(s.buf[:0], s.it.Value().Data...)
	return s.buf, nil
}

// drain reads a source into an array.
func drain(t testing.TB, src Source) (bsonraw.Doc, error) {
	t.Helper()
	out := bsonraw.BeginArray(nil)
	for {
		doc, err := src.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return out.End(), nil
		}
		if err != nil {
			return nil, err
		}
		out.AppendDoc(doc)
	}
}

func array(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	var doc bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(`{"v": `+text+`}`), false, &doc); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return bsonraw.Doc(doc).Lookup("v").Doc()
}

func toJSON(array bsonraw.Doc) string {
	dst, at := bsonraw.BeginDoc(nil)
	dst = bsonraw.EndDoc(bsonraw.AppendArray(dst, "v", array), at)
	text, err := bson.MarshalExtJSON(bson.Raw(dst), false, false)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(text), `{"v":`), "}")
}
