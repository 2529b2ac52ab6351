package sluice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// contract: B2, T5, T7, N1
func TestTryNextTakesOneRound(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{{token: tok(1), takes: time.Second}, {events: evs(2), token: tok(3)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		if _, ok, err := stream.TryNext(t.Context()); ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		if stream.ResumeToken() != tok(1) {
			t.Error("an idle reply did not move the token")
		}
		if _, ok, err := stream.TryNext(t.Context()); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		synctest.Wait()
		if _, sent, _ := s.counts(); sent != 2 {
			t.Errorf("%d getMores, want 2", sent)
		}
		if stream.ResumeToken() != tok(3) {
			t.Error("the drained batch's token is not the position")
		}
	})
}

// contract: C1
func TestAbandonedTryNextLosesNothing(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{{events: evs(1), takes: time.Second}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, ok, err := stream.TryNext(ctx); ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v, %v", ok, err)
		}
		if _, ok, err := stream.TryNext(t.Context()); !ok || err != nil { // the same getMore
			t.Fatalf("%v, %v", ok, err)
		}
		if _, sent, _ := s.counts(); sent != 1 {
			t.Errorf("%d getMores, want 1", sent)
		}
	})
}

// contract: B1, B2, B6, B7
func TestNoGetMoreWithoutDemand(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{{events: evs(1, 2)}, {events: evs(3, 4)}, {events: evs(5)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		sent := func() int {
			synctest.Wait()
			_, n, _ := s.counts()
			return n
		}
		if n := sent(); n != 0 {
			t.Fatalf("%d getMores after Watch", n)
		}
		nextIs(t, stream, 1)
		if n := sent(); n != 1 {
			t.Fatalf("%d getMores in the middle of a batch", n)
		}
		nextIs(t, stream, 2)
		if n := sent(); n != 2 {
			t.Fatalf("%d getMores after the last event of a batch, want one ahead", n)
		}
		if h := stream.Health(); h.Buffered != 2 {
			t.Errorf("%d events buffered, want 2", h.Buffered)
		}
		if stream.ResumeToken() != tok(2) {
			t.Error("the batch that is held moved the token")
		}
		if _, ok, err := stream.TryNext(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, ok, err := stream.TryNext(t.Context()); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if n := sent(); n != 2 {
			t.Fatalf("%d getMores: TryNext started one", n)
		}
	})
}

// contract: B6
func TestReadAheadBounds(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]ReadAhead{"off": {Off: true}, "small": {MaxBytes: 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{mores: []step{{events: evs(1)}, {events: evs(2)}}}
			scenario(t, s, &Options{ReadAhead: ahead}, func(t *testing.T, stream *Stream[bson.Raw]) {
				nextIs(t, stream, 1)
				synctest.Wait()
				if _, sent, _ := s.counts(); sent != 1 {
					t.Errorf("%d getMores, want 1", sent)
				}
				nextIs(t, stream, 2)
			})
		})
	}
}

// Behind a large batch there is more: its successor is fetched while it is handed out, and moves nothing until then.
// contract: B6, B7
func TestReadAheadDuringALargeBatch(t *testing.T) {
	t.Parallel()
	large := bson.E{Key: "pad", Value: strings.Repeat("x", backlogBytes)}
	s := &script{mores: []step{{events: []bson.Raw{ev(1, large), ev(2)}, token: tok(3)}, {events: evs(4, 5), token: tok(6)}, {events: evs(7)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 1)
		synctest.Wait()
		if _, sent, _ := s.counts(); sent != 2 {
			t.Errorf("%d getMores while a large batch is handed out, want 2", sent)
		}
		if stream.ResumeToken() != tok(1) || stream.Health().Buffered != 3 {
			t.Errorf("token %v, buffered %d: a batch that is held moves no token, and its events count", stream.ResumeToken(), stream.Health().Buffered)
		}
		nextIs(t, stream, 2)
		if stream.ResumeToken() != tok(3) {
			t.Errorf("token %v, want that of the first batch", stream.ResumeToken())
		}
		nextIs(t, stream, 4)
		synctest.Wait()
		if _, sent, _ := s.counts(); sent != 2 {
			t.Errorf("%d getMores while a small batch is handed out, want no third", sent)
		}
		nextIs(t, stream, 5, 7)
	})
}

