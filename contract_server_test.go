package sluice_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/internal/testmongo"
)

// TestCancelledReadersLoseNothing: readers whose contexts end all the time, some in the moment in which an event comes.
// contract: C1, C4, G1, G2, G3
func TestCancelledReadersLoseNothing(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{BatchSize: 3})
		const n = 300
		var mu sync.Mutex
		seen := map[int64]int{}
		all, done := context.WithCancel(within(t))
		defer done()
		take := func(e sluice.Event[order]) {
			mu.Lock()
			defer mu.Unlock()
			seen[e.DocumentKey().Lookup("_id").AsInt64()]++
			if len(seen) == n {
				done()
			}
		}
		var wg sync.WaitGroup
		for reader := range 4 {
			wg.Go(func() {
				for all.Err() == nil {
					ctx, cancel := context.WithTimeout(all, time.Duration(reader+1)*300*time.Microsecond)
					switch reader {
					case 0:
						if e, ok, err := stream.TryNext(ctx); ok && err == nil {
							take(e)
						}
					case 1:
						events, _ := stream.NextBatch(ctx)
						for _, e := range events {
							take(e)
						}
					default:
						if e, err := stream.Next(ctx); err == nil {
							take(e)
						}
					}
					cancel()
				}
			})
		}
		for id := range n {
			f.insert(t, id)
		}
		wg.Wait()
		for id, times := range seen {
			if times != 1 {
				t.Errorf("the event of %d came %d times", id, times)
			}
		}
		if len(seen) != n {
			t.Errorf("%d events, want %d", len(seen), n)
		}
		if opened := len(f.wire.named("aggregate")); opened != 1 {
			t.Errorf("%d cursors, want 1", opened)
		}
	})
}

// TestWatchOpensBeforeItReturns: no write made after it is missed, whenever the first read comes.
// contract: S1, S2, O6
func TestWatchOpensBeforeItReturns(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		for name, target := range map[string]sluice.Target{"collection": f.coll, "database": f.db, "cluster": f.client} {
			before := len(f.wire.named("aggregate"))
			stream := watch(t, target, bson.A{bson.M{"$match": bson.M{"ns.db": f.db.Name()}}}, nil)
			if !stream.Alive() || stream.ResumeToken().IsZero() {
				t.Errorf("%s: alive %v, token %v", name, stream.Alive(), stream.ResumeToken())
			}
			opened := f.wire.named("aggregate")
			if len(opened) != before+1 {
				t.Fatalf("%s: %d cursors", name, len(opened)-before)
			}
			stage := opened[before].body.Lookup("pipeline", "0", "$changeStream").Document()
			if all := stage.Lookup("allChangesForCluster"); (all.Type != 0) != (name == "cluster") {
				t.Errorf("%s: allChangesForCluster is %v", name, all)
			}
			for _, field := range []string{"showExpandedEvents", "fullDocument", "fullDocumentBeforeChange", "startAtOperationTime"} {
				if got := stage.Lookup(field); got.Type != 0 {
					t.Errorf("%s: %s is sent by default: %v", name, field, got)
				}
			}
			if cursor := opened[before].body.Lookup("cursor").Document(); len(cursor) != 5 {
				t.Errorf("%s: cursor options by default: %v", name, cursor)
			}
			f.insert(t, before)
			expectIDs(t, stream, before)
		}
		getMore := f.wire.named("getMore")[0].body
		for _, field := range []string{"maxTimeMS", "batchSize", "comment"} {
			if got := getMore.Lookup(field); got.Type != 0 {
				t.Errorf("%s is sent by default: %v", field, got)
			}
		}
	})
}

// inserts lets no invalidate event through.
var inserts = mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "operationType", Value: "insert"}}}}}

// TestHiddenInvalidate: the pipeline lets no invalidate event through. The stream ends, or goes on, all the same.
// contract: S11, S12
func TestHiddenInvalidate(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		ends := watch(t, f.coll, inserts, nil)
		goesOn := watch(t, f.coll, inserts, &sluice.Options{OnInvalidate: sluice.ContinueOnInvalidate})
		for id := 1; id <= 3; id++ {
			f.insert(t, id)
			if err := f.writer.Drop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		f.insert(t, 4)
		expectIDs(t, ends, 1)
		if _, err := ends.Next(within(t)); !errors.Is(err, io.EOF) {
			t.Errorf("%v, want io.EOF", err)
		}
		if ends.Alive() {
			t.Error("alive after the end")
		}
		expectIDs(t, goesOn, 1, 2, 3, 4)
	})
}

// TestPositionAfterAHiddenInvalidate: the driver does not show the token of the reply in which the cursor ends when that
// reply brings no event. A stream that starts after the position of an ended one lives all the same.
// contract: S11
func TestPositionAfterAHiddenInvalidate(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		ended := watch(t, f.coll, inserts, nil)
		f.insert(t, 1)
		expectIDs(t, ended, 1) // so that the end comes in a reply of its own
		if err := f.writer.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.insert(t, 2)
		if _, err := ended.Next(within(t)); !errors.Is(err, io.EOF) {
			t.Fatalf("%v, want io.EOF", err)
		}
		after := watch(t, f.coll, inserts, &sluice.Options{StartAfter: ended.ResumeToken()})
		expectIDs(t, after, 2)
	})
}

