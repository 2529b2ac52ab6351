package main

import (
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestCommentFlag(t *testing.T) {
	t.Parallel()
	cases := []struct{ text, want string }{
		{`{"who": "me"}`, `{"who": "me"}`},
		{`42`, `{"$numberInt":"42"}`},
		{`"quoted"`, `"quoted"`},
		{`plain text`, `plain text`},
		{`1}, "x": {"y": 2`, `1}, "x": {"y": 2`}, // no way out of the value
		{``, ``},
	}
	for _, c := range cases {
		var f commentFlag
		if err := f.UnmarshalText([]byte(c.text)); err != nil {
			t.Errorf("%q: %v", c.text, err)
		}
		got := fmt.Sprint(f.value)
		if value, ok := f.value.(bson.RawValue); ok {
			got = value.String()
		}
		if got != c.want {
			t.Errorf("%q is %s, want %s", c.text, got, c.want)
		}
	}
}

func TestCollationFlag(t *testing.T) {
	t.Parallel()
	var f collationFlag
	if err := f.UnmarshalText([]byte(`{"locale": "de", "strength": 1, "caseLevel": true, "numericOrdering": true}`)); err != nil {
		t.Fatal(err)
	}
	if want := (options.Collation{Locale: "de", Strength: 1, CaseLevel: true, NumericOrdering: true}); *f.Collation != want {
		t.Errorf("got %+v, want %+v", *f.Collation, want)
	}
	if err := f.UnmarshalText([]byte(`{"locale": "de"} {}`)); err == nil {
		t.Error("two documents are accepted")
	}
}

func TestPipelineKeepsTypes(t *testing.T) {
	t.Parallel()
	stages, err := parsePipeline(`[{"$match": {"a": {"$numberLong": "1"}, "at": {"$date": "2026-03-04T00:00:00Z"}}}, {"$project": {"b": 1}}]`)
	if err != nil || len(stages) != 2 {
		t.Fatalf("%d stages (%v)", len(stages), err)
	}
	if got := stages[0].Lookup("$match", "a").Type; got != bson.TypeInt64 {
		t.Errorf("$numberLong has become %s", got)
	}
	if got := stages[0].Lookup("$match", "at").Type; got != bson.TypeDateTime {
		t.Errorf("$date has become %s", got)
	}
	if stages, err = parsePipeline(`[]`); err != nil || len(stages) != 0 {
		t.Errorf("the empty pipeline: %v (%v)", stages, err)
	}
}

func FuzzFlagValues(f *testing.F) {
	for _, seed := range []string{`{"_data": "82"}`, "82ab", "1,2", `[{"$match": {}}]`, `{"locale": "de"}`, `{"$oid": 1}`, "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var token tokenFlag
		if err := token.UnmarshalText([]byte(text)); err == nil && token.IsZero() {
			t.Error("no token, and no error: the stream would start from now unnoticed")
		}
		var at timestampFlag
		if err := at.UnmarshalText([]byte(text)); err == nil && at.IsZero() {
			t.Error("no time, and no error")
		}
		if stages, err := parsePipeline(text); err == nil {
			for _, stage := range stages {
				if stage.Validate() != nil {
					t.Errorf("malformed stage %x", []byte(stage))
				}
			}
		}
		var collation collationFlag
		if err := collation.UnmarshalText([]byte(text)); err == nil && collation.Collation == nil {
			t.Error("no collation, and no error")
		}
		var comment commentFlag
		if err := comment.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("comment: %v", err)
		}
	})
}
