//go:build !race

package changestream_test

import (
	"context"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/changestream"
	"github.com/sluicestream/sluice/internal/oplog"
)

// A stream allocates for a batch, not for an event: with stages and without, and where it is given the batch of another one.
func TestNoAllocationPerEvent(t *testing.T) { //nolint:paralleltest // it counts the process's allocations
	h, start := manyInserts(t, 1000)
	spec, err := changestream.Parse(parse(t, at(start)).Value(), collection)
	if err != nil {
		t.Fatal(err)
	}
	for name, stages := range map[string][]string{"plain": nil, "filtered": {`{"$match":{"fullDocument.customer":"4711"}}`}} {
		buf := make([]byte, 0, 4<<20)
		p := pipeline(t, stages...)
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
		if allocs > 200 { // most are for opening the stream
			t.Errorf("%s: %v allocations for 1000 events", name, allocs)
		}
	}
}

// growing is an oplog that shows ten more of its entries with each call of more.
type growing struct {
	*history
	shown int
}

func (g *growing) more() { g.shown = min(g.shown+10, len(g.entries)) }

func (g *growing) Newest() oplog.Timestamp { return g.entries[g.shown-1].TS }

func (g *growing) Scan(_ context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (bool, error)) (oplog.Timestamp, error) {
	for _, e := range g.entries[:g.shown] {
		if e.TS < from {
			continue
		}
		if more, err := fn(e); err != nil || !more {
			return e.TS, err
		}
	}
	return g.Newest(), nil
}

// Streams that follow the oplog, many of a class, allocate nothing at all while they do.
func TestFollowingAllocatesNothing(t *testing.T) { //nolint:paralleltest // it counts the process's allocations
	h, start := manyInserts(t, 1000)
	g := &growing{history: h}
	g.more()
	spec, err := changestream.Parse(parse(t, at(start)).Value(), collection)
	if err != nil {
		t.Fatal(err)
	}
	var classes changestream.Classes
	streams := make([]*changestream.Stream, 5)
	for i := range streams {
		if streams[i], err = changestream.Open(spec, pipeline(t), changestream.OpenOptions{Classes: &classes}); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, 0, 1<<20)
	batch := changestream.Batch{MaxBytes: 1 << 20}
	list := bsonraw.BeginArray(nil)
	batch.Docs = &list
	fill := func() {
		for _, s := range streams {
			list = bsonraw.BeginArray(buf[:0])
			if err := s.Fill(context.Background(), g, nil, &batch); err != nil || list.Len() != 10 {
				t.Fatalf("%d events, error %v", list.Len(), err)
			}
		}
		g.more()
	}
	fill()
	allocs := testing.AllocsPerRun(50, fill)
	if perStream := allocs / float64(len(streams)); perStream > 2 { // the method value and what the pool has lost
		t.Errorf("%v allocations for a batch of a stream", perStream)
	}
}
