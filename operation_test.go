package sluice

import (
	"reflect"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func raw(t testing.TB, v any) bson.Raw {
	t.Helper()
	out, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// contract: M2
func TestUpdateDescription(t *testing.T) {
	t.Parallel()
	e := Event[bson.Raw]{raw: ev(1, bson.E{Key: "updateDescription", Value: bson.D{
		{Key: "updatedFields", Value: bson.D{{Key: "a.0", Value: 1}}},
		{Key: "removedFields", Value: bson.A{"b", "c.d"}},
		{Key: "truncatedArrays", Value: bson.A{bson.D{{Key: "field", Value: "e"}, {Key: "newSize", Value: 2}}}},
		{Key: "disambiguatedPaths", Value: bson.D{{Key: "a.0", Value: bson.A{"a", "0"}}}},
	}})}
	got, err := e.UpdateDescription()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.RemovedFields, []string{"b", "c.d"}) || !reflect.DeepEqual(got.TruncatedArrays, []TruncatedArray{{"e", 2}}) {
		t.Errorf("%+v", got)
	}
	if got.UpdatedFields.Lookup("a.0").AsInt64() != 1 || got.DisambiguatedPaths.Lookup("a.0").Type != bson.TypeArray {
		t.Errorf("%+v", got)
	}
	for name, bad := range map[string]any{
		"removedFields is no array":    bson.D{{Key: "removedFields", Value: 1}},
		"removedFields holds numbers":  bson.D{{Key: "removedFields", Value: bson.A{1}}},
		"truncatedArrays without size": bson.D{{Key: "truncatedArrays", Value: bson.A{bson.D{{Key: "field", Value: "e"}}}}},
		"truncatedArrays of strings":   bson.D{{Key: "truncatedArrays", Value: bson.A{"e"}}},
	} {
		if _, err := (Event[bson.Raw]{raw: ev(1, bson.E{Key: "updateDescription", Value: bad})}).UpdateDescription(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// contract: M2
func TestTransactionFields(t *testing.T) {
	t.Parallel()
	e := Event[bson.Raw]{raw: ev(1, bson.E{Key: "lsid", Value: bson.D{{Key: "id", Value: 1}}}, bson.E{Key: "txnNumber", Value: int64(7)})}
	if lsid, number, ok := e.Transaction(); !ok || number != 7 || lsid.Lookup("id").AsInt64() != 1 {
		t.Errorf("%v, %d, %v", lsid, number, ok)
	}
}

// contract: M4
func TestReadingAllocatesNothing(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the allocations of the whole process, and refuses a parallel test
	e := Event[bson.Raw]{raw: ev(1, bson.E{Key: "fullDocument", Value: bson.D{{Key: "a", Value: 1}}})}
	for name, read := range map[string]func(){
		"OperationType": func() { _ = e.OperationType() },
		"ClusterTime":   func() { _ = e.ClusterTime() },
		"DocumentKey":   func() { _ = e.DocumentKey() },
		"FullDocument":  func() { _, _ = e.FullDocument() },
		"Raw":           func() { _ = e.Raw() },
	} {
		if n := testing.AllocsPerRun(100, read); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestTokenTime(t *testing.T) {
	t.Parallel()
	if at, err := tok(300).time(); err != nil || at != (bson.Timestamp{T: 300, I: 1}) {
		t.Errorf("%v, %v", at, err)
	}
	for name, data := range map[string]any{"short": "82", "no hex": "82zzzzzzzzzzzzzzzz", "another type": "84000000010000000100", "no string": 7} {
		token, err := NewToken(raw(t, bson.D{{Key: "_data", Value: data}}))
		if err != nil {
			t.Fatal(err)
		}
		if at, err := token.time(); err == nil {
			t.Errorf("%s: %v", name, at)
		}
	}
}

// contract: V3
func TestPipelineIsCopied(t *testing.T) {
	t.Parallel()
	inner := bson.D{{Key: "a", Value: bson.A{1, bson.M{"b": 2}}}}
	pipeline := []bson.D{{{Key: "$match", Value: inner}}}
	var p problems
	stages := pipelineStages(pipeline, &p)
	before := raw(t, stages[0])
	inner[0].Value.(bson.A)[1].(bson.M)["b"] = 3
	inner[0].Key = "changed"
	if after := raw(t, stages[0]); string(after) != string(before) {
		t.Errorf("the stages changed with the caller's: %v", after)
	}
}
