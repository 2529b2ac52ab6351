package changestream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func mark(ts oplog.Timestamp) bsonraw.Doc {
	k := changestream.HighWaterMark(ts)
	return k.Append(nil)
}

func wantToken(t *testing.T, s *changestream.Stream, want bsonraw.Doc) {
	t.Helper()
	if !bytes.Equal(s.Token(), want) {
		t.Errorf("token %s, want %s", text(s.Token()), text(want))
	}
}

func wantTypes(t *testing.T, events []bsonraw.Doc, want string) {
	t.Helper()
	if got := types(events); got != want {
		t.Errorf("events %q, want %q", got, want)
	}
}

func at(ts oplog.Timestamp) string {
	return fmt.Sprintf(`{"startAtOperationTime":{"$timestamp":{"t":%d,"i":%d}}}`, ts.Seconds(), ts.Increment())
}

func after(event bsonraw.Doc) bson.D { return bson.D{{Key: "resumeAfter", Value: token(event)}} }

func TestFreshStreamSeesWhatComesNext(t *testing.T) {
	t.Parallel()
	h := newHistory()
	h.insert(t, "shop.orders", `{"_id":1}`)
	s := open(t, h, collection, `{}`)
	wantToken(t, s, mark(h.end+1))
	wantTypes(t, fill(t, s, h, h, 0), "")
	wantToken(t, s, mark(h.end+1))
	if got := s.Position(); got != h.end {
		t.Errorf("it waits behind %v, want %v", got, h.end)
	}
	e := h.insert(t, "shop.orders", `{"_id":2}`)
	events := fill(t, s, h, h, 0)
	wantTypes(t, events, "insert")
	// The newest entry is the event itself, so the token is its _id and not a mark.
	wantToken(t, s, events[0].Lookup("_id").Doc())
	if got := s.Position(); got != e.TS {
		t.Errorf("it waits behind %v, want %v", got, e.TS)
	}
}

func TestTokenMovesWithWhatTheStreamDoesNotShow(t *testing.T) {
	t.Parallel()
	h := newHistory()
	s := open(t, h, collection, `{}`, `{"$match":{"operationType":"delete"}}`)
	h.insert(t, "shop.orders", `{"_id":1}`)
	h.insert(t, "shop.other", `{"_id":1}`)
	wantTypes(t, fill(t, s, h, h, 0), "")
	wantToken(t, s, mark(h.end))
	h.noop(t)
	wantTypes(t, fill(t, s, h, h, 0), "")
	wantToken(t, s, mark(h.end))
	e := h.remove(t, "shop.orders", 1)
	h.insert(t, "shop.other", `{"_id":2}`)
	events := fill(t, s, h, h, 0)
	wantTypes(t, events, "delete")
	wantToken(t, s, mark(h.end))
	// A full batch stops at its last event.
	again := open(t, h, collection, at(e.TS-2))
	events = fill(t, again, h, h, 1)
	wantTypes(t, events, "delete")
	wantToken(t, again, events[0].Lookup("_id").Doc())
}

func TestStartInTheFuture(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 3
	s := open(t, h, database, at(start))
	wantToken(t, s, mark(start))
	for i := range 5 {
		h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: i}})
		events := fill(t, s, h, h, 0)
		if h.end < start {
			wantTypes(t, events, "")
			wantToken(t, s, mark(start))
		} else {
			wantTypes(t, events, "insert")
		}
	}
}

func TestStartAtTimeOrMarkIncludesIt(t *testing.T) {
	t.Parallel()
	h := newHistory()
	e := h.insert(t, "shop.orders", `{"_id":1}`)
	wantTypes(t, fill(t, open(t, h, collection, at(e.TS)), h, h, 0), "insert")
	for _, option := range []string{"resumeAfter", "startAfter"} {
		s := open(t, h, collection, bson.D{{Key: option, Value: bson.Raw(mark(e.TS))}})
		wantTypes(t, fill(t, s, h, h, 0), "insert")
	}
	// Version 1 wrote marks without the null.
	s := open(t, h, collection, bson.D{{Key: "resumeAfter", Value: bson.D{{Key: "_data", Value: "826553F100000000012B0229296E04"}}}})
	wantTypes(t, fill(t, s, h, h, 0), "insert")
}

