package changestream_test

import (
	"testing"

	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"go.mongodb.org/mongo-driver/v2/bson"
)

const splitStage = `{"$changeStreamSplitLargeEvent":{}}`

// large makes a history with one event of about 24 MB (by the added field), and a small one behind it.
func large(t testing.TB) (h *history, start oplog.Timestamp, stages []string) {
	h = newHistory()
	start = h.end + 1
	h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: 1}, {Key: "pad", Value: make([]byte, 12<<20)}})
	h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: 2}})
	return h, start, []string{`{"$addFields":{"twice":"$fullDocument.pad"}}`, splitStage}
}

func TestLargeEventsAreSplit(t *testing.T) {
	t.Parallel()
	h, start, stages := large(t)
	for _, size := range []int{0, 1, 2} {
		events := drain(t, open(t, h, collection, at(start), stages...), h, size)
		if len(events) != 3 {
			t.Fatalf("batches of %d: %d events, want two fragments and one whole", size, len(events))
		}
		merged := map[string]bool{}
		for i, e := range events[:2] {
			split := e.Lookup("splitEvent").Doc()
			if got := split.Lookup("fragment").Int32(); got != int32(i+1) || split.Lookup("of").Int32() != 2 {
				t.Errorf("fragment %d says %s", i, text(split))
			}
			k, err := changestream.ParseToken(e.Lookup("_id").Doc())
			if err != nil || k.Fragment != int32(i) {
				t.Errorf("fragment %d has the token %+v (%v)", i, k, err)
			}
			for it := e.Iter(); it.Next(); {
				merged[string(it.Key())] = true
			}
		}
		for _, field := range []string{"_id", "operationType", "clusterTime", "wallTime", "fullDocument", "ns", "documentKey", "twice", "splitEvent"} {
			if !merged[field] {
				t.Errorf("no fragment has %s", field)
			}
		}
		if !events[2].Lookup("splitEvent").IsMissing() {
			t.Error("a small event was split")
		}
	}
}

func TestResumeWithinASplitEvent(t *testing.T) {
	t.Parallel()
	h, start, stages := large(t)
	events := fill(t, open(t, h, collection, at(start), stages...), h, h, 1)
	first := events[0]
	second := fill(t, open(t, h, collection, after(first), stages...), h, h, 1)[0]
	if got := second.Lookup("splitEvent").Doc().Lookup("fragment").Int32(); got != 2 {
		t.Errorf("after fragment 1 comes %d", got)
	}
	rest := drain(t, open(t, h, collection, after(second), stages...), h, 0)
	if len(rest) != 1 || !rest[0].Lookup("splitEvent").IsMissing() {
		t.Errorf("%d events after the last fragment, want the whole one", len(rest))
	}
	_, err := tryOpen(t, h, collection, after(first))
	wantCode(t, err, mongoerr.ChangeStreamFatalError)
	_, err = tryFill(open(t, h, collection, after(first), splitStage), h, h, 0)
	wantCode(t, err, mongoerr.ChangeStreamFatalError)
	k, err := changestream.ParseToken(first.Lookup("_id").Doc())
	if err != nil {
		t.Fatal(err)
	}
	k.Fragment = 7
	_, err = tryFill(open(t, h, collection, bson.D{{Key: "resumeAfter", Value: bson.Raw(k.Append(nil))}}, stages...), h, h, 0)
	wantCode(t, err, mongoerr.ChangeStreamFatalError)
}

func TestFieldTooLargeToSplit(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: 1}, {Key: "pad", Value: make([]byte, 12<<20)}})
	_, err := tryFill(open(t, h, collection, at(start), `{"$addFields":{"both":["$fullDocument","$fullDocument"]}}`, splitStage), h, h, 0)
	wantCode(t, err, 7182500)
	_, err = tryFill(open(t, h, collection, at(start), `{"$addFields":{"both":["$fullDocument","$fullDocument"]}}`), h, h, 0)
	wantCode(t, err, mongoerr.BSONObjectTooLarge)
}
