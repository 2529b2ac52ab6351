package expression

import (
	"strings"
	"testing"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

func mustCompile(t testing.TB, text string, scope *Scope) *Expression {
	t.Helper()
	e, err := Compile(fromJSON(t, text), scope)
	if err != nil {
		t.Fatalf("compile %s: %v", text, err)
	}
	if err := e.Optimize(); err != nil {
		t.Fatalf("optimize %s: %v", text, err)
	}
	return e
}

func mustEval(t testing.TB, e *Expression, ctx *Context, doc bsonraw.Doc) string {
	t.Helper()
	v, err := e.Eval(ctx, doc)
	if err != nil {
		t.Fatal(err)
	}
	if v.IsMissing() {
		return "missing"
	}
	return toJSON(v)
}

func TestVariablesKeepTheirValuesForEveryDocument(t *testing.T) {
	t.Parallel()
	scope, slot := NewScope(time.UnixMilli(5), 0).WithVariable("order")
	e := mustCompile(t, `{"$let": {"vars": {"inner": "$$order.a"}, "in": {"$add": ["$$inner", "$b"]}}}`, scope)
	var ctx Context
	ctx.Set(slot, fromJSON(t, `{"a": 40}`))
	for want, doc := range map[string]string{`{"$numberInt":"42"}`: `{"b": 2}`, `{"$numberInt":"43"}`: `{"b": 3}`} {
		if got := mustEval(t, e, &ctx, fromJSON(t, doc).Doc()); got != want {
			t.Errorf("%s gave %s, want %s", doc, got, want)
		}
		ctx.Reset()
	}
}

func TestSystemVariables(t *testing.T) {
	t.Parallel()
	var ctx Context
	scope := NewScope(time.UnixMilli(1234), 9<<32|3)
	if got, want := mustEval(t, mustCompile(t, `"$$NOW"`, scope), &ctx, bsonraw.Empty), `{"$date":{"$numberLong":"1234"}}`; got != want {
		t.Errorf("$$NOW is %s, want %s", got, want)
	}
	if got, want := mustEval(t, mustCompile(t, `"$$CLUSTER_TIME"`, scope), &ctx, bsonraw.Empty), `{"$timestamp":{"t":9,"i":3}}`; got != want {
		t.Errorf("$$CLUSTER_TIME is %s, want %s", got, want)
	}
	if _, err := Compile(fromJSON(t, `"$$CLUSTER_TIME"`), NewScope(time.UnixMilli(1), 0)); !mongoerr.Is(err, 51144) {
		t.Errorf("$$CLUSTER_TIME without a cluster time gave %v, want 51144", err)
	}
	if _, err := Compile(fromJSON(t, `"$$NOW"`), nil); !mongoerr.Is(err, 51144) {
		t.Errorf("$$NOW without a scope gave %v, want 51144", err)
	}
}

func TestLetOfACommand(t *testing.T) {
	t.Parallel()
	base := NewScope(time.UnixMilli(7), 0)
	scope, err := base.WithLet(t.Context(), fromJSON(t, `{"a": {"$add": [1, 2]}, "b": {"$multiply": ["$$a", 2]}, "c": "$$NOW", "d": {"$literal": "$x"}}`).Doc())
	if err != nil {
		t.Fatal(err)
	}
	var ctx Context
	e := mustCompile(t, `["$$a", "$$b", {"$type": "$$c"}, "$$d"]`, scope)
	if got, want := mustEval(t, e, &ctx, bsonraw.Empty), `[{"$numberInt":"3"},{"$numberInt":"6"},"date","$x"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if v, ok := e.Constant(); !ok || v.Type != bsonraw.TypeArray {
		t.Error("an expression of constants is not constant")
	}
	for let, code := range map[string]mongoerr.Code{
		`{"a": "$x"}`:                4890500,
		`{"a": "$$ROOT"}`:            4890500,
		`{"A": 1}`:                   9,
		`{"a": {"$foo": 1}}`:         168,
		`{"a": {"$divide": [1, 0]}}`: 2,
	} {
		if _, err := base.WithLet(t.Context(), fromJSON(t, let).Doc()); !mongoerr.Is(err, code) {
			t.Errorf("let %s gave %v, want code %d", let, err, code)
		}
	}
}

func TestFieldPathIsKnownToPlanners(t *testing.T) {
	t.Parallel()
	if got := strings.Join(mustCompile(t, `"$a.b"`, nil).FieldPath(), "."); got != "a.b" {
		t.Errorf("path of $a.b is %q", got)
	}
	if got := mustCompile(t, `{"$add": ["$a", 1]}`, nil).FieldPath(); got != nil {
		t.Errorf("path of a sum is %q", got)
	}
}

func TestOperatorsThatAreNotThereYetSaySo(t *testing.T) {
	t.Parallel()
	for name := range planned {
		if _, both := operators[name]; both {
			t.Errorf("%s is in the table and among those that are not", name)
		}
	}
	_, err := Compile(fromJSON(t, `{"$function": {"body": "f", "args": [], "lang": "js"}}`), nil)
	if !mongoerr.Is(err, mongoerr.CommandNotSupported) || !strings.Contains(err.Error(), "$function") {
		t.Errorf("got %v, want an error that names $function", err)
	}
}

func TestDeepExpressionsAreRefused(t *testing.T) {
	t.Parallel()
	v := bsonraw.Int32Value(1)
	for range maxDepth + 1 {
		a := bsonraw.BeginArray(nil)
		a.Append(v)
		v = bsonraw.Value{Type: bsonraw.TypeArray, Data: a.End()}
	}
	if _, err := Compile(v, nil); !mongoerr.Is(err, mongoerr.Overflow) {
		t.Errorf("got %v, want Overflow", err)
	}
}

// An expression that doubles an array again and again must end in an error, not in all of the memory.
func TestMemoryOfOneDocumentIsBounded(t *testing.T) {
	t.Parallel()
	text := `"$a"`
	for range 30 {
		text = `{"$let": {"vars": {"x": ` + text + `}, "in": {"$concatArrays": ["$$x", "$$x"]}}}`
	}
	e := mustCompile(t, text, nil)
	var ctx Context
	_, err := e.Eval(&ctx, fromJSON(t, `{"a": ["`+strings.Repeat("x", 64<<10)+`"]}`).Doc())
	if !mongoerr.Is(err, mongoerr.ExceededMemoryLimit) {
		t.Fatalf("got %v, want ExceededMemoryLimit", err)
	}
	ctx.Reset()
	if got := mustEval(t, mustCompile(t, `{"$size": "$a"}`, nil), &ctx, fromJSON(t, `{"a": [1]}`).Doc()); got != `{"$numberInt":"1"}` {
		t.Errorf("after Reset the context gives %s", got)
	}
}

// Values must stay what they are until Reset, whatever is computed after them.
func TestResultsStayValidUntilReset(t *testing.T) {
	t.Parallel()
	doc := fromJSON(t, `{"a": [{"b": 1}, {"b": 2}], "s": "x"}`).Doc()
	path := mustCompile(t, `"$a.b"`, nil)
	text := mustCompile(t, `{"$concat": ["$s", "$s", "$s"]}`, nil)
	var ctx Context
	for range 3 {
		first, err := path.Eval(&ctx, doc)
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			if _, err := text.Eval(&ctx, doc); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := toJSON(first), `[{"$numberInt":"1"},{"$numberInt":"2"}]`; got != want {
			t.Fatalf("the first result became %s, want %s", got, want)
		}
		ctx.Reset()
	}
}

func TestArenaReleaseGivesBackWhatCameAfterTheMark(t *testing.T) {
	t.Parallel()
	var a arena
	kept := a.alloc(10)
	copy(kept, "0123456789")
	m := a.mark()
	for range 100 {
		clear(a.alloc(1000))
	}
	a.release(m)
	if a.used != 10 {
		t.Errorf("%d bytes are in use after release, want 10", a.used)
	}
	again := a.alloc(5)
	copy(again, "abcde")
	if string(kept) != "0123456789" {
		t.Errorf("what was before the mark became %q", kept)
	}
}
