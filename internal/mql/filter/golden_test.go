package filter_test

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
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// TestGolden runs the tables in testdata. A file begins with documents, one a line with its number; each line with an arrow is
// a filter and what it gives: the numbers of the documents that it takes, each with the position in an array that it reports
// ("3@1"), or the error. Every line was compared with mongod 6.0.5.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Lines(t, func(t *testing.T) func(string) string {
		t.Helper()
		var docs []numbered
		return func(line string) string {
			number, doc, isDoc := strings.Cut(line, " ")
			if isDoc && strings.Trim(number, "0123456789") == "" {
				docs = append(docs, numbered{number, parse(t, doc)})
				return line
			}
			query, _, _ := strings.Cut(line, arrow)
			return query + arrow + outcome(parse(t, query), docs)
		}
	})
}

const arrow = "  => "

type numbered struct {
	number string
	doc    bsonraw.Doc
}

func outcome(query bsonraw.Doc, docs []numbered) string {
	f, err := filter.Compile(query, filter.Options{})
	if err != nil {
		return errorText(err)
	}
	var taken []string
	for _, d := range docs {
		plain, err := f.Match(d.doc)
		if err != nil {
			return errorText(err)
		}
		ok, at, err := f.MatchAt(nil, d.doc)
		if err != nil {
			return errorText(err)
		}
		switch {
		case ok != plain:
			return fmt.Sprintf("Match and MatchAt differ on document %s", d.number)
		case ok && at >= 0:
			taken = append(taken, fmt.Sprintf("%s@%d", d.number, at))
		case ok:
			taken = append(taken, d.number)
		}
	}
	if len(taken) == 0 {
		return "none"
	}
	return strings.Join(taken, " ")
}

func errorText(err error) string {
	var e *mongoerr.Error
	if !errors.As(err, &e) {
		return "not a server error: " + err.Error()
	}
	return fmt.Sprintf("error %d: %s", e.Code, strings.ReplaceAll(e.Msg, "\n", `\n`))
}

// parse reads a document of Extended JSON.
func parse(t testing.TB, text string) bsonraw.Doc {
	t.Helper()
	var d bson.D
	if err := bson.UnmarshalExtJSON([]byte(text), false, &d); err != nil {
		t.Fatalf("parse %s: %v", text, err)
	}
	return encode(t, d)
}

func encode(t testing.TB, d any) bsonraw.Doc {
	t.Helper()
	b, err := bson.Marshal(d)
	if err != nil {
		t.Fatalf("encode %v: %v", d, err)
	}
	return bytes.Clone(b)
}
