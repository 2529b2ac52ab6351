package expression

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`"$a.b"`, `"$$NOW"`, `"$$ROOT.a"`, `{"$add": ["$a", 1, {"$literal": 2.5}]}`, `{"a": ["$b", {"c": "$$CURRENT"}]}`,
		`{"$let": {"vars": {"x": "$a"}, "in": {"$multiply": ["$$x", "$$x"]}}}`,
		`{"$switch": {"branches": [{"case": {"$gt": ["$a", 1]}, "then": "x"}], "default": null}}`,
		`{"$map": {"input": "$a", "as": "i", "in": {"$filter": {"input": "$$i", "cond": "$$this", "limit": 2}}}}`,
		`{"$mergeObjects": [{"$arrayToObject": [[["a", 1]]]}, "$$ROOT"]}`, `{"$getField": {"field": "a", "input": "$b"}}`,
		`{"$divide": [{"$numberDecimal": "1"}, {"$numberDecimal": "3E+20"}]}`, `{"$toString": {"$subtract": ["$d", 1e300]}}`,
	} {
		v := fromJSON(f, text)
		dst, at := bsonraw.BeginDoc(nil)
		f.Add(bsonraw.EndDoc(bsonraw.AppendValue(dst, "v", v), at))
	}
	doc := fromJSON(f, `{"a": [1, [2], {"b": 3}], "b": {"a": "x"}, "d": {"$date": {"$numberLong": "5"}}}`).Doc()
	f.Fuzz(func(t *testing.T, data []byte) {
		if bsonraw.Validate(data, bsonraw.MaxMessageDepth) != nil {
			return
		}
		e, err := Compile(bsonraw.Doc(data).Lookup("v"), testScope)
		if err != nil || e.Optimize() != nil {
			return
		}
		var ctx Context
		out, at := bsonraw.BeginDoc(nil)
		out, err = e.AppendElem(out, []byte("v"), &ctx, doc)
		if err != nil {
			return
		}
		if err := bsonraw.Validate(bsonraw.EndDoc(out, at), 3*bsonraw.MaxMessageDepth); err != nil {
			t.Errorf("the result is not well formed: %v", err)
		}
	})
}

// FuzzEvaluate puts expressions of the golden files into each other, wherever the input says, and evaluates them on their documents: none may
// panic, or make more than a document's share of memory.
func FuzzEvaluate(f *testing.F) {
	expressions, documents := goldenExpressions(f)
	f.Add([]byte{}, []byte{})
	for i := range 200 { // which leads through all files
		f.Add([]byte{byte(i), byte(i * 37), 3, byte(i * 11), 2, byte(i * 7), byte(i * 5), 0, 1}, []byte{byte(i), 9})
	}
	f.Fuzz(func(t *testing.T, choices, which []byte) {
		graft := grafting{from: expressions, choices: choices}
		v := graft.value(graft.pick(), 4)
		e, err := Compile(v, testScope)
		if err != nil {
			return
		}
		doc := documents[(&grafting{from: expressions, choices: which}).number()%len(documents)]
		var ctx Context
		_, before := e.Eval(&ctx, doc)
		ctx.Reset()
		if e.Optimize() != nil {
			return
		}
		result, after := e.Eval(&ctx, doc)
		if (before == nil) != (after == nil) && before == nil {
			t.Errorf("%s fails only when it is optimized: %v", toJSON(v), after)
		}
		if len(result.Data) > memoryLimit {
			t.Errorf("%s gave %d bytes", toJSON(v), len(result.Data))
		}
	})
}

// goldenExpressions reads the expressions and documents of the golden files.
func goldenExpressions(f *testing.F) (expressions []bsonraw.Value, documents []bsonraw.Doc) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if e, ok := strings.CutPrefix(line, "eval "); ok {
				expressions = append(expressions, fromJSON(f, e))
			} else if d, ok := strings.CutPrefix(line, "doc "); ok {
				documents = append(documents, fromJSON(f, d).Doc())
			}
		}
	}
	return expressions, documents
}

// grafting makes expressions out of others, as bytes choose.
type grafting struct {
	from    []bsonraw.Value
	choices []byte
}

func (g *grafting) byte() int {
	if len(g.choices) == 0 {
		return 0
	}
	c := g.choices[0]
	g.choices = g.choices[1:]
	return int(c)
}

func (g *grafting) number() int { return g.byte()<<8 | g.byte() }

func (g *grafting) pick() bsonraw.Value { return g.from[g.number()%len(g.from)] }

// value copies an expression. Where a byte says so, another one takes the place of a part.
func (g *grafting) value(v bsonraw.Value, depth int) bsonraw.Value {
	if (v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray) || depth == 0 {
		return v
	}
	out, at := bsonraw.BeginDoc(nil)
	for it := v.Doc().Iter(); it.Next(); {
		part := g.value(it.Value(), depth-1)
		if len(g.choices) > 0 && g.byte()%4 == 1 {
			part = g.value(g.pick(), depth-1)
		}
		out = bsonraw.AppendValue(out, string(it.Key()), part)
	}
	return bsonraw.Value{Type: v.Type, Data: bsonraw.EndDoc(out, at)}
}