func TestHistoryLost(t *testing.T) {
	t.Parallel()
	h := newHistory()
	e := h.insert(t, "shop.orders", `{"_id":1}`)
	first := fill(t, open(t, h, collection, at(e.TS)), h, h, 0)[0]
	h.insert(t, "shop.orders", `{"_id":2}`)
	h.floor = h.end
	for _, stage := range []any{after(first), at(e.TS)} {
		s := open(t, h, collection, stage)
		_, err := tryFill(s, h, h, 0)
		wantCode(t, err, mongoerr.ChangeStreamHistoryLost)
	}
}

func rename(from, to string) string { return `{"renameCollection":"` + from + `","to":"` + to + `"}` }

func TestInvalidation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		target changestream.Target
		does   func(t testing.TB, h *history)
		want   string
		ends   bool
	}{
		{"drop", collection, func(t testing.TB, h *history) { h.command(t, "shop", `{"drop":"orders"}`) }, "drop invalidate", true},
		{"drop of another", collection, func(t testing.TB, h *history) { h.command(t, "shop", `{"drop":"other"}`) }, "", false},
		{"drop of another with the name before a dot", collection, func(t testing.TB, h *history) { h.command(t, "shop", `{"drop":"orders.x"}`) }, "", false},
		{"drop in another database", collection, func(t testing.TB, h *history) { h.command(t, "shop2", `{"drop":"orders"}`) }, "", false},
		{"rename away", collection, func(t testing.TB, h *history) { h.command(t, "shop", rename("shop.orders", "shop.old")) }, "rename invalidate", true},
		{"rename onto", collection, func(t testing.TB, h *history) { h.command(t, "shop", rename("shop.new", "shop.orders")) }, "rename invalidate", true},
		{"dropDatabase", collection, func(t testing.TB, h *history) { h.command(t, "shop", `{"dropDatabase":1}`) }, "", false},
		{"database drop", database, func(t testing.TB, h *history) { h.command(t, "shop", `{"drop":"orders"}`) }, "drop", false},
		{"database rename", database, func(t testing.TB, h *history) { h.command(t, "shop", rename("shop.a", "shop.b")) }, "rename", false},
		{"database dropDatabase", database, func(t testing.TB, h *history) { h.command(t, "shop", `{"dropDatabase":1}`) }, "dropDatabase invalidate", true},
		{"database other", database, func(t testing.TB, h *history) { h.command(t, "shop2", `{"dropDatabase":1}`) }, "", false},
		{"cluster", cluster, func(t testing.TB, h *history) { h.command(t, "shop", `{"dropDatabase":1}`) }, "dropDatabase", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory()
			s := open(t, h, c.target, `{}`)
			c.does(t, h)
			h.insert(t, "shop.orders", `{"_id":"later"}`)
			events := fill(t, s, h, h, 0)
			later := c.want + " insert"
			if c.want == "" {
				later = "insert"
			}
			if c.ends {
				later = c.want
				wantToken(t, s, events[len(events)-1].Lookup("_id").Doc())
			}
			wantTypes(t, events, later)
			if s.Done() != c.ends {
				t.Errorf("it has ended: %v", s.Done())
			}
		})
	}
}

// The batch with the invalidate event ends the stream, unless it is full with it; then the next, empty one does.
func TestEndWithFullBatches(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	h.command(t, "shop", `{"drop":"orders"}`)
	for _, c := range []struct {
		size    int
		batches []string
	}{{0, []string{"drop invalidate"}}, {3, []string{"drop invalidate"}}, {2, []string{"drop invalidate", ""}}, {1, []string{"drop", "invalidate", ""}}} {
		s := open(t, h, collection, at(start))
		for i, want := range c.batches {
			wantTypes(t, fill(t, s, h, h, c.size), want)
			if done := i == len(c.batches)-1; s.Done() != done {
				t.Errorf("batches of %d: after batch %d it has ended: %v, want %v", c.size, i, s.Done(), done)
			}
		}
		if k, err := changestream.ParseToken(s.Token()); err != nil || !k.FromInvalidate {
			t.Errorf("the last token is %+v (%v), want the invalidate event's", k, err)
		}
	}
}

