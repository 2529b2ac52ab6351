package sluice_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/internal/testmongo"
)

// contract: S4, M3
func TestNextInOrder(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, nil)
		f.insert(t, 1, 2, 3)
		f.insert(t, 4)
		expectIDs(t, stream, 1, 2, 3, 4)
		if !stream.Alive() {
			t.Error("the stream is not alive")
		}
	})
}

// contract: O6
func TestWatchDatabaseAndCluster(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		db := watch(t, f.db, nil, nil)
		cluster := watch(t, f.client, bson.A{bson.M{"$match": bson.M{"ns.db": f.db.Name()}}}, nil)
		f.insert(t, 1)
		want := sluice.Namespace{DB: f.db.Name(), Coll: "orders"}
		for name, stream := range map[string]*sluice.Stream[order]{"database": db, "cluster": cluster} {
			e, err := stream.Next(within(t))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e.Namespace() != want {
				t.Errorf("%s: namespace %v, want %v", name, e.Namespace(), want)
			}
		}
	})
}

// contract: C1, C2, G1, G3
func TestContextCostsNothing(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{MaxAwaitTime: 10 * time.Second}) // longer than the deadlines below
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			if _, err := stream.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Next with a deadline: %v", err)
			}
			if _, _, err := stream.TryNext(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("TryNext with a deadline that has passed: %v", err)
			}
			cancel()
		}
		f.insert(t, 1, 2)
		expectIDs(t, stream, 1)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := stream.Next(canceled); !errors.Is(err, context.Canceled) {
			t.Fatalf("Next with a canceled context: %v", err)
		}
		expectIDs(t, stream, 2)
		if n := len(f.wire.named("aggregate")); n != 1 {
			t.Errorf("%d aggregates, want 1: the cursor must survive", n)
		}
	})
}

// contract: B1, B2, G12
func TestTryNextSendsOneGetMore(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{MaxAwaitTime: 50 * time.Millisecond})
		if n := len(f.wire.named("getMore")); n != 0 {
			t.Fatalf("Watch sent %d getMores", n)
		}
		for i := 1; i <= 2; i++ {
			if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
				t.Fatalf("TryNext on a quiet collection: %v, %v", ok, err)
			}
			if n := len(f.wire.named("getMore")); n != i {
				t.Fatalf("%d getMores after %d calls", n, i)
			}
		}
		f.insert(t, 1, 2)
		for id := 1; id <= 2; id++ {
			e, ok, err := stream.TryNext(within(t))
			if !ok || err != nil {
				t.Fatalf("TryNext with an event: %v, %v", ok, err)
			}
			if got := e.DocumentKey().Lookup("_id").AsInt64(); got != int64(id) {
				t.Errorf("event of %d, want %d", got, id)
			}
		}
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(f.wire.named("getMore")); n != 3 {
			t.Errorf("%d getMores, want 3: events handed out by TryNext start none", n)
		}
	})
}

// contract: B6, B7
func TestReadAhead(t *testing.T) {
	t.Parallel()
	for _, off := range []bool{false, true} {
		name := map[bool]string{false: "on", true: "off"}[off]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
				f := newFixture(t, server)
				stream := watch(t, f.coll, nil, &sluice.Options{BatchSize: 2, ReadAhead: sluice.ReadAhead{Off: off}})
				f.insert(t, 1, 2, 3, 4)
				expectIDs(t, stream, 1, 2)
				if off {
					if n := len(f.wire.named("getMore")); n != 1 {
						t.Errorf("%d getMores, want 1", n)
					}
					return
				}
				f.wire.await(t, "getMore", 2) // without another call
				held := stream.ResumeToken()
				expectIDs(t, stream, 3)
				if stream.ResumeToken() == held {
					t.Error("the token did not move with the event")
				}
				expectIDs(t, stream, 4)
				f.wire.await(t, "getMore", 3)
			})
		})
	}
}

// contract: M3
func TestNextBatch(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		f.insert(t, 0)
		stream := watch(t, f.coll, nil, nil)
		const n = 1000 // more than the pieces in which a batch is handed over
		ids := make([]int, n)
		for i := range ids {
			ids[i] = i + 1
		}
		f.insert(t, ids...)
		var got []sluice.Event[order]
		for len(got) < n {
			events, err := stream.NextBatch(within(t))
			if err != nil {
				t.Fatal(err)
			}
			if len(events) == 0 {
				t.Fatal("an empty batch")
			}
			got = append(got, events...)
		}
		for i, e := range got {
			if id := e.DocumentKey().Lookup("_id").AsInt64(); id != int64(i+1) {
				t.Fatalf("event %d is of %d", i, id)
			}
		}
	})
}

