package filter_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

func compile(t testing.TB, text string) *filter.Filter {
	t.Helper()
	f, err := filter.Compile(parse(t, text), filter.Options{})
	if err != nil {
		t.Fatalf("compile %s: %v", text, err)
	}
	return f
}

func TestEqualities(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`{"a": 1, "b": {"$eq": 2}, "c": {"$gt": 3}}`:                              `a=1 b=2`,
		`{"a": {"$in": [1, 1]}}`:                                                  `a=1`,
		`{"a": {"$in": [1, 2]}}`:                                                  ``,
		`{"a": {"$in": [null]}}`:                                                  `a=null`,
		`{"a": {"$all": [1]}}`:                                                    `a=1`,
		`{"$and": [{"a": 1}, {"$or": [{"b": [2]}]}]}`:                             `a=1 b=[ 2 ]`,
		`{"$or": [{"a": 1}, {"b": 1}]}`:                                           ``,
		`{"$or": [{"a": 1}, {"a": 1}]}`:                                           ``,
		`{"$nor": [{"$nor": [{"a": 1}]}]}`:                                        ``,
		`{"a": {"$not": {"$ne": 1}}}`:                                             ``,
		`{"a": {"$regularExpression": {"pattern": "x", "options": ""}}}`:          ``,
		`{"a": {"$eq": {"$regularExpression": {"pattern": "x", "options": ""}}}}`: `a=/x/`,
		`{"a": {"$elemMatch": {"b": 1}}}`:                                         ``,
		`{"a.b": 1, "a.c": {"d": 2}}`:                                             `a.b=1 a.c={ d: 2 }`,
		`{"$alwaysFalse": 1, "a": 1}`:                                             ``,
		`{"a": 1, "b": {"$in": []}}`:                                              `a=1`,
		`{"a": {"$all": [1, 1]}}`:                                                 `error 54: cannot infer query fields to set, path 'a' is matched twice`,
		`{"a": 1, "$and": [{"a": 1.0}]}`:                                          `error 54: cannot infer query fields to set, path 'a' is matched twice`,
		`{"a": 1, "a.b": 2}`:                                                      `error 54: cannot infer query fields to set, both paths 'a.b' and 'a' are matched`,
		`{"a.b": 1, "a": {"c": 2}}`:                                               `error 54: cannot infer query fields to set, both paths 'a.b' and 'a' are matched`,
		`{"$or": [{"$expr": "$a"}, {"b": 1}]}`:                                    `error 224: $expr is not allowed in the query predicate for an upsert`,
	} {
		equalities, err := compile(t, query).Equalities()
		var got []string
		for _, e := range equalities {
			got = append(got, e.Path+"="+e.Value.Shell())
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = errorText(err)
		}
		if text != want {
			t.Errorf("%s: got %q, want %q", query, text, want)
		}
	}
}

func TestIsEmptyAndNever(t *testing.T) {
	t.Parallel()
	for query, want := range map[string][2]bool{
		`{}`:                          {true, false},
		`{"$comment": "x"}`:           {true, false},
		`{"a": 1}`:                    {false, false},
		`{"a": 1, "b": {"$in": []}}`:  {false, true},
		`{"$alwaysFalse": 1, "a": 1}`: {false, true},
		`{"a": {"$all": []}}`:         {false, true},
		`{"a": {"$nin": []}}`:         {false, false},
	} {
		f := compile(t, query)
		if got := [2]bool{f.IsEmpty(), f.IsNever()}; got != want {
			t.Errorf("%s: empty and never are %v, want %v", query, got, want)
		}
	}
}

// elements is what conditions on elements are tried on.
const elements = `{"e": [1, 5, [5, 9], "x", null, {"q": 5}, {"q": [5]}, [{"q": 5}], {}, [], 5.0]}`