func TestHiddenInvalidateEndsTheStream(t *testing.T) {
	t.Parallel()
	h := newHistory()
	s := open(t, h, collection, `{}`, `{"$match":{"operationType":"insert"}}`)
	h.command(t, "shop", `{"drop":"orders"}`)
	wantTypes(t, fill(t, s, h, h, 0), "")
	k, err := changestream.ParseToken(s.Token())
	if err != nil || !s.Done() || !k.FromInvalidate {
		t.Errorf("ended: %v, token %+v (%v)", s.Done(), k, err)
	}
}

func TestStreamGoesOnBehindItsInvalidateEvent(t *testing.T) {
	t.Parallel()
	h := newHistory()
	s := open(t, h, collection, `{}`)
	h.command(t, "shop", `{"drop":"orders"}`)
	events := fill(t, s, h, h, 0)
	drop, invalidate := events[0], events[1]
	h.insert(t, "shop.orders", `{"_id":2}`)
	h.command(t, "shop", `{"drop":"orders"}`)

	for _, stages := range [][]string{nil, {`{"$match":{"operationType":{"$ne":"invalidate"}}}`}} {
		s = open(t, h, collection, bson.D{{Key: "startAfter", Value: token(invalidate)}}, stages...)
		want := "insert drop invalidate"
		if stages != nil {
			want = "insert drop"
		}
		wantTypes(t, drain(t, s, h, 0), want)
	}
	for _, option := range []string{"resumeAfter", "startAfter"} {
		s = open(t, h, collection, bson.D{{Key: option, Value: token(drop)}})
		wantTypes(t, drain(t, s, h, 0), "invalidate")
		if !s.Done() {
			t.Error("it goes on after the invalidate event")
		}
	}
}

func TestResumeTokenNotFound(t *testing.T) {
	t.Parallel()
	h := newHistory()
	s := open(t, h, database, `{}`)
	h.insert(t, "shop.other", `{"_id":1}`)
	h.insert(t, "shop.orders", `{"_id":1}`)
	events := fill(t, s, h, h, 0)
	foreign := events[0]

	s = open(t, h, collection, after(foreign))
	_, err := tryFill(s, h, h, 0)
	wantCode(t, err, mongoerr.ChangeStreamFatalError)

	// The failure comes with the first event behind the token, not before.
	h2 := newHistory()
	e := h2.insert(t, "shop.other", `{"_id":1}`)
	s = open(t, h2, collection, after(fill(t, open(t, h2, database, at(e.TS)), h2, h2, 0)[0]))
	wantTypes(t, fill(t, s, h2, h2, 0), "")
	h2.insert(t, "shop.orders", `{"_id":1}`)
	_, err = tryFill(s, h2, h2, 0)
	wantCode(t, err, mongoerr.ChangeStreamFatalError)
}

// Filters and projections run before the event is looked for that the stream resumes from, and what stands behind a $redact
// does not, but for filters that a $redact cannot make true. So says the real server.
func TestStagesThatHideTheResumePoint(t *testing.T) {
	t.Parallel()
	h := newHistory()
	s := open(t, h, collection, `{}`)
	h.insert(t, "shop.orders", `{"_id":1}`)
	h.insert(t, "shop.orders", `{"_id":2}`)
	h.remove(t, "shop.orders", 1)
	first := fill(t, s, h, h, 0)[0]
	for _, c := range []struct {
		stages []string
		want   string // empty: 280
	}{
		{[]string{`{"$match":{"operationType":"delete"}}`}, ""},
		{[]string{`{"$match":{"documentKey._id":{"$gt":0}}}`}, "insert delete"},
		{[]string{`{"$addFields":{"z":"$operationType"}}`, `{"$match":{"z":"delete"}}`}, ""},
		{[]string{`{"$project":{"operationType":1}}`, `{"$match":{"operationType":"delete"}}`}, ""},
		{[]string{`{"$redact":{"$cond":[{"$eq":["$operationType","delete"]},"$$KEEP","$$PRUNE"]}}`}, "delete"},
		{[]string{`{"$redact":"$$KEEP"}`, `{"$match":{"operationType":"delete"}}`}, ""}, // the filter is asked before it too
		{[]string{`{"$redact":"$$KEEP"}`, `{"$match":{"operationType":{"$ne":"insert"}}}`}, "delete"},
	} {
		s := open(t, h, collection, after(first), c.stages...)
		events, err := tryFill(s, h, h, 0)
		if c.want == "" {
			wantCode(t, err, mongoerr.ChangeStreamFatalError)
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", c.stages, err)
		}
		wantTypes(t, events, c.want)
	}
}

