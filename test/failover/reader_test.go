package failover

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/test/internal/ledger"
)

// document is what the writers write.
type document struct {
	N int64 `bson:"n"`
}

type stream = sluice.Stream[document]

// reader follows one stream from the beginning to the end.
type reader struct {
	name        string
	collections []string
	stream      *stream
	read        func(ctx context.Context, s *stream) ([]sluice.Event[document], error)
	lookup      bool
	events      []ledger.Observed
	pulse       pulse
}

// openStreams opens streams of each scope, read in each way, before the first write.
func (f *failover) openStreams(ctx context.Context, t *testing.T) error {
	ofDatabase := func(c *mongo.Client) sluice.Target { return c.Database(database) }
	ofCluster := func(c *mongo.Client) sluice.Target { return c }
	ofCollection := func(name string) func(c *mongo.Client) sluice.Target {
		return func(c *mongo.Client) sluice.Target { return c.Database(database).Collection(name) }
	}
	own := bson.D{{Key: "$match", Value: bson.D{{Key: "ns.db", Value: database}}}}
	for _, kind := range []struct {
		name        string
		target      func(*mongo.Client) sluice.Target
		collections []string
		read        func(context.Context, *stream) ([]sluice.Event[document], error)
		secondary   bool
		opts        sluice.Options
	}{
		{"collection, Next", ofCollection("a"), collections[:1], next, false, sluice.Options{}},
		{"collection, TryNext, updateLookup", ofCollection("b"), collections[1:], tryNext, false, sluice.Options{FullDocument: sluice.UpdateLookup}},
		{"collection, Next, updateLookup, from secondaries", ofCollection("a"), collections[:1], next, true, sluice.Options{FullDocument: sluice.UpdateLookup}},
		{"database, NextBatch", ofDatabase, collections, nextBatch, false, sluice.Options{}},
		{"database, All, updateLookup", ofDatabase, collections, all, false, sluice.Options{FullDocument: sluice.UpdateLookup}},
		{"database, Next, batches of 1, nothing read ahead", ofDatabase, collections, next, false, sluice.Options{BatchSize: 1, ReadAhead: sluice.ReadAhead{Off: true}}},
		{"cluster, All", ofCluster, collections, all, false, sluice.Options{}},
		{"cluster, NextBatch, updateLookup", ofCluster, collections, nextBatch, false, sluice.Options{FullDocument: sluice.UpdateLookup, MaxAwaitTime: 100 * time.Millisecond}},
	} {
		preference := readpref.Primary()
		if kind.secondary {
			preference = readpref.SecondaryPreferred()
		}
		client := f.connect(t, options.Client().SetReadPreference(preference))
		s, err := sluice.Watch[document](ctx, kind.target(client), mongo.Pipeline{own}, &kind.opts)
		if err != nil {
			return err
		}
		f.readers = append(f.readers, &reader{
			name: kind.name, collections: kind.collections, stream: s, read: kind.read, lookup: kind.opts.FullDocument == sluice.UpdateLookup,
		})
	}
	return nil
}

func (f *failover) closeStreams() {
	for _, r := range f.readers {
		_ = r.stream.Close()
	}
}

func (r *reader) watches(collection string) bool { return slices.Contains(r.collections, collection) }

// follow reads until the last document.
func (r *reader) follow(ctx context.Context) error {
	last := endOf(r.collections[len(r.collections)-1])
	for {
		events, err := r.read(ctx, r.stream)
		if err != nil {
			return err
		}
		for _, event := range events {
			seen, err := ledger.Read(event.Raw())
			if err != nil {
				return err
			}
			if err := r.checkLookup(event, seen); err != nil {
				return err
			}
			r.events = append(r.events, seen)
			r.pulse.tick()
			if seen.ID == last {
				return nil
			}
		}
	}
}

// checkLookup looks at the document that was looked up: it is gone, or as the event left it, or newer.
func (r *reader) checkLookup(event sluice.Event[document], seen ledger.Observed) error {
	if !r.lookup || seen.Op != "update" || event.Raw().Lookup("fullDocument").Type == bson.TypeNull {
		return nil
	}
	found, err := event.FullDocument()
	if err != nil {
		return fmt.Errorf("update of %s: %w", seen.ID, err)
	}
	if found.N < seen.N {
		return fmt.Errorf("update of %s to %d came with a document from before, of %d", seen.ID, seen.N, found.N)
	}
	return nil
}

func next(ctx context.Context, s *stream) ([]sluice.Event[document], error) {
	event, err := s.Next(ctx)
	return []sluice.Event[document]{event}, err
}

func tryNext(ctx context.Context, s *stream) ([]sluice.Event[document], error) {
	event, ok, err := s.TryNext(ctx)
	if !ok {
		return nil, err
	}
	return []sluice.Event[document]{event}, nil
}

func nextBatch(ctx context.Context, s *stream) ([]sluice.Event[document], error) {
	return s.NextBatch(ctx)
}

// all reads with All. Leaving the loop costs nothing: the next call goes on.
func all(ctx context.Context, s *stream) ([]sluice.Event[document], error) {
	for event, err := range s.All(ctx) {
		return []sluice.Event[document]{event}, err
	}
	return nil, fmt.Errorf("the stream ended")
}