func TestCompileElem(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string][2]string{ // $pull, $elemMatch
		`5`:                         {"5 5.0", "error 2: $elemMatch needs an Object"},
		`null`:                      {"null", "error 2: $elemMatch needs an Object"},
		`[5, 9]`:                    {"[ 5, 9 ]", "error 2: $elemMatch needs an Object"},
		`{"$gte": 5}`:               {"5 [ 5, 9 ] 5.0", "5 5.0"},
		`{"$in": [1, "x"]}`:         {`1 "x"`, `1 "x"`},
		`{"$ne": 5}`:                {`1 "x" null { q: 5 } { q: [ 5 ] } [ { q: 5 } ] {} []`, `1 [ 5, 9 ] "x" null { q: 5 } { q: [ 5 ] } [ { q: 5 } ] {} []`},
		`{"q": 5}`:                  {"{ q: 5 } { q: [ 5 ] }", "{ q: 5 } { q: [ 5 ] }"},
		`{"q": {"$exists": false}}`: {"{}", "[ 5, 9 ] [ { q: 5 } ] {} []"},
		`{"0": 5}`:                  {"", "[ 5, 9 ]"},
		`{}`:                        {"{ q: 5 } { q: [ 5 ] } {}", "[ 5, 9 ] { q: 5 } { q: [ 5 ] } [ { q: 5 } ] {} []"},
		`{"$or": [{"q": 5}]}`:       {"{ q: 5 } { q: [ 5 ] }", "{ q: 5 } { q: [ 5 ] }"},
		`{"$elemMatch": {"q": 5}}`:  {"[ { q: 5 } ]", "[ { q: 5 } ]"},
		`{"$not": {"$gt": 1}}`:      {"error 2: unknown top level operator: $not. If you are trying to negate an entire expression, use $nor.", `1 [ 5, 9 ] "x" null { q: 5 } { q: [ 5 ] } [ { q: 5 } ] {} []`},
		`{"$foo": 1}`:               {"error 2: unknown top level operator: $foo. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.", "error 2: unknown operator: $foo"},
		`{"$regularExpression": {"pattern": "x", "options": ""}}`: {`"x"`, "error 2: $elemMatch needs an Object"},
	} {
		v := parse(t, `{"c": `+condition+`}`).Lookup("c")
		pull, err := filter.CompileElem(v, filter.Options{})
		if got := taken(t, pull, err); got != want[0] {
			t.Errorf("$pull: %s takes %q, want %q", condition, got, want[0])
		}
		match, err := filter.CompileElemMatch(v, filter.Options{})
		if got := taken(t, match, err); got != want[1] {
			t.Errorf("$elemMatch: %s takes %q, want %q", condition, got, want[1])
		}
	}
}

func taken(t *testing.T, e *filter.ElemFilter, err error) string {
	t.Helper()
	if err != nil {
		return errorText(err)
	}
	var out []string
	for it := parse(t, elements).Lookup("e").Doc().Iter(); it.Next(); {
		ok, err := e.MatchValue(it.Value())
		if err != nil {
			t.Fatalf("match %s: %v", it.Value().Shell(), err)
		}
		if ok {
			out = append(out, it.Value().Shell())
		}
	}
	return strings.Join(out, " ")
}

// What mongod answers otherwise: it runs JavaScript, knows geometry and has an engine for patterns that call themselves.
func TestUnsupported(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		`{"$where": "this.a"}`:                `$where is not supported: this server does not run JavaScript. Use $expr.`,
		`{"a": {"$geoWithin": {"$box": []}}}`: `$geoWithin is not supported: this server has no geospatial queries`,
		`{"a": {"$in": [1, {"$regularExpression": {"pattern": "(?R)", "options": ""}}]}}`: `Regular expression /(?R)/ is not supported: it uses recursion`,
	} {
		_, err := filter.Compile(parse(t, query), filter.Options{})
		if !mongoerr.Is(err, mongoerr.CommandNotSupported) || mongoerr.From(err).Msg != want {
			t.Errorf("%s: got %v, want %s", query, err, want)
		}
	}
	_, err := filter.Compile(parse(t, `{"a": {"$near": [1, 1]}}`), filter.Options{})
	if !mongoerr.Is(err, mongoerr.NoQueryExecutionPlans) {
		t.Errorf("$near: %v", err)
	}
}