func TestStagesMustKeepTheID(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	h.insert(t, "shop.orders", `{"_id":{"$numberLong":"1"}}`) // its token has type bits
	for stage, ok := range map[string]bool{
		`{"$project":{"_id":0}}`:                                  false,
		`{"$project":{"_id._data":0}}`:                            false,
		`{"$project":{"_id._data":1}}`:                            false,
		`{"$project":{"_id._data":1,"_id._typeBits":1}}`:          true,
		`{"$project":{"_id":1}}`:                                  true,
		`{"$project":{"_id":"$_id"}}`:                             true,
		`{"$project":{"_id":"$operationType"}}`:                   false,
		`{"$project":{"x":"$_id"}}`:                               true,
		`{"$addFields":{"_id":1}}`:                                false,
		`{"$addFields":{"_id.x":1}}`:                              false,
		`{"$unset":"_id"}`:                                        false,
		`{"$replaceRoot":{"newRoot":{"_id":"$_id"}}}`:             true,
		`{"$replaceRoot":{"newRoot":"$fullDocument"}}`:            false,
		`{"$replaceWith":{"_id":{"_typeBits":"$_id._typeBits"}}}`: false,
	} {
		s := open(t, h, collection, at(start), stage)
		_, err := tryFill(s, h, h, 0)
		if ok && err != nil || !ok && (err == nil || mongoerr.From(err).Code != mongoerr.ChangeStreamFatalError) {
			t.Errorf("%s: %v", stage, err)
		}
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	names := []string{
		"shop.orders", "shop.orders.sub", "shop.other", "shop.system.js", "shop.system.buckets.x", "shop.system.profile", "shop.systemx", "shop.$cmd",
		"shops.orders", "sho.p", "admin.x", "config.x", "local.x", "admin2.x",
	}
	for _, ns := range names {
		h.insert(t, ns, bson.D{{Key: "_id", Value: ns}})
	}
	for _, c := range []struct {
		target changestream.Target
		stage  string
		want   []string
	}{
		{collection, `{}`, []string{"shop.orders"}},
		{database, `{}`, []string{"shop.orders", "shop.orders.sub", "shop.other", "shop.systemx"}},
		{database, `{"showSystemEvents":true}`, []string{"shop.orders", "shop.orders.sub", "shop.other", "shop.system.js", "shop.system.buckets.x", "shop.systemx"}},
		{cluster, `{}`, []string{"shop.orders", "shop.orders.sub", "shop.other", "shop.systemx", "shops.orders", "sho.p", "admin2.x"}},
	} {
		stage := with(parse(t, c.stage), "startAtOperationTime", bsonraw.TimestampValue(uint64(start)))
		var got []string
		for _, event := range fill(t, open(t, h, c.target, stage), h, h, 0) {
			got = append(got, event.Lookup("documentKey").Doc().Lookup("_id").Str())
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v %s\n got %v\nwant %v", c.target, c.stage, got, c.want)
		}
	}
}

func TestUpdateLookup(t *testing.T) {
	t.Parallel()
	h := newHistory()
	s := open(t, h, collection, `{"fullDocument":"updateLookup"}`)
	h.insert(t, "shop.orders", `{"_id":1,"n":1}`)
	h.update(t, "shop.orders", 1, `{"u":{"n":2}}`)
	h.update(t, "shop.orders", 1, `{"u":{"n":3}}`)
	h.insert(t, "shop.orders", `{"_id":2,"n":1}`)
	h.update(t, "shop.orders", 2, `{"u":{"n":5}}`)
	h.remove(t, "shop.orders", 2)
	want := []string{"1", "3", "3", "1", "null", ""}
	for i, event := range fill(t, s, h, h, 0) {
		full := event.Lookup("fullDocument")
		got := full.Type.Name()
		if full.IsDoc() {
			got = fmt.Sprint(full.Doc().Lookup("n").Int32())
		} else if full.IsMissing() {
			got = ""
		}
		if got != want[i] {
			t.Errorf("event %d: fullDocument %s, want %s", i, got, want[i])
		}
		if full.IsMissing() {
			continue
		}
		// It stands where MongoDB puts it: before ns.
		var before string
		for it := event.Iter(); it.Next(); {
			if string(it.Key()) == "ns" && before != "fullDocument" {
				t.Errorf("event %d: %s stands before ns", i, before)
			}
			before = string(it.Key())
		}
	}
}

// failing is a lookup that must not be asked.
type failing struct{ t *testing.T }

func (f failing) FindByKey(context.Context, []byte, [16]byte, bsonraw.Doc, oplog.Timestamp) (bsonraw.Doc, error) {
	f.t.Error("an event that the filter hides was looked up")
	return nil, nil
}

func TestFilterRunsBeforeTheLookup(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	h.update(t, "shop.orders", 1, `{"u":{"n":2}}`)
	stage := with(parse(t, at(start)), "fullDocument", bsonraw.StringValue("updateLookup"))
	s := open(t, h, collection, stage, `{"$match":{"documentKey._id":7}}`)
	wantTypes(t, fill(t, s, h, failing{t}, 0), "")
	stage = with(parse(t, at(start)), "fullDocumentBeforeChange", bsonraw.StringValue("required"))
	s = open(t, h, collection, stage, `{"$match":{"documentKey._id":7}}`)
	wantTypes(t, fill(t, s, h, failing{t}, 0), "")
}

func TestImagesThatWereNotRecorded(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	h.update(t, "shop.orders", 1, `{"u":{"n":2}}`)
	for stage, want := range map[string]string{
		`{"fullDocument":"whenAvailable"}`:             "null missing",
		`{"fullDocumentBeforeChange":"whenAvailable"}`: "missing null",
		`{"fullDocument":"required"}`:                  "error",
		`{"fullDocumentBeforeChange":"required"}`:      "error",
	} {
		s := open(t, h, collection, with(parse(t, stage), "startAtOperationTime", bsonraw.TimestampValue(uint64(start))))
		events, err := tryFill(s, h, h, 0)
		if want == "error" {
			wantCode(t, err, mongoerr.NoMatchingDocument)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := events[0].Lookup("fullDocument").Type.Name() + " " + events[0].Lookup("fullDocumentBeforeChange").Type.Name(); got != want {
			t.Errorf("%s: %s, want %s", stage, got, want)
		}
	}
}

func TestBatchesAreBoundedInBytes(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	for i := range 4 {
		h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: i}, {Key: "pad", Value: make([]byte, 6<<20)}})
	}
	s := open(t, h, collection, at(start))
	for _, want := range []int{2, 2, 0} {
		if got := len(fill(t, s, h, h, 0)); got != want {
			t.Errorf("%d events, want %d", got, want)
		}
	}
}

