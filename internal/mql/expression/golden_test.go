package expression

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

var rewrite = flag.Bool("rewrite", false, "write what the expressions give into the files of testdata")

// TestGolden runs the files of testdata. A line "doc {..}" sets the document, "eval .." is an expression, and the line behind it
// is what MongoDB gives: "= value", "= missing", or "! stage code message", the stage being the one that fails: compile,
// optimize or run. Values are Extended JSON.
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
	var ctx Context
	doc := bsonraw.Empty
	got := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch kind, rest, _ := strings.Cut(line, " "); kind {
		case "doc":
			doc = fromJSON(t, rest).Doc()
		case "eval":
			ctx.Reset()
			got = evalText(&ctx, fromJSON(t, rest), doc)
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