func TestDepthIsBounded(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(d bsonraw.Doc) bsonraw.Doc{
		"$and": func(d bsonraw.Doc) bsonraw.Doc {
			list := bsonraw.BeginArray(nil)
			list.AppendDoc(d)
			return element("$and", bsonraw.Value{Type: bsonraw.TypeArray, Data: list.End()})
		},
		"$elemMatch": func(d bsonraw.Doc) bsonraw.Doc { return element("a", element("$elemMatch", d.Value()).Value()) },
	} {
		d := parse(t, `{"a": 1}`)
		for range 1_000 {
			d = wrap(d)
		}
		if _, err := filter.Compile(d, filter.Options{}); !mongoerr.Is(err, mongoerr.Overflow) {
			t.Errorf("%s in itself 1000 times: %v", name, err)
		}
	}
}

func element(name string, v bsonraw.Value) bsonraw.Doc {
	d, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(bsonraw.AppendValue(d, name, v), at)
}

func TestExprVariables(t *testing.T) {
	t.Parallel()
	scope, slot := expression.NewScope(time.UnixMilli(1000), 0).WithConstant("limit", bsonraw.Int32Value(3)).WithVariable("who")
	f, err := filter.Compile(parse(t, `{"$expr": {"$and": [{"$lt": ["$n", "$$limit"]}, {"$eq": ["$name", "$$who"]}, {"$gt": ["$$NOW", "$at"]}]}}`), filter.Options{Scope: scope})
	if err != nil {
		t.Fatal(err)
	}
	doc := parse(t, `{"n": 2, "name": "x", "at": {"$date": {"$numberLong": "999"}}}`)
	var ctx expression.Context
	for who, want := range map[string]bool{"x": true, "y": false} {
		ctx.Set(slot, bsonraw.StringValue(who))
		if ok, err := f.MatchWith(&ctx, doc); ok != want || err != nil {
			t.Errorf("who is %s: %v, %v", who, ok, err)
		}
	}
	g := compile(t, `{"$expr": {"$add": ["$name", 1]}}`)
	if _, err := g.Match(doc); !mongoerr.Is(err, 16554) {
		t.Errorf("an expression that fails on the document: %v", err)
	}
	if _, _, err := g.MatchAt(nil, doc); !mongoerr.Is(err, 16554) {
		t.Errorf("the same with a position: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	f := compile(t, `{"a": {"$gt": 1}, "s": {"$regex": "^x.*y$"}, "$expr": {"$eq": [{"$concat": ["$s", "z"]}, "xyz"]}}`)
	doc := parse(t, `{"a": [1, 2], "s": "xy"}`)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				if ok, at, err := f.MatchAt(nil, doc); !ok || at != 1 || err != nil {
					t.Errorf("match: %v, position %d, %v", ok, at, err)
				}
			}
		})
	}
	all.Wait()
}

func TestManyFields(t *testing.T) {
	t.Parallel()
	query, doc := `{`, `{`
	for i := range 150 {
		query += fmt.Sprintf(`"f%d": %d, `, i, i)
		doc += fmt.Sprintf(`"f%d": %d, `, 149-i, 149-i)
	}
	f := compile(t, query+`"x": null}`)
	if ok, err := f.Match(parse(t, doc+`"y": 1}`)); !ok || err != nil {
		t.Errorf("150 fields that are all equal: %v, %v", ok, err)
	}
	if ok, err := f.Match(parse(t, doc+`"x": 1}`)); ok || err != nil {
		t.Errorf("one of 151 fields differs: %v, %v", ok, err)
	}
}

// Of fields of one name only the first counts, as elsewhere.
func TestRepeatedNames(t *testing.T) {
	t.Parallel()
	d, at := bsonraw.BeginDoc(nil)
	for i := range int32(3) {
		d = bsonraw.AppendInt32(d, "a", i)
		d = bsonraw.AppendInt32(d, "b", i)
	}
	doc := bsonraw.Doc(bsonraw.EndDoc(d, at))
	for query, want := range map[string]bool{`{"a": 0, "b": 0}`: true, `{"a": 2, "b": 0}`: false, `{"a": 1}`: false} {
		if ok, err := compile(t, query).Match(doc); ok != want || err != nil {
			t.Errorf("%s: %v, %v", query, ok, err)
		}
	}
}