// TestEventsTooLarge: an update of a large document with its images is more than a document may hold. Asked for, and where
// the server can, its fragments become one event; else the stream ends with the token to go on from, without the fields.
// contract: F1, F5, P19
func TestEventsTooLarge(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		images := bson.D{{Key: "collMod", Value: "orders"}, {Key: "changeStreamPreAndPostImages", Value: bson.D{{Key: "enabled", Value: true}}}}
		if err := f.writer.Database().RunCommand(t.Context(), images).Err(); err != nil {
			t.Fatal(err)
		}
		opts := func(split bool) *sluice.Options {
			return &sluice.Options{FullDocument: sluice.Required, FullDocumentBeforeChange: sluice.BeforeRequired, SplitLargeEvents: split}
		}
		whole, plain := watch(t, f.coll, nil, opts(true)), watch(t, f.coll, nil, opts(false))
		const size = 9 << 20
		if _, err := f.writer.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "item", Value: string(bytes.Repeat([]byte("a"), size))}}); err != nil {
			t.Fatal(err)
		}
		expectIDs(t, whole, 1) // or the reply that fails would have held it, too
		expectIDs(t, plain, 1)
		if _, err := f.writer.UpdateByID(t.Context(), 1, bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: 1}}}}); err != nil {
			t.Fatal(err)
		}
		f.insert(t, 2)

		_, err := plain.Next(within(t))
		failed, ok := errors.AsType[*sluice.Error](err)
		if !ok || !errors.Is(err, sluice.ErrTooLarge) || failed.Token != plain.ResumeToken() {
			t.Fatalf("%v, want ErrTooLarge with the position", err)
		}
		small := mongo.Pipeline{{{Key: "$unset", Value: bson.A{"fullDocument", "fullDocumentBeforeChange"}}}}
		expectIDs(t, watch(t, f.coll, small, &sluice.Options{ResumeAfter: failed.Token}), 1, 2)

		e, err := whole.Next(within(t))
		if errors.Is(err, sluice.ErrTooLarge) && server.Name == "mongod" {
			t.Skipf("this server cannot split: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		after, err := e.FullDocument()
		before, err2 := e.FullDocumentBeforeChange()
		if err != nil || err2 != nil || len(after.Item) != size || len(before.Item) != size || e.OperationType() != sluice.Update {
			t.Errorf("%s: %d and %d bytes, %v, %v", e.OperationType(), len(after.Item), len(before.Item), err, err2)
		}
		if d, err := e.UpdateDescription(); err != nil || d.UpdatedFields.Lookup("n").AsInt64() != 1 {
			t.Errorf("%+v, %v", d, err)
		}
		again := opts(true)
		again.ResumeAfter = e.Token()
		again.FullDocument = sluice.WhenAvailable
		expectIDs(t, watch(t, f.coll, nil, again), 2)
		expectIDs(t, whole, 2)
	})
}

// TestIdleTokensAreReported: OnToken hears of every movement, of those without events too.
// contract: T7, T10
func TestIdleTokensAreReported(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		var mu sync.Mutex
		var tokens []sluice.Token
		stream := watch(t, f.coll, nil, &sluice.Options{MaxAwaitTime: 50 * time.Millisecond, OnToken: func(token sluice.Token) {
			mu.Lock()
			defer mu.Unlock()
			tokens = append(tokens, token)
		}})
		if _, err := f.writer.Database().Collection("other").InsertOne(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
		reported := eventually(t, func() bool {
			if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
				t.Fatalf("TryNext: %v, %v", ok, err)
			}
			mu.Lock()
			defer mu.Unlock()
			return len(tokens) > 0
		})
		if !reported || tokens[len(tokens)-1] != stream.ResumeToken() {
			t.Errorf("reported %v, the position is %v", tokens, stream.ResumeToken())
		}
		f.insert(t, 1)
		e, err := stream.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		again := watch(t, f.coll, nil, &sluice.Options{ResumeAfter: tokens[0]})
		expectIDs(t, again, 1)
		if e.Token().IsZero() {
			t.Error("no token")
		}
	})
}

// TestTokenOfAnotherPipeline: a token whose event this pipeline does not let through. The policy for lost history covers it.
// contract: H3, E8
func TestTokenOfAnotherPipeline(t *testing.T) {
	t.Parallel()
	onwards := func(id int) mongo.Pipeline {
		return mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "documentKey._id", Value: bson.D{{Key: "$gte", Value: id}}}}}}}
	}
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		first := watch(t, f.coll, onwards(1), nil)
		f.insert(t, 1)
		e, err := first.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		fails := watch(t, f.coll, onwards(2), &sluice.Options{ResumeAfter: e.Token()})
		var gaps []sluice.Gap
		restarts := watch(t, f.coll, onwards(2), &sluice.Options{
			ResumeAfter: e.Token(), OnHistoryLost: sluice.RestartNow, MaxAwaitTime: 50 * time.Millisecond, OnGap: func(g sluice.Gap) { gaps = append(gaps, g) },
		})
		f.insert(t, 2) // the server notices with the next event
		if _, err := fails.Next(within(t)); !errors.Is(err, sluice.ErrInvalidToken) {
			t.Errorf("by default: %v, want ErrInvalidToken", err)
		}
		reported := eventually(t, func() bool {
			if _, _, err := restarts.TryNext(within(t)); err != nil {
				t.Fatal(err)
			}
			return len(gaps) > 0
		})
		// What is lost is the event's position, or a later one where a batch without events has come before the server noticed.
		if !reported || len(gaps) != 1 || gaps[0].From.Before(e.ClusterTime()) || !errors.Is(gaps[0].Err, sluice.ErrHistoryLost) {
			t.Fatalf("gaps %+v", gaps)
		}
		f.insert(t, 3)
		last, err := restarts.Next(within(t))
		if err != nil || last.DocumentKey().Lookup("_id").AsInt64() != 3 || gaps[0].To.After(last.ClusterTime()) || gaps[0].From.After(gaps[0].To) {
			t.Errorf("%v, %v; the gap is from %v to %v", last.Raw(), err, gaps[0].From, gaps[0].To)
		}
	})
}