// contract: S9, S13
func TestCloseWhileABatchIsHeld(t *testing.T) {
	t.Parallel()
	large := bson.E{Key: "pad", Value: strings.Repeat("x", backlogBytes)}
	s := &script{mores: []step{{events: []bson.Raw{ev(1, large), ev(2)}}, {events: evs(4, 5)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 1)
		synctest.Wait()
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Next after Close: %v", err)
		}
		if _, _, closed := s.counts(); closed != 1 || stream.Health().Buffered != 0 {
			t.Errorf("%d cursors closed, %d events buffered", closed, stream.Health().Buffered)
		}
	})
}

// contract: M3, G18
func TestWholeBatches(t *testing.T) {
	t.Parallel()
	var many []uint32
	for n := range uint32(3000) {
		many = append(many, n+1)
	}
	s := &script{mores: []step{{events: evs(many...), token: tok(3001)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 1)
		events, err := stream.NextBatch(t.Context())
		if err != nil || len(events) != len(many)-1 {
			t.Fatalf("%d events, %v", len(events), err)
		}
		if stream.ResumeToken() != tok(3001) {
			t.Error("the position is not the batch's token")
		}
	})
}

// contract: S13, G10
func TestCloseFreesReaders(t *testing.T) {
	t.Parallel()
	s := &script{}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		errs := make(chan error, 4)
		go func() { _, err := stream.Next(t.Context()); errs <- err }()
		go func() { _, _, err := stream.TryNext(t.Context()); errs <- err }()
		go func() { _, err := stream.NextBatch(t.Context()); errs <- err }()
		go func() {
			for e, err := range stream.All(t.Context()) {
				errs <- fmt.Errorf("All yielded %v: %w", e.Raw(), err)
			}
			errs <- ErrClosed
		}()
		synctest.Wait()
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
		}
		if opened, _, closed := s.counts(); opened != 1 || closed != 1 {
			t.Errorf("%d cursors opened, %d closed", opened, closed)
		}
	})
}

// contract: S13, C5
func TestCloseDuringOutage(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{{err: errNetwork}}, opens: []step{{token: tok(1)}, {err: errNetwork}, {err: errNetwork}, {takes: time.Hour}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		go func() { _, _ = stream.Next(t.Context()) }()
		<-time.After(10 * time.Second) // fake time: until the attempt that hangs
		begin := time.Now()
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 0 {
			t.Errorf("Close waited %s for an attempt to open", took)
		}
		if opened, _, _ := s.counts(); opened != 4 {
			t.Errorf("%d attempts to open, want 4", opened)
		}
	})
}

// contract: T10, N4, G18
func TestCallbacks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var tokens []Token
	var stream *Stream[bson.Raw]
	opts := &Options{OnToken: func(token Token) {
		mu.Lock()
		defer mu.Unlock()
		tokens = append(tokens, token)
		if stream.ResumeToken() != token {
			t.Error("the stream's token is another one")
		}
	}}
	s := &script{opens: []step{{token: tok(1)}}, mores: []step{{events: evs(2, 3), token: tok(4)}, {token: tok(5), takes: time.Second}, {token: tok(5), takes: time.Second}, {events: evs(6), takes: time.Second}}}
	scenario(t, s, opts, func(t *testing.T, opened *Stream[bson.Raw]) {
		stream = opened
		nextIs(t, stream, 2, 3, 6)
		want := []Token{tok(2), tok(4), tok(5), tok(6)}
		if len(tokens) != len(want) {
			t.Fatalf("%d tokens reported, want %d", len(tokens), len(want))
		}
		for i := range want {
			if tokens[i] != want[i] {
				t.Errorf("token %d is %v, want %v", i, tokens[i], want[i])
			}
		}
	})
}

// contract: S13
func TestCloseInsideACallback(t *testing.T) {
	t.Parallel()
	var stream *Stream[bson.Raw]
	opts := &Options{OnToken: func(Token) {
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
	}}
	s := &script{mores: []step{{events: evs(1, 2)}}}
	scenario(t, s, opts, func(t *testing.T, opened *Stream[bson.Raw]) {
		stream = opened
		nextIs(t, stream, 1)
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want ErrClosed", err)
		}
	})
}

