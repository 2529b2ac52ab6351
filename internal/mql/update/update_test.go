package update

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

func compile(t testing.TB, text string) *Update {
	t.Helper()
	u, err := Compile(parseValue(t, text), Options{})
	if err != nil {
		t.Fatalf("compile %s: %v", text, err)
	}
	return u
}

func apply(t testing.TB, u *Update, in Input) Outcome {
	t.Helper()
	out, err := u.Apply(in)
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return out
}

func TestCurrentDate(t *testing.T) {
	t.Parallel()
	in := Input{Doc: parseDoc(t, `{"_id":1,"d":1}`), Position: -1, Now: 1700000000123, ClusterTime: oplog.MakeTimestamp(17, 4)}
	out := apply(t, compile(t, `{"$currentDate":{"d":true,"e":{"$type":"date"},"t":{"$type":"timestamp"},"f":false}}`), in)
	date, ts := `{"$date":{"$numberLong":"1700000000123"}}`, `{"$timestamp":{"t":17,"i":4}}`
	if want := parseDoc(t, `{"_id":1,"d":`+date+`,"e":`+date+`,"f":`+date+`,"t":`+ts+`}`); !bytes.Equal(out.Doc, want) {
		t.Errorf("got %s, want %s", show(out.Doc), show(want))
	}
	// The same time again is still a change, as in MongoDB: the operator always sets.
	in.Doc = out.Doc.Clone()
	if out := apply(t, compile(t, `{"$currentDate":{"d":true}}`), in); out.NoOp || out.Entry == nil {
		t.Error("setting the same date again counts as no change")
	}
}

func TestReplacementFillsEmptyTimestamps(t *testing.T) {
	t.Parallel()
	u := compile(t, `{"a":{"$timestamp":{"t":0,"i":0}},"n":{"t":{"$timestamp":{"t":0,"i":0}}},"b":{"$timestamp":{"t":0,"i":0}}}`)
	want := `{"_id":1,"a":{"$timestamp":{"t":9,"i":%d}},"n":{"t":{"$timestamp":{"t":0,"i":0}}},"b":{"$timestamp":{"t":9,"i":%d}}}`
	for i := uint32(1); i < 3; i++ {
		out := apply(t, u, Input{Doc: parseDoc(t, `{"_id":1}`), Position: -1, ClusterTime: oplog.MakeTimestamp(9, i)})
		if want := parseDoc(t, fmt.Sprintf(want, i, i)); !bytes.Equal(out.Doc, want) || !bytes.Equal(out.Entry, want) {
			t.Errorf("got %s and entry %s, want %s", show(out.Doc), show(out.Entry), show(want))
		}
	}
}

func TestReplacementIsRecordedAsGivenAndStoredWithIDFirst(t *testing.T) {
	t.Parallel()
	out := apply(t, compile(t, `{"a":2,"_id":1}`), Input{Doc: parseDoc(t, `{"_id":1,"a":1}`), Position: -1})
	if show(out.Entry) != show(parseDoc(t, `{"a":2,"_id":1}`)) || show(out.Doc) != show(parseDoc(t, `{"_id":1,"a":2}`)) {
		t.Errorf("document %s, entry %s", show(out.Doc), show(out.Entry))
	}
}

func TestUpdateIsReusable(t *testing.T) {
	t.Parallel()
	u := compile(t, `{"$inc":{"n":1},"$push":{"a":"x"},"$set":{"s.t":true}}`)
	for i := range 5 {
		in := Input{Doc: parseDoc(t, fmt.Sprintf(`{"_id":%d,"n":%d,"a":["y"],"s":{}}`, i, i)), Position: -1}
		want := parseDoc(t, fmt.Sprintf(`{"_id":%d,"n":%d,"a":["y","x"],"s":{"t":true}}`, i, i+1))
		if out := apply(t, u, in); !bytes.Equal(out.Doc, want) {
			t.Fatalf("time %d: got %s, want %s", i, show(out.Doc), show(want))
		}
	}
}

func TestUpsertTellsWhetherAnIDIsMissing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		base, update string
		want         bool
	}{
		{`{"a":1}`, `{"$set":{"b":1}}`, true},
		{`{"_id":1}`, `{"$set":{"b":1}}`, false},
		{`{"a":1}`, `{"$setOnInsert":{"_id":1}}`, false},
		{`{"a":1}`, `{"$unset":{"zz":1}}`, true},
		{`{}`, `{"b":1}`, true},
		{`{"_id":7}`, `{"b":1}`, false},
	} {
		out := apply(t, compile(t, c.update), Input{Doc: parseDoc(t, c.base), Position: -1, Insert: true})
		if out.NeedsID != c.want || out.NoOp || out.Entry != nil {
			t.Errorf("%s on %s: NeedsID %t, NoOp %t, entry %v", c.update, c.base, out.NeedsID, out.NoOp, out.Entry)
		}
	}
}