func TestEventTooLarge(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: 1}, {Key: "pad", Value: make([]byte, 15<<20)}})
	_, err := tryFill(open(t, h, collection, at(start), `{"$addFields":{"twice":"$fullDocument"}}`), h, h, 0)
	wantCode(t, err, mongoerr.BSONObjectTooLarge)
	wantTypes(t, fill(t, open(t, h, collection, at(start)), h, h, 0), "insert")
}

func TestCancelledScanLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	for i := range 10 {
		h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: i}})
	}
	s := open(t, h, collection, at(start), `{"$match":{"documentKey._id":{"$gte":3}}}`)
	ctx, cancel := context.WithCancel(context.Background())
	stopping := scanFunc{h, func(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, error) {
		n := 0
		return h.Scan(ctx, from, func(e *oplog.Entry) (bool, error) {
			if n++; n == 5 {
				cancel()
			}
			return fn(e)
		})
	}}
	list := bsonraw.BeginArray(nil)
	if err := s.Fill(ctx, stopping, h, &changestream.Batch{Docs: &list, MaxBytes: 16 << 20}); err != nil {
		t.Fatal(err)
	}
	if list.Len() != 2 {
		t.Errorf("%d events before the end, want 2", list.Len())
	}
	empty := bsonraw.BeginArray(nil)
	if err := s.Fill(ctx, h, h, &changestream.Batch{Docs: &empty, MaxBytes: 16 << 20}); !errors.Is(err, context.Canceled) {
		t.Errorf("an empty batch of a cancelled scan: %v", err)
	}
	if got := len(fill(t, s, h, h, 0)); got != 5 {
		t.Errorf("%d events afterwards, want 5", got)
	}
}

type scanFunc struct {
	*history
	scan func(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, error)
}

func (f scanFunc) Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, error) {
	return f.scan(ctx, from, fn)
}