// contract: S13, N3
func TestAllEndsOnClose(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, nil)
		f.insert(t, 1, 2)
		var seen int
		for _, err := range stream.All(within(t)) {
			if err != nil {
				t.Fatal(err)
			}
			if seen++; seen == 2 {
				go func() { _ = stream.Close() }()
			}
		}
		if seen != 2 || stream.Alive() {
			t.Errorf("%d events, alive %v; want 2, false", seen, stream.Alive())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		open := watch(t, f.coll, nil, nil)
		var errs []error
		for _, err := range open.All(ctx) {
			errs = append(errs, err)
		}
		if len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
			t.Errorf("a context that has ended: %v, want its error once", errs)
		}
	})
}

// cursorOpen reports whether the server has a cursor.
func cursorOpen(t *testing.T, client *mongo.Client, id int64) bool {
	t.Helper()
	stages := mongo.Pipeline{
		{{Key: "$currentOp", Value: bson.D{{Key: "idleCursors", Value: true}, {Key: "allUsers", Value: true}}}},
		{{Key: "$match", Value: bson.D{{Key: "cursor.cursorId", Value: id}}}},
	}
	cursor, err := client.Database("admin").Aggregate(t.Context(), stages)
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close(t.Context())
	return cursor.Next(t.Context())
}

// contract: L6, G2
func TestCloseKillsTheCursor(t *testing.T) {
	t.Parallel()
	for name, await := range map[string]time.Duration{"idle": 0, "in a long getMore": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
				f := newFixture(t, server)
				warmPool(t, f)
				for name, target := range map[string]sluice.Target{"collection": f.coll, "database": f.db, "cluster": f.client} {
					ours := mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "ns.db", Value: f.db.Name()}}}}}
					stream := watch(t, target, ours, &sluice.Options{MaxAwaitTime: await})
					failed := make(chan error, 1)
					before := len(f.wire.named("getMore"))
					f.insert(t, len(f.wire.named("aggregate")))
					if _, err := stream.Next(within(t)); err != nil {
						t.Fatal(err)
					}
					id := f.wire.await(t, "getMore", before+1)[before].body.Lookup("getMore").AsInt64()
					if await > 0 {
						go func() { _, err := stream.Next(t.Context()); failed <- err }()
						f.wire.await(t, "getMore", before+2)
					} else {
						failed <- sluice.ErrClosed
					}
					opened := len(f.wire.named("aggregate"))
					begin := time.Now()
					if err := stream.Close(); err != nil {
						t.Errorf("%s: close: %v", name, err)
					}
					if took := time.Since(begin); took > time.Minute { // not the hour
						t.Errorf("%s: Close took %s", name, took)
					}
					if err := <-failed; !errors.Is(err, sluice.ErrClosed) {
						t.Errorf("%s: the waiting Next returned %v", name, err)
					}
					if n := len(f.wire.named("aggregate")); n != opened {
						t.Errorf("%s: Close opened a cursor", name)
					}
					if !eventually(t, func() bool { return !cursorOpen(t, f.writer.Database().Client(), id) }) {
						t.Errorf("%s: the server still has cursor %d", name, id)
					}
				}
			})
		})
	}
}

// warmPool leaves several idle connections in the client's pool.
func warmPool(t *testing.T, f *fixture) {
	t.Helper()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = f.coll.CountDocuments(t.Context(), bson.D{}) })
	}
	wg.Wait()
}

// eventually polls what a server gets done in its own time.
func eventually(t *testing.T, done func() bool) bool {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// contract: S9, T9
func TestAfterClose(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, nil)
		f.insert(t, 1, 2, 3)
		e, err := stream.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := stream.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
		}
		wg.Wait()
		if stream.Alive() {
			t.Error("alive after Close")
		}
		if got := stream.ResumeToken(); got != e.Token() {
			t.Errorf("the token after Close is %v, want the event's %v", got, e.Token())
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, sluice.ErrClosed) {
			t.Errorf("Next: %v", err)
		}
		if _, ok, err := stream.TryNext(t.Context()); ok || !errors.Is(err, sluice.ErrClosed) {
			t.Errorf("TryNext: %v, %v", ok, err)
		}
		if _, err := stream.NextBatch(t.Context()); !errors.Is(err, sluice.ErrClosed) {
			t.Errorf("NextBatch: %v", err)
		}
		again := watch(t, f.coll, nil, &sluice.Options{ResumeAfter: stream.ResumeToken()})
		expectIDs(t, again, 2, 3)
	})
}