// TestCloseDuringACallback: who waits behind a slow callback of another reader does not wait for it any more.
func TestCloseDuringACallback(t *testing.T) {
	t.Parallel()
	var busy, done chan struct{}
	var once sync.Once
	opts := &Options{OnToken: func(Token) {
		once.Do(func() { close(busy) })
		<-done
	}}
	s := &script{mores: []step{{events: evs(1, 2)}}}
	scenario(t, s, opts, func(t *testing.T, stream *Stream[bson.Raw]) {
		busy, done = make(chan struct{}), make(chan struct{})
		failures := make(chan error)
		go func() { _, err := stream.Next(t.Context()); failures <- err }()
		<-busy
		go func() { _, err := stream.Next(t.Context()); failures <- err }()
		synctest.Wait()
		if err := stream.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		select {
		case err := <-failures:
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%v, want ErrClosed", err)
			}
		default:
			t.Error("a reader waits for the callback of another one")
			close(done)
			_, _ = <-failures, <-failures
			return
		}
		close(done)
		if err := <-failures; err != nil {
			t.Errorf("the event in the callback: %v", err)
		}
	})
}

// TestCallbackThatPanics: the panic goes to the reader whose callback it is, and leaves a stream that others can read.
func TestCallbackThatPanics(t *testing.T) {
	t.Parallel()
	first := true
	opts := &Options{OnToken: func(Token) {
		if first {
			first = false
			panic("the caller's own")
		}
	}}
	scenario(t, &script{mores: []step{{events: evs(1, 2, 3)}}}, opts, func(t *testing.T, stream *Stream[bson.Raw]) {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			_, _ = stream.Next(t.Context())
		}()
		if stream.ResumeToken() != tok(1) {
			t.Errorf("the position is %v, not behind the event that was handed out", stream.ResumeToken())
		}
		nextIs(t, stream, 2, 3)
	})
}

// contract: H1, H2
func TestGapComesBeforeTheNextEvent(t *testing.T) {
	t.Parallel()
	gone := serverError(286, "gone")
	for name, opts := range map[string]*Options{
		"now": {OnHistoryLost: RestartNow},
		"at":  {OnHistoryLost: RestartAtTime, RestartAt: bson.Timestamp{T: 50}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var order []any
			opts.OnGap = func(g Gap) { order = append(order, g) }
			s := &script{
				at:    bson.Timestamp{T: 60},
				opens: []step{{token: tok(1)}, {token: tok(61)}},
				mores: []step{{events: evs(2, 3)}, {err: gone}, {events: evs(70)}},
			}
			scenario(t, s, opts, func(t *testing.T, stream *Stream[bson.Raw]) {
				for range 3 {
					e, err := stream.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					order = append(order, e.ClusterTime().T)
				}
				gap, ok := order[2].(Gap)
				if !ok || len(order) != 4 || order[3] != uint32(70) {
					t.Fatalf("order %v", order)
				}
				if gap.After != tok(3) || gap.From != (bson.Timestamp{T: 3, I: 1}) || !errors.Is(gap.Err, ErrHistoryLost) {
					t.Errorf("gap %+v", gap)
				}
				want := map[string]position{"now": {}, "at": {time: bson.Timestamp{T: 50}}}[name]
				to := map[string]bson.Timestamp{"now": {T: 60}, "at": {T: 50}}[name]
				if s.opened[1] != want || gap.To != to {
					t.Errorf("restarted at %+v, gap to %v", s.opened[1], gap.To)
				}
			})
		})
	}
}

// contract: H1
func TestHistoryLostAtOpening(t *testing.T) {
	t.Parallel()
	gone := serverError(286, "gone")
	s := &script{opens: []step{{err: gone}}}
	if _, err := streamOn(t, s, &Options{ResumeAfter: tok(1)}); !errors.Is(err, ErrHistoryLost) {
		t.Errorf("%v, want ErrHistoryLost", err)
	}
	again := &script{opens: []step{{err: gone}, {token: tok(5)}}, mores: []step{{events: evs(6)}}, at: bson.Timestamp{T: 5}}
	var gaps int
	stream, err := streamOn(t, again, &Options{ResumeAfter: tok(1), OnHistoryLost: RestartNow, OnGap: func(Gap) { gaps++ }})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	nextIs(t, stream, 6)
	if gaps != 1 {
		t.Errorf("%d gaps, want 1", gaps)
	}
	twice := &script{opens: []step{{err: gone}, {err: gone}}}
	if _, err := streamOn(t, twice, &Options{ResumeAfter: tok(1), OnHistoryLost: RestartAtTime, RestartAt: bson.Timestamp{T: 2}}); !errors.Is(err, ErrHistoryLost) {
		t.Errorf("the other position is gone too: %v", err)
	}
}

