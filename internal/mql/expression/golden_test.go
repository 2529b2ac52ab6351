package expression

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// TestGolden runs the files of testdata. A line "doc {..}" sets the document, "eval .." is an expression, and the line behind it
// is what MongoDB gives: "= value", "= missing", or "! stage code message", the stage being the one that fails: compile,
// optimize or run. Values are Extended JSON.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Lines(t, func(t *testing.T) func(string) string {
		t.Helper()
		var ctx Context
		doc := bsonraw.Empty
		got := ""
		return func(line string) string {
			switch kind, rest, _ := strings.Cut(line, " "); kind {
			case "doc":
				doc = fromJSON(t, rest).Doc()
			case "eval":
				ctx.Reset()
				got = evalText(&ctx, fromJSON(t, rest), doc)
			case "=", "!":
				return got
			}
			return line
		}
	})
}

var testScope = NewScope(time.UnixMilli(1_600_000_000_000), 7<<32|1)

func evalText(ctx *Context, v bsonraw.Value, doc bsonraw.Doc) string {
	e, err := Compile(v, testScope)
	if err != nil {
		return errorText("compile", err)
	}
	if err := e.Optimize(); err != nil {
		return errorText("optimize", err)
	}
	result, err := e.Eval(ctx, doc)
	if err != nil {
		return errorText("run", err)
	}
	if result.IsMissing() {
		return "= missing"
	}
	return "= " + toJSON(result)
}

func errorText(stage string, err error) string {
	e := mongoerr.From(err)
	return fmt.Sprintf("! %s %d %s", stage, e.Code, e.Msg)
}

func fromJSON(t testing.TB, text string) bsonraw.Value {
	t.Helper()
	var doc bson.Raw
	if err := bson.UnmarshalExtJSON([]byte(`{"v": `+text+`}`), false, &doc); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return bsonraw.Doc(doc).Lookup("v")
}

func toJSON(v bsonraw.Value) string {
	dst, at := bsonraw.BeginDoc(nil)
	dst = bsonraw.EndDoc(bsonraw.AppendValue(dst, "v", v), at)
	text, err := bson.MarshalExtJSON(bson.Raw(dst), true, false)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(text), `{"v":`), "}")
}
