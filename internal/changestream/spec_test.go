package changestream_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/golden"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// What stages are accepted for what targets, and how others are refused. Each line was compared with a real server; the answers
// differ from its in nothing but the texts of a few messages.
func TestOptionsGolden(t *testing.T) {
	t.Parallel()
	const name = "testdata/options.txt"
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for l := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		stage, _, _ := strings.Cut(l, " => ")
		if strings.HasPrefix(l, "#") || stage == "" {
			fmt.Fprintln(&out, l)
			continue
		}
		ns, arg, _ := strings.Cut(stage, " ")
		db, coll, _ := strings.Cut(ns, ".")
		_, err := changestream.Parse(parse(t, `{"v":`+arg+`}`).Lookup("v"), changestream.Target{DB: db, Coll: coll})
		answer := "ok"
		if err != nil {
			e := mongoerr.From(err)
			answer = fmt.Sprintf("%d %s: %s", int(e.Code), e.Code.Name(), e.Msg)
		}
		fmt.Fprintf(&out, "%s => %s\n", stage, answer)
	}
	golden.Compare(t, name, out.String())
}

func TestNamespaceOfTheCursor(t *testing.T) {
	t.Parallel()
	for target, want := range map[changestream.Target]string{
		collection: "shop.orders", database: "shop.$cmd.aggregate", {DB: "a", Coll: "b.c"}: "a.b.c",
	} {
		spec, err := changestream.Parse(parse(t, `{}`).Value(), target)
		if err != nil {
			t.Fatal(err)
		}
		if got := spec.Namespace(); got != want {
			t.Errorf("%v: %s, want %s", target, got, want)
		}
	}
}

func TestStagesBehindTheFirst(t *testing.T) {
	t.Parallel()
	h := newHistory()
	for _, c := range []struct {
		stages []string
		code   mongoerr.Code
	}{
		{[]string{`{"$match":{}}`, `{"$project":{"a":1}}`, `{"$addFields":{"a":1}}`, `{"$set":{"a":1}}`, `{"$unset":"a"}`, `{"$replaceWith":"$$ROOT"}`, `{"$redact":"$$KEEP"}`}, 0},
		{[]string{`{"$group":{"_id":1}}`}, mongoerr.IllegalOperation},
		{[]string{`{"$limit":1}`}, mongoerr.IllegalOperation},
		{[]string{`{"$nonsense":1}`}, 40324},
		{[]string{`{"$changeStream":{}}`}, 40602},
		{[]string{`{"$changeStreamSplitLargeEvent":{}}`}, 0},
		{[]string{`{"$changeStreamSplitLargeEvent":{}}`, `{"$match":{}}`}, 7182802},
		{[]string{`{"$changeStreamSplitLargeEvent":1}`}, 7182800},
	} {
		_, err := tryOpen(t, h, collection, `{}`, c.stages...)
		if c.code == 0 && err != nil || c.code != 0 && (err == nil || mongoerr.From(err).Code != c.code) {
			t.Errorf("%v: %v, want code %d", c.stages, err, c.code)
		}
	}
}
