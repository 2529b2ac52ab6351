package changestream_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/oplog"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// What the entries of the tail keep is made once: a second stream of the same class adds nothing.
func TestStreamsShareWhatTheyMake(t *testing.T) {
	t.Parallel()
	h := newHistory()
	start := h.end + 1
	for i := range 20 {
		h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: i}, {Key: "n", Value: i % 3}})
		h.update(t, "shop.orders", i, `{"u":{"n":5}}`)
	}
	var total atomic.Int64
	for _, e := range h.entries {
		e.Share(&total)
	}
	first := func(target changestream.Target, stage string, stages ...string) (grown int64, events []bsonraw.Doc) {
		before := total.Load()
		s := open(t, h, target, with(parse(t, stage), "startAtOperationTime", bsonraw.TimestampValue(uint64(start))), stages...)
		events = fill(t, s, h, h, 0)
		return total.Load() - before, events
	}
	match := `{"$match":{"fullDocument.n":1}}`
	for _, c := range []struct {
		name   string
		target changestream.Target
		stage  string
		stages []string
		grows  bool
	}{
		{"the first of all", collection, `{}`, nil, true},
		{"the same again", collection, `{}`, nil, false},
		{"another scope", database, `{}`, nil, false},
		{"expanded", cluster, `{"showExpandedEvents":true}`, nil, true},
		{"a filter", collection, `{}`, []string{match}, true},
		{"the same filter", database, `{}`, []string{match}, false},
		{"the same filter, expanded", database, `{"showExpandedEvents":true}`, []string{match}, true},
		{"another filter", database, `{}`, []string{`{"$match":{"fullDocument.n":2}}`}, true},
		{"lookups", collection, `{"fullDocument":"updateLookup"}`, nil, false},
	} {
		grown, events := first(c.target, c.stage, c.stages...)
		if grown > 0 != c.grows {
			t.Errorf("%s: what the entries keep grew by %d bytes", c.name, grown)
		}
		if _, again := first(c.target, c.stage, c.stages...); len(again) != len(events) {
			t.Errorf("%s: %d events, then %d", c.name, len(events), len(again))
		} else {
			for i := range again {
				if !bytes.Equal(again[i], events[i]) {
					t.Errorf("%s: event %d differs", c.name, i)
				}
			}
		}
	}
}

// Expressions may give each stream another result when they name what belongs to its command.
func TestStagesThatKnowTheTimeAreNotShared(t *testing.T) {
	t.Parallel()
	h := newHistory()
	e := h.insert(t, "shop.orders", `{"_id":1}`)
	h.share()
	for year, want := range map[int]string{2020: "", 2030: "insert"} {
		spec, err := changestream.Parse(parse(t, at(e.TS)).Value(), collection)
		if err != nil {
			t.Fatal(err)
		}
		scope := expression.NewScope(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), 0)
		s, err := changestream.Open(spec, pipeline(t, `{"$match":{"$expr":{"$lt":["$wallTime","$$NOW"]}}}`), changestream.OpenOptions{Scope: scope})
		if err != nil {
			t.Fatal(err)
		}
		wantTypes(t, fill(t, s, h, h, 0), want)
	}
}

func manyInserts(t testing.TB, n int) (*history, oplog.Timestamp) {
	h := newHistory()
	start := h.end + 1
	for i := range n {
		h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: bson.ObjectID{1, 2, byte(i >> 8), byte(i)}}, {Key: "customer", Value: "4711"}, {Key: "pad", Value: string(bytes.Repeat([]byte("x"), 220))}})
	}
	return h, start
}

// A stream without stages copies what an entry keeps: it allocates for a batch, not for an event.
func TestNoAllocationPerEvent(t *testing.T) { //nolint:paralleltest // it counts the process's allocations
	h, start := manyInserts(t, 1000)
	for _, shared := range []bool{false, true} {
		if shared {
			h.share()
		}
		spec, err := changestream.Parse(parse(t, at(start)).Value(), collection)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 0, 4<<20)
		p := pipeline(t)
		allocs := testing.AllocsPerRun(5, func() {
			s, err := changestream.Open(spec, p, changestream.OpenOptions{})
			if err != nil {
				t.Fatal(err)
			}
			list := bsonraw.BeginArray(buf[:0])
			if err := s.Fill(context.Background(), h, h, &changestream.Batch{Docs: &list, MaxBytes: 16 << 20}); err != nil {
				t.Fatal(err)
			}
			if list.Len() != 1000 {
				t.Fatalf("%d events", list.Len())
			}
		})
		if allocs > 100 {
			t.Errorf("shared %v: %v allocations for 1000 events", shared, allocs)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	const n = 1000
	for _, c := range []struct {
		name   string
		shared bool
		stages []string
	}{
		{"encode", false, nil},
		{"copy", true, nil},
		{"filter", false, []string{`{"$match":{"operationType":"insert","fullDocument.customer":"4711"}}`}},
		{"filterKept", true, []string{`{"$match":{"operationType":"insert","fullDocument.customer":"4711"}}`}},
		{"project", false, []string{`{"$project":{"operationType":1,"documentKey":1}}`}},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, start := manyInserts(b, n)
			if c.shared {
				h.share()
			}
			spec, err := changestream.Parse(parse(b, at(start)).Value(), collection)
			if err != nil {
				b.Fatal(err)
			}
			p := pipeline(b, c.stages...)
			buf := make([]byte, 0, 4<<20)
			b.ReportAllocs()
			for b.Loop() {
				s, err := changestream.Open(spec, p, changestream.OpenOptions{})
				if err != nil {
					b.Fatal(err)
				}
				list := bsonraw.BeginArray(buf[:0])
				if err := s.Fill(context.Background(), h, h, &changestream.Batch{Docs: &list, MaxBytes: 16 << 20}); err != nil || list.Len() != n {
					b.Fatal(err, list.Len())
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
		})
	}
}