// nest returns levels objects within each other.
func nest(levels int) string {
	return strings.Repeat(`{"x":`, levels) + "1" + strings.Repeat("}", levels)
}

func TestNestingLimit(t *testing.T) {
	t.Parallel()
	path := func(n int) string { return "z" + strings.Repeat(".a", n-1) }
	cases := []struct {
		doc, update string
		deep        bool
	}{
		{`{"_id":1}`, `{"$set":{"` + path(180) + `":1}}`, false},
		{`{"_id":1}`, `{"$set":{"` + path(181) + `":1}}`, true},
		{`{"_id":1}`, `{"$set":{"a":` + nest(179) + `}}`, false},
		{`{"_id":1}`, `{"$set":{"a":` + nest(180) + `}}`, true},
		{`{"_id":1,"a":{}}`, `{"$set":{"a.b":` + nest(179) + `}}`, true},
		{`{"_id":1}`, `{"$push":{"a":` + nest(178) + `}}`, false},
		{`{"_id":1}`, `{"$push":{"a":` + nest(179) + `}}`, true},
		{`{"_id":1}`, `{"q":` + nest(179) + `}`, false},
		{`{"_id":1}`, `{"q":` + nest(180) + `}`, true},
		{`{"_id":1,"a":` + nest(178) + `}`, `{"$rename":{"a":"b.c"}}`, false},
		{`{"_id":1,"a":` + nest(178) + `}`, `{"$rename":{"a":"b.c.d"}}`, true},
	}
	for i, c := range cases {
		out, err := compile(t, c.update).Apply(Input{Doc: parseDoc(t, c.doc), Position: -1})
		if mongoerr.Is(err, mongoerr.Overflow) != c.deep || err != nil && !c.deep {
			t.Errorf("case %d: error %v, want one: %t", i, err, c.deep)
		}
		if err == nil && bsonraw.Validate(out.Doc, bsonraw.MaxStoredDepth) != nil {
			t.Errorf("case %d: the result is nested too deeply", i)
		}
	}
}

func TestLongPaths(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a.", 1<<20) + "a"
	for _, operator := range []string{"$set", "$unset", "$pull"} {
		if _, err := Compile(parseValue(t, `{"`+operator+`":{"`+long+`":1}}`), Options{}); !mongoerr.Is(err, mongoerr.Overflow) {
			t.Errorf("%s with a path of a million names: %v", operator, err)
		}
	}
}

func TestSizeLimit(t *testing.T) {
	t.Parallel()
	const overhead = 4 + (1 + 4 + 4) + (1 + 2 + 4 + 1) + 1 // {_id: 1, a: ".."}
	doc := parseDoc(t, `{"_id":1,"a":"`+strings.Repeat("x", bsonraw.MaxDocumentSize-overhead-7)+`"}`)
	if len(doc) != bsonraw.MaxDocumentSize-7 {
		t.Fatalf("the document has %d bytes", len(doc))
	}
	if out := apply(t, compile(t, `{"$set":{"b":1}}`), Input{Doc: doc, Position: -1}); len(out.Doc) != bsonraw.MaxDocumentSize {
		t.Errorf("got %d bytes", len(out.Doc))
	}
	if _, err := compile(t, `{"$set":{"bc":1}}`).Apply(Input{Doc: doc, Position: -1}); !mongoerr.Is(err, resultTooLarge) {
		t.Errorf("one byte too much: %v", err)
	}
}

func TestOneElementUnderTwoNames(t *testing.T) {
	t.Parallel()
	in := Input{Doc: parseDoc(t, `{"_id":1,"a":[{},1]}`), Position: -1}
	out := apply(t, compile(t, `{"$set":{"a.0.x":1,"a.00.y":2,"a.03":3,"a.1":4}}`), in)
	if want := parseDoc(t, `{"_id":1,"a":[{"x":1,"y":2},4,null,3]}`); show(out.Doc) != show(want) {
		t.Errorf("got %s, want %s", show(out.Doc), show(want))
	}
	if _, err := compile(t, `{"$set":{"a.1":1,"a.01":2}}`).Apply(in); !mongoerr.Is(err, mongoerr.ConflictingUpdateOperators) {
		t.Errorf("two values for one element: %v", err)
	}
}

