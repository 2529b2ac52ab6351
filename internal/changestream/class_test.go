package changestream_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/oplog"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// counted is an oplog that counts how often it is scanned.
type counted struct {
	*history
	scans int
}

func (c *counted) Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, error) {
	c.scans++
	return c.history.Scan(ctx, from, fn)
}

// follower is a stream of some class, and another that has the same options and shares nothing.
type follower struct {
	stream, alone *changestream.Stream
}

func follow(t testing.TB, h *history, classes *changestream.Classes, target changestream.Target, stage string, stages ...string) follower {
	t.Helper()
	spec, err := changestream.Parse(parse(t, stage).Value(), target)
	if err != nil {
		t.Fatal(err)
	}
	s, err := changestream.Open(spec, pipeline(t, stages...), changestream.OpenOptions{Now: h.end, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	return follower{s, open(t, h, target, stage, stages...)}
}

// next gives the next batch to both streams, which must be equal, and returns how many scans the first one took.
func (f follower) next(t *testing.T, h *history, maxDocs int) (events, scans int) {
	t.Helper()
	source := &counted{history: h}
	list, want := bsonraw.BeginArray(nil), bsonraw.BeginArray(nil)
	if err := f.stream.Fill(context.Background(), source, h, &changestream.Batch{Docs: &list, MaxDocs: maxDocs, MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if err := f.alone.Fill(context.Background(), h, h, &changestream.Batch{Docs: &want, MaxDocs: maxDocs, MaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	n := list.Len()
	if got, want := bsonraw.Doc(list.End()), bsonraw.Doc(want.End()); !bytes.Equal(got, want) {
		t.Fatalf("a batch of a stream that shares\n got %s\nwant %s", text(got), text(want))
	}
	if !bytes.Equal(f.stream.Token(), f.alone.Token()) || f.stream.Position() != f.alone.Position() || f.stream.Done() != f.alone.Done() {
		t.Fatalf("a stream that shares stands at %v %s, done %v; alone at %v %s, done %v", f.stream.Position(), text(f.stream.Token()), f.stream.Done(),
			f.alone.Position(), text(f.alone.Token()), f.alone.Done())
	}
	return n, source.scans
}

// Streams that make the same of the oplog and have come as far are given one batch, which is made once; those that differ have their own.
func TestStreamsOfAClassShareTheirBatches(t *testing.T) {
	t.Parallel()
	h := newHistory()
	var classes changestream.Classes
	match := `{"$match":{"fullDocument.n":1}}`
	open := func(target changestream.Target, stage string, stages ...string) follower {
		return follow(t, h, &classes, target, stage, stages...)
	}
	cases := []struct {
		name   string
		f      follower
		maxDoc int
		scans  int
	}{
		{"the first of all", open(collection, `{}`), 0, 1},
		{"the same again", open(collection, `{}`), 0, 0},
		{"the same, with room for the batch", open(collection, `{}`), 1000, 0},
		{"the same, without room for it", open(collection, `{}`), 3, 1},
		{"another scope", open(database, `{}`), 0, 1},
		{"expanded", open(collection, `{"showExpandedEvents":true}`), 0, 1},
		{"a filter", open(collection, `{}`, match), 0, 1},
		{"the same filter", open(collection, `{}`, match), 0, 0},
		{"another filter", open(collection, `{}`, `{"$match":{"fullDocument.n":2}}`), 0, 1},
		{"a filter that nothing passes", open(collection, `{}`, `{"$match":{"fullDocument.n":7}}`), 0, 1},
		{"the same filter that nothing passes", open(collection, `{}`, `{"$match":{"fullDocument.n":7}}`), 0, 0},
		{"lookups", open(collection, `{"fullDocument":"updateLookup"}`), 0, 1},
		{"the same lookups", open(collection, `{"fullDocument":"updateLookup"}`), 0, 1},
	}
	h.insert(t, "shop.orders", `{"_id":0,"n":1}`)
	for _, c := range cases {
		c.f.next(t, h, 0) // until a stream has seen an entry it may have to go back
	}
	for round := range 5 {
		for i := range 6 {
			h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: 10*round + i + 1}, {Key: "n", Value: i % 3}})
			h.update(t, "shop.orders", 10*round+i+1, `{"u":{"n":5}}`)
		}
		for _, c := range cases {
			n, scans := c.f.next(t, h, c.maxDoc)
			if scans != c.scans {
				t.Errorf("round %d, %s: %d scans, want %d", round, c.name, scans, c.scans)
			}
			for n == c.maxDoc && n > 0 { // to the end, so that it stands there in the next round
				n, _ = c.f.next(t, h, c.maxDoc)
			}
		}
	}
	for _, c := range cases[1:] {
		c.f.stream.Close()
	}
	h.insert(t, "shop.orders", `{"_id":-1}`)
	cases[0].f.next(t, h, 0)
	late := open(collection, `{}`)
	if n, scans := late.next(t, h, 0); n != 0 || scans != 0 {
		t.Errorf("a stream that begins now: %d events, %d scans", n, scans)
	}
}

// A collection that is dropped ends all streams of a class, each with its own invalidate event.
func TestStreamsOfAClassEndTogether(t *testing.T) {
	t.Parallel()
	h := newHistory()
	var classes changestream.Classes
	streams := []follower{follow(t, h, &classes, collection, `{}`), follow(t, h, &classes, collection, `{}`)}
	for range 3 {
		h.insert(t, "shop.orders", bson.D{{Key: "_id", Value: int64(h.end)}})
		for _, f := range streams {
			f.next(t, h, 0)
		}
	}
	h.insert(t, "shop.orders", `{"_id":2}`)
	h.command(t, "shop", `{"drop":"orders"}`)
	for i, f := range streams {
		if n, _ := f.next(t, h, 0); n != 3 {
			t.Errorf("stream %d: %d events, want an insert, a drop and an invalidate", i, n)
		}
		f.next(t, h, 0)
		if !f.stream.Done() {
			t.Errorf("stream %d goes on", i)
		}
	}
}

// Expressions may give each stream another result when they name what belongs to its command.
func TestStagesThatKnowTheTimeAreNotShared(t *testing.T) {
	t.Parallel()
	h := newHistory()
	e := h.insert(t, "shop.orders", `{"_id":1}`)
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

// A reader that does not say how many events it wants gets many small ones a part at a time, and large ones as many as there is room for.
func TestABatchOfManyEventsIsSmall(t *testing.T) {
	t.Parallel()
	h, start := manyInserts(t, 1000)
	for _, c := range []struct {
		maxDocs, enough int
		stages          []string
		want            string
	}{
		{0, 0, nil, "[1000]"},
		{0, 200_000, nil, "[310 310 310 70]"},
		{0, 200_000, []string{`{"$match":{"operationType":"insert"}}`}, "[310 310 310 70]"},
		{0, 1000, nil, "[101 101 101 101 101 101 101 101 101 91]"},
		{600, 0, nil, "[600 400]"},
	} {
		s := open(t, h, collection, at(start), c.stages...)
		var got []int
		for n := 0; n < 1000; n += got[len(got)-1] {
			list := bsonraw.BeginArray(nil)
			batch := changestream.Batch{Docs: &list, MaxDocs: c.maxDocs, MaxBytes: 16 << 20, Enough: c.enough}
			if err := s.Fill(context.Background(), h, h, &batch); err != nil || list.Len() == 0 {
				t.Fatal(err, list.Len())
			}
			got = append(got, list.Len())
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%d bytes are enough: batches of %v events, want %s", c.enough, got, c.want)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	const n = 1000
	for _, c := range []struct {
		name   string
		stages []string
	}{
		{"encode", nil},
		{"filter", []string{`{"$match":{"operationType":"insert","fullDocument.customer":"4711"}}`}},
		{"project", []string{`{"$project":{"operationType":1,"documentKey":1}}`}},
	} {
		b.Run(c.name, func(b *testing.B) {
			h, start := manyInserts(b, n)
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