// contract: S7, S8
func TestInvalidate(t *testing.T) {
	t.Parallel()
	for name, batchSize := range map[string]int32{"in a batch with room": 0, "in a full batch": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
				f := newFixture(t, server)
				stream := watch(t, f.coll, nil, &sluice.Options{BatchSize: batchSize})
				f.insert(t, 1)
				if err := f.writer.Drop(t.Context()); err != nil {
					t.Fatal(err)
				}
				var types []sluice.OperationType
				var last sluice.Token
				for e, err := range stream.All(within(t)) {
					if err != nil {
						t.Fatal(err)
					}
					types, last = append(types, e.OperationType()), e.Token()
				}
				want := []sluice.OperationType{sluice.Insert, sluice.Drop, sluice.Invalidate}
				if len(types) != len(want) || types[0] != want[0] || types[1] != want[1] || types[2] != want[2] {
					t.Fatalf("events %v, want %v", types, want)
				}
				if stream.Alive() {
					t.Error("alive after the end")
				}
				if _, err := stream.Next(t.Context()); !errors.Is(err, io.EOF) {
					t.Errorf("Next after the end: %v", err)
				}
				if _, ok, err := stream.TryNext(t.Context()); ok || !errors.Is(err, io.EOF) {
					t.Errorf("TryNext after the end: %v, %v", ok, err)
				}
				if stream.ResumeToken() != last {
					t.Error("the token is not that of the invalidate event")
				}
				f.insert(t, 2)
				expectIDs(t, watch(t, f.coll, nil, &sluice.Options{StartAfter: last}), 2)
				_, err := sluice.Watch[order](t.Context(), f.coll, nil, &sluice.Options{ResumeAfter: last})
				if !errors.Is(err, sluice.ErrInvalidToken) {
					t.Errorf("ResumeAfter an invalidate event: %v", err)
				}
			})
		})
	}
}

// contract: S12
func TestContinueOnInvalidate(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{OnInvalidate: sluice.ContinueOnInvalidate})
		var types []sluice.OperationType
		for id := 1; id <= 3; id++ {
			f.insert(t, id)
			if err := f.writer.Drop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		f.insert(t, 4)
		for len(types) < 10 {
			e, err := stream.Next(within(t))
			if err != nil {
				t.Fatal(err)
			}
			types = append(types, e.OperationType())
		}
		for i, got := range types {
			want := []sluice.OperationType{sluice.Insert, sluice.Drop, sluice.Invalidate}[i%3]
			if got != want {
				t.Fatalf("events %v", types)
			}
		}
		if !stream.Alive() {
			t.Error("not alive")
		}
	})
}

// contract: T1, T2, T5, T7, P1, P11, P14
func TestResumeToken(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{MaxAwaitTime: 50 * time.Millisecond})
		start := stream.ResumeToken()
		if start.IsZero() {
			t.Fatal("no token after opening with an empty batch")
		}
		f.insert(t, 1, 2, 3)
		e, err := stream.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		if stream.ResumeToken() != e.Token() {
			t.Error("in the middle of a batch the token is not that of the event")
		}
		expectIDs(t, stream, 2, 3)
		drained := stream.ResumeToken()
		if _, err := f.writer.Database().Collection("other").InsertOne(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
		moved := eventually(t, func() bool {
			if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
				t.Fatalf("TryNext on a quiet collection: %v, %v", ok, err)
			}
			return stream.ResumeToken() != drained
		})
		if !moved {
			t.Error("idle replies do not move the token")
		}
		for name, opts := range map[string]*sluice.Options{"resumeAfter": {ResumeAfter: start}, "startAfter": {StartAfter: start}} {
			again := watch(t, f.coll, nil, opts)
			if again.ResumeToken() != start {
				t.Errorf("%s: the token before anything was received is not the start token", name)
			}
			expectIDs(t, again, 1, 2, 3)
		}
		at := watch(t, f.coll, nil, &sluice.Options{StartAtOperationTime: e.ClusterTime()})
		if !at.ResumeToken().IsZero() {
			t.Error("started at an operation time with events waiting, the token is not zero")
		}
		expectIDs(t, at, 1, 2, 3)
	})
}

// contract: C4
func TestConcurrentReaders(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{BatchSize: 7})
		const readers, n = 8, 400
		ctx, stop := context.WithCancel(within(t))
		defer stop()
		var mu sync.Mutex
		seen := map[int64]int{}
		var wg sync.WaitGroup
		for range readers {
			wg.Go(func() {
				for e, err := range stream.All(ctx) {
					if err != nil {
						return
					}
					_ = stream.ResumeToken()
					_ = stream.Health()
					mu.Lock()
					seen[e.DocumentKey().Lookup("_id").AsInt64()]++
					if len(seen) == n {
						stop()
					}
					mu.Unlock()
				}
			})
		}
		for i := range n / 100 {
			ids := make([]int, 100)
			for j := range ids {
				ids[j] = i*100 + j
			}
			f.insert(t, ids...)
		}
		wg.Wait()
		if len(seen) != n {
			t.Errorf("%d documents seen, want %d", len(seen), n)
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("the event of %d was handed out %d times", id, times)
			}
		}
	})
}

// contract: C3, G4, G15, N5
func TestClientTimeoutDoesNotKill(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server, func(o *options.ClientOptions) { o.SetTimeout(200 * time.Millisecond) })
		stream := watch(t, f.coll, nil, nil) // the server waits 1 s for events
		done := make(chan error, 1)
		go func() { _, err := stream.Next(within(t)); done <- err }()
		f.wire.await(t, "getMore", 3) // past the first one, which the Timeout ended, and a whole one
		f.insert(t, 1)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := len(f.wire.named("aggregate")); n > 3 {
			t.Errorf("%d aggregates: the stream did not learn", n)
		}
	})
}