func TestManyFields(t *testing.T) {
	t.Parallel()
	const n = 300
	var before, changes, after strings.Builder
	for i := range n {
		fmt.Fprintf(&before, `,"f%d":%d`, i, i)
		fmt.Fprintf(&after, `,"f%d":%d`, i, i+1)
		fmt.Fprintf(&changes, `"f%d":1,`, n-1-i)
	}
	u := compile(t, `{"$inc":{`+strings.TrimSuffix(changes.String(), ",")+`},"$set":{"new":true}}`)
	out := apply(t, u, Input{Doc: parseDoc(t, `{"_id":1`+before.String()+`}`), Position: -1})
	if want := parseDoc(t, `{"_id":1`+after.String()+`,"new":true}`); !bytes.Equal(out.Doc, want) {
		t.Errorf("got %s", show(out.Doc))
	}
	if _, err := Compile(parseValue(t, `{"$inc":{`+changes.String()+`"f7":1}}`), Options{}); !mongoerr.Is(err, mongoerr.ConflictingUpdateOperators) {
		t.Errorf("a field named twice: %v", err)
	}
}

func TestNeedsPosition(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"$set":{"a.$":1}}`: true, `{"$inc":{"a.$.b":1}}`: true, `{"$set":{"a.$[]":1}}`: false, `{"$set":{"a":"$"}}`: false, `{"a":1}`: false,
	} {
		if got := compile(t, text).NeedsPosition(); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

func TestOperatorsAreListed(t *testing.T) {
	t.Parallel()
	got := strings.Join(Operators(), " ")
	want := "$addToSet $bit $currentDate $inc $max $min $mul $pop $pull $pullAll $push $rename $set $setOnInsert $unset"
	if got != want {
		t.Errorf("got %s", got)
	}
}

// TestVeryManyFields would take half a minute if every field were looked for among all others.
func TestVeryManyFields(t *testing.T) {
	t.Parallel()
	const fields = 100_000
	doc, at := bsonraw.BeginDoc(nil)
	inc, incAt := bsonraw.BeginDoc(nil)
	for i := range fields {
		doc = bsonraw.AppendInt32(doc, strconv.Itoa(fields-i), 1)
		inc = bsonraw.AppendInt32(inc, strconv.Itoa(i*7919%fields+1), 1)
	}
	doc, inc = bsonraw.EndDoc(doc, at), bsonraw.EndDoc(inc, incAt)
	spec, specAt := bsonraw.BeginDoc(nil)
	spec = bsonraw.EndDoc(bsonraw.AppendDoc(spec, "$inc", inc), specAt)
	u, err := Compile(bsonraw.Doc(spec).Value(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := u.Apply(Input{Doc: doc, Position: -1})
	if err != nil {
		t.Fatal(err)
	}
	for it := out.Doc.Iter(); it.Next(); {
		if n := it.Value().Int32(); n != 2 {
			t.Fatalf("%s is %d", it.Key(), n)
		}
	}
	if n := out.Doc.Len(); n != fields {
		t.Errorf("%d fields", n)
	}
}

// TestLargeUpdatesLeaveTheirMemory to the garbage collector, not to the small ones that come later.
func TestLargeUpdatesLeaveTheirMemory(t *testing.T) {
	t.Parallel()
	var fields, elements strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&fields, `"f%d":1,`, i)
		elements.WriteString("null,")
	}
	for name, text := range map[string]string{
		"fields":   `{"$set":{` + fields.String() + `"last":1}}`,
		"elements": `{"$push":{"a":{"$each":[` + elements.String() + `1]}}}`,
		"a value":  `{"$set":{"a":"` + strings.Repeat("x", 2*keptBuffers) + `"}}`,
	} {
		u := compile(t, text)
		if u.memory() <= keptBuffers && name == "fields" {
			t.Errorf("%s: %d bytes are counted before it is applied", name, u.memory())
		}
		apply(t, u, Input{Doc: parseDoc(t, `{"_id":1,"a":[]}`), Position: -1})
		if u.memory() <= keptBuffers {
			t.Errorf("%s: %d bytes are counted", name, u.memory())
		}
		if u.Release(); u.tree == nil {
			t.Errorf("%s: its memory was kept", name)
		}
	}
}