// contract: X2, X3
func TestHealth(t *testing.T) {
	t.Parallel()
	observed := &lastHealth{}
	s := &script{opens: []step{{token: tok(10)}}, mores: []step{{events: evs(20, 30), token: tok(40)}}, at: bson.Timestamp{T: 45}}
	scenario(t, s, &Options{Metrics: observed}, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 20)
		synctest.Wait()
		h := stream.Health()
		if h.Position.T != 20 || h.Lag != 25*time.Second || h.Buffered != 1 {
			t.Errorf("%+v", h)
		}
		nextIs(t, stream, 30)
		if h := stream.Health(); h.Position.T != 40 || h.Lag != 5*time.Second || h.Buffered != 0 {
			t.Errorf("after the batch: %+v", h)
		}
		observed.mu.Lock()
		defer observed.mu.Unlock()
		if observed.times == 0 {
			t.Error("nothing was observed")
		}
	})
}

type lastHealth struct {
	mu    sync.Mutex
	times int
}

func (o *lastHealth) Observe(Health) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.times++
}

// contract: F1, F2
func TestFragments(t *testing.T) {
	t.Parallel()
	part := func(n uint32, k, of int, fields ...bson.E) bson.Raw {
		doc := bson.D{{Key: "_id", Value: tok(n)}, {Key: "splitEvent", Value: bson.D{{Key: "fragment", Value: int32(k)}, {Key: "of", Value: int32(of)}}}}
		raw, err := bson.Marshal(append(doc, fields...))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	time := bson.E{Key: "clusterTime", Value: bson.Timestamp{T: 11, I: 1}}
	kind := bson.E{Key: "operationType", Value: "replace"}
	full := bson.E{Key: "fullDocument", Value: bson.D{{Key: "a", Value: 1}}}
	check := func(t *testing.T, stream *Stream[bson.Raw]) {
		t.Helper()
		nextIs(t, stream, 10)
		e, err := stream.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		doc, err := e.FullDocument()
		if err != nil || e.OperationType() != Replace || e.ClusterTime().T != 11 || doc.Lookup("a").AsInt64() != 1 {
			t.Errorf("%v, %v", e.Raw(), err)
		}
		if _, err := e.Raw().LookupErr("splitEvent"); err == nil || e.Raw().Validate() != nil || e.Token() != tok(13) {
			t.Errorf("the event is %v", e.Raw())
		}
	}
	t.Run("over two replies", func(t *testing.T) {
		t.Parallel()
		s := &script{mores: []step{
			{events: []bson.Raw{ev(10), part(11, 1, 3, time)}, token: tok(11)},
			{events: []bson.Raw{part(12, 2, 3, kind), part(13, 3, 3, full), ev(14)}, token: tok(14)},
		}}
		scenario(t, s, &Options{SplitLargeEvents: true}, func(t *testing.T, stream *Stream[bson.Raw]) {
			check(t, stream)
			nextIs(t, stream, 14)
		})
	})
	for name, failure := range map[string]step{"own resume": {err: errNetwork}, "driver's resume": {swap: true, events: []bson.Raw{part(12, 2, 3, kind)}}} {
		t.Run("never resumed in the middle: "+name, func(t *testing.T) {
			t.Parallel()
			s := &script{mores: []step{
				{events: []bson.Raw{ev(10), part(11, 1, 3, time)}, token: tok(11)},
				failure,
				{events: []bson.Raw{part(11, 1, 3, time), part(12, 2, 3, kind), part(13, 3, 3, full)}},
			}}
			scenario(t, s, &Options{SplitLargeEvents: true}, func(t *testing.T, stream *Stream[bson.Raw]) {
				check(t, stream)
				if s.opened[1] != (position{token: tok(10)}) {
					t.Errorf("resumed at %+v", s.opened[1])
				}
			})
		})
	}
}
