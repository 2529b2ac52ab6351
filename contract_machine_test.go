package sluice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestContextEndsInEveryState: whatever the stream is doing, a context that ends costs its caller the wait and the stream
// nothing.
// contract: C1, G1
func TestContextEndsInEveryState(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		script *script
		opts   *Options
	}{
		"in a getMore":          {&script{mores: []step{{events: evs(1, 2), takes: time.Minute}}}, nil},
		"between idle getMores": {&script{mores: []step{{takes: time.Second}, {takes: time.Second}, {events: evs(1, 2), takes: time.Minute}}}, nil},
		"in a pause": {
			&script{mores: []step{{err: errNetwork}, {events: evs(1, 2)}}, opens: []step{{token: tok(1)}, {err: errNetwork}, {err: errNetwork}, {}}},
			&Options{Retry: Retry{MinBackoff: 10 * time.Second}},
		},
		"while a cursor is opened": {&script{mores: []step{{err: errNetwork}, {events: evs(1, 2)}}, opens: []step{{token: tok(1)}, {takes: time.Minute}}}, nil},
		"between fragments": {&script{mores: []step{
			{events: []bson.Raw{fragment(1, 1, 2, bson.E{Key: "clusterTime", Value: bson.Timestamp{T: 1, I: 1}})}}, {takes: time.Minute, events: []bson.Raw{fragment(1, 2, 2), ev(2)}},
		}}, &Options{SplitLargeEvents: true}},
		"while swapped cursors are slowed down": {&script{mores: []step{{swap: true}, {swap: true}, {swap: true}, {events: evs(1, 2)}}}, &Options{Retry: Retry{MinBackoff: 10 * time.Second}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, c.script, c.opts, func(t *testing.T, stream *Stream[bson.Raw]) {
				given := 0
				for range 5 {
					ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
					_, err := stream.Next(ctx)
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("Next: %v, want its deadline", err)
					}
					if _, _, err := stream.TryNext(ctx); !errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("TryNext: %v, want its deadline", err)
					}
					if _, err := stream.NextBatch(ctx); !errors.Is(err, context.DeadlineExceeded) {
						t.Fatalf("NextBatch: %v, want its deadline", err)
					}
					cancel()
					given++
				}
				if !stream.Alive() {
					t.Errorf("dead after %d contexts", given)
				}
				nextIs(t, stream, 1, 2)
			})
		})
	}
}

// mayfly is a context that ends when it is looked at once too often, wherever that is.
type mayfly struct {
	context.Context
	end   context.CancelFunc
	looks int // that it survives
}

func (m *mayfly) look() {
	if m.looks--; m.looks < 0 {
		m.end()
	}
}

func (m *mayfly) Err() error { m.look(); return m.Context.Err() }

func (m *mayfly) Done() <-chan struct{} { m.look(); return m.Context.Done() }

// TestContextEndsInTheSameInstant: a context that ends while an event is handed out takes it away from nobody. It ends at
// every point at which a call looks at it.
// contract: C1
func TestContextEndsInTheSameInstant(t *testing.T) {
	t.Parallel()
	calls := map[string]func(*Stream[bson.Raw], context.Context) ([]Event[bson.Raw], error){
		"Next": func(s *Stream[bson.Raw], ctx context.Context) ([]Event[bson.Raw], error) {
			event, err := s.Next(ctx)
			return []Event[bson.Raw]{event}, err
		},
		"TryNext": func(s *Stream[bson.Raw], ctx context.Context) ([]Event[bson.Raw], error) {
			event, ok, err := s.TryNext(ctx)
			if !ok {
				return nil, err
			}
			return []Event[bson.Raw]{event}, err
		},
		"NextBatch": func(s *Stream[bson.Raw], ctx context.Context) ([]Event[bson.Raw], error) { return s.NextBatch(ctx) },
	}
	for name, call := range calls {
		for _, heard := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, with callbacks: %v", name, heard), func(t *testing.T) {
				t.Parallel()
				const batches = 20
				s := &script{}
				for i := range uint32(batches) {
					s.mores = append(s.mores, step{events: evs(2*i+1, 2*i+2)})
				}
				var shown Token
				opts := &Options{}
				if heard {
					opts.OnToken = func(token Token) { shown = token }
				}
				scenario(t, s, opts, func(t *testing.T, stream *Stream[bson.Raw]) {
					want, given := uint32(1), 0
					for looks := range batches {
						ctx, cancel := context.WithCancel(t.Context())
						events, err := call(stream, &mayfly{ctx, cancel, looks})
						cancel()
						if err != nil {
							if !errors.Is(err, context.Canceled) {
								t.Fatal(err)
							}
							events = nil
						}
						for _, event := range events {
							if event.Token() != tok(want) {
								t.Fatalf("after a context that ended at look %d: %v, want event %d", looks, event.Token(), want)
							}
							want++
							given++
						}
						if heard && given > 0 && shown != tok(want-1) {
							t.Fatalf("OnToken has shown %v, event %d was the last", shown, want-1)
						}
					}
					if given == 0 {
						t.Fatal("no call brought anything")
					}
					nextIs(t, stream, want)
				})
			})
		}
	}
}

// fragment makes the kth of so many fragments of event n.
func fragment(n uint32, k, of int, fields ...bson.E) bson.Raw {
	doc := bson.D{{Key: "_id", Value: tok(n)}, {Key: "splitEvent", Value: bson.D{{Key: "fragment", Value: int32(k)}, {Key: "of", Value: int32(of)}}}}
	raw, err := bson.Marshal(append(doc, fields...))
	if err != nil {
		panic(err)
	}
	return raw
}

// TestIdleReplyBetweenFragments: the token of a reply in the middle of a large event is no position to go on from.
// contract: F2
func TestIdleReplyBetweenFragments(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{
		{events: []bson.Raw{ev(10), fragment(11, 1, 2)}, token: tok(11)},
		{token: tok(11), takes: time.Second},
		{err: errNetwork},
		{events: []bson.Raw{fragment(11, 1, 2), fragment(12, 2, 2, bson.E{Key: "clusterTime", Value: bson.Timestamp{T: 11, I: 1}})}, token: tok(13)},
	}}
	scenario(t, s, &Options{SplitLargeEvents: true}, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 10)
		for range 2 {
			if _, ok, err := stream.TryNext(t.Context()); ok || err != nil {
				t.Fatal(ok, err)
			}
			if stream.ResumeToken() != tok(10) {
				t.Fatalf("the position is in the middle of an event: %v", stream.ResumeToken())
			}
		}
		nextIs(t, stream, 11)
		if s.opened[1] != (position{token: tok(10)}) || stream.ResumeToken() != tok(13) {
			t.Errorf("resumed at %+v, now at %v", s.opened[1], stream.ResumeToken())
		}
	})
}

// TestFragmentsThatDoNotFit: a token in the middle of a large event, which some other client gave. Opening again would not help.
// contract: F3
func TestFragmentsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]bson.Raw{
		"the first is missing": {fragment(11, 2, 2)},
		"one is missing":       {fragment(11, 1, 3), fragment(13, 3, 3)},
		"the last is missing":  {fragment(11, 1, 2), ev(13)},
		"another event's":      {fragment(11, 1, 3), fragment(12, 2, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{mores: []step{{events: evs(9)}, {events: events}}}
			scenario(t, s, &Options{SplitLargeEvents: true}, func(t *testing.T, stream *Stream[bson.Raw]) {
				nextIs(t, stream, 9)
				if _, err := stream.Next(t.Context()); !errors.Is(err, ErrInvalidToken) {
					t.Errorf("%v, want ErrInvalidToken", err)
				}
				if len(s.opened) != 1 || stream.ResumeToken() != tok(9) {
					t.Errorf("opened %d times, at %v", len(s.opened), stream.ResumeToken())
				}
			})
		})
	}
}

// TestCursorEndsBetweenFragments: the event is not lost, nor the stream.
// contract: F4
func TestCursorEndsBetweenFragments(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{
		{events: []bson.Raw{ev(10), fragment(11, 1, 2)}, end: true},
		{events: []bson.Raw{fragment(11, 1, 2), fragment(12, 2, 2, bson.E{Key: "clusterTime", Value: bson.Timestamp{T: 11, I: 1}})}},
	}}
	scenario(t, s, &Options{SplitLargeEvents: true}, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 10, 11)
	})
}

// TestCursorsThatAlwaysEndBetweenFragments: what is never whole ends the stream when Retry says so, after the events before it.
// contract: F4
func TestCursorsThatAlwaysEndBetweenFragments(t *testing.T) {
	t.Parallel()
	s := &script{opens: []step{{token: tok(1)}}, mores: []step{{events: append(evs(10), fragment(11, 1, 2)), end: true}}}
	for range 1000 { // many more than there is time for
		s.opens = append(s.opens, step{events: []bson.Raw{fragment(11, 1, 2)}, end: true})
	}
	scenario(t, s, &Options{SplitLargeEvents: true, Retry: Retry{MaxElapsed: time.Minute}}, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 10)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := stream.Next(ctx); !errors.Is(err, errCutShort) {
			t.Errorf("%v, want the end", err)
		}
		if opened, _, _ := s.counts(); stream.Alive() || opened > 50 {
			t.Errorf("alive: %v; %d cursors opened within a minute", stream.Alive(), opened)
		}
	})
}

// TestSwapsElsewhereAreSlowedDown: a driver that resumes from another position each time is not let run in circles.
// contract: B5
func TestSwapsElsewhereAreSlowedDown(t *testing.T) {
	t.Parallel()
	var mores []step
	for range 20 {
		mores = append(mores, step{err: errElsewhere})
	}
	s := &script{opens: []step{{token: tok(1)}}, mores: append(mores, step{events: evs(2)})}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		begin := time.Now()
		nextIs(t, stream, 2)
		if took := time.Since(begin); took < 30*time.Second {
			t.Errorf("20 cursors in %s", took)
		}
		if h := stream.Health(); h.Resumes != 20 || h.LastError != nil {
			t.Errorf("%+v", h)
		}
	})
	limited := &script{opens: []step{{token: tok(1)}}}
	for range 100 {
		limited.mores = append(limited.mores, step{err: errElsewhere})
	}
	scenario(t, limited, &Options{Retry: Retry{MaxElapsed: time.Minute}}, func(t *testing.T, stream *Stream[bson.Raw]) {
		begin := time.Now()
		if _, err := stream.Next(t.Context()); !errors.Is(err, errUnsteady) {
			t.Errorf("%v, want the end", err)
		}
		if took := time.Since(begin); took < time.Minute || took > 2*time.Minute {
			t.Errorf("ended after %s", took)
		}
	})
}

// TestGapEndsBeforeTheNextEvent: the server's time may have moved past the first event before the server answered.
// contract: H2
func TestGapEndsBeforeTheNextEvent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		open step
		to   bson.Timestamp
	}{
		"an event in the first batch":    {step{events: evs(55)}, bson.Timestamp{T: 55, I: 1}},
		"an empty batch with a token":    {step{token: tok(54)}, bson.Timestamp{T: 54, I: 1}},
		"an empty batch without a token": {step{}, bson.Timestamp{T: 60}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var gaps []Gap
			s := &script{at: bson.Timestamp{T: 60}, opens: []step{{token: tok(1)}, c.open}, mores: []step{{events: evs(2)}, {err: serverError(286, "gone")}, {events: evs(70)}}}
			scenario(t, s, &Options{OnHistoryLost: RestartNow, OnGap: func(g Gap) { gaps = append(gaps, g) }}, func(t *testing.T, stream *Stream[bson.Raw]) {
				nextIs(t, stream, 2)
				if _, err := stream.Next(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(gaps) != 1 || gaps[0].To != c.to || gaps[0].From.T != 2 {
					t.Errorf("gaps %+v, want one to %v", gaps, c.to)
				}
			})
		})
	}
}

// TestGapComesAfterTheBatchBeforeIt: history is lost while a large batch is handed out.
// contract: H1, H2, E14
func TestGapComesAfterTheBatchBeforeIt(t *testing.T) {
	t.Parallel()
	large := bson.E{Key: "pad", Value: strings.Repeat("x", backlogBytes)}
	for name, open := range map[string]step{"empty": {token: tok(60)}, "events": {events: evs(70)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var order []uint32
			s := &script{
				at: bson.Timestamp{T: 65}, opens: []step{{token: tok(1)}, open},
				mores: []step{{events: []bson.Raw{ev(2, large), ev(3), ev(4)}}, {err: serverError(286, "gone")}, {events: evs(80)}},
			}
			scenario(t, s, &Options{OnHistoryLost: RestartNow, OnGap: func(g Gap) { order = append(order, 0) }}, func(t *testing.T, stream *Stream[bson.Raw]) {
				for range 4 {
					e, err := stream.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					order = append(order, e.ClusterTime().T)
					<-time.After(time.Minute) // fake time: the stream starts over meanwhile
				}
				if len(order) != 5 || order[2] != 4 || order[3] != 0 {
					t.Errorf("events and the gap (0) in the order %v", order)
				}
			})
		})
	}
}

// TestHistoryLostAfterALongOutage: the limit of an outage is none for the policy that ends it.
// contract: H4
func TestHistoryLostAfterALongOutage(t *testing.T) {
	t.Parallel()
	s := &script{
		opens: []step{{token: tok(1)}, {err: errNetwork}, {err: serverError(286, "gone"), takes: 40 * time.Second}, {token: tok(90), takes: 40 * time.Second}},
		mores: []step{{err: errNetwork}, {events: evs(91)}},
	}
	gaps := 0
	opts := &Options{OnHistoryLost: RestartNow, OnGap: func(Gap) { gaps++ }, Retry: Retry{MaxElapsed: time.Minute, MinBackoff: 5 * time.Second}}
	scenario(t, s, opts, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 91)
		if gaps != 1 {
			t.Errorf("%d gaps, want 1", gaps)
		}
	})
}

// TestHealthFromTheBeginning: a stream that starts far behind says so before it has read anything.
// contract: X2
func TestHealthFromTheBeginning(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*Options{"token": {ResumeAfter: tok(10)}, "operation time": {StartAtOperationTime: bson.Timestamp{T: 10}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{opens: []step{{events: evs(11)}}, at: bson.Timestamp{T: 110}}
			scenario(t, s, opts, func(t *testing.T, stream *Stream[bson.Raw]) {
				h := stream.Health()
				if h.Position.T != 10 || h.Lag != 100*time.Second {
					t.Errorf("%+v, want position 10 and a lag of 100 s", h)
				}
				synctest.Wait()
				if h := stream.Health(); h.Buffered != 1 {
					t.Errorf("%d events buffered, want 1", h.Buffered)
				}
			})
		})
	}
}

// TestTokenOfAnEventThatWasWrittenOver: what a caller does to an event's bytes does not reach the position.
// contract: T8
func TestTokenOfAnEventThatWasWrittenOver(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{{events: evs(1, 2)}, {err: errNetwork}, {events: evs(3)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		for _, n := range []uint32{1, 2} {
			e, err := stream.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			clear(e.Raw()[4:])
			if stream.ResumeToken() != tok(n) {
				t.Errorf("the position after event %d is %v", n, stream.ResumeToken())
			}
		}
		nextIs(t, stream, 3)
		if s.opened[1] != (position{token: tok(2)}) {
			t.Errorf("resumed at %+v", s.opened[1])
		}
	})
}

// askingHandler is a log that asks the stream how it is, as one that adds such things to each record would.
type askingHandler struct {
	slog.Handler
	ask func()
}

func (h askingHandler) Handle(ctx context.Context, r slog.Record) error {
	h.ask()
	return h.Handler.Handle(ctx, r)
}

// TestLogMayAskTheStream: nothing is held while the caller's log is written.
// contract: X1
func TestLogMayAskTheStream(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var stream atomic.Pointer[Stream[bson.Raw]]
	handler := askingHandler{slog.NewTextHandler(io.Discard, nil), func() {
		if s := stream.Load(); s != nil {
			_, _, _ = s.Health(), s.ResumeToken(), s.Alive()
			asked.Add(1)
		}
	}}
	s := &script{
		opens: []step{{token: tok(1)}, {err: errNetwork}, {err: serverError(286, "gone")}, {token: tok(2)}},
		mores: []step{{err: errNetwork}, {swap: true}, {events: []bson.Raw{ev(3, bson.E{Key: "operationType", Value: "invalidate"})}}},
	}
	scenario(t, s, &Options{Logger: slog.New(handler), OnHistoryLost: RestartNow}, func(t *testing.T, opened *Stream[bson.Raw]) {
		stream.Store(opened)
		nextIs(t, opened, 3)
		if asked.Load() < 5 {
			t.Errorf("%d records, want those of two failures, lost history, resumes and the end", asked.Load())
		}
	})
}

// TestEndIsNotAnError: the end of an invalidated stream is io.EOF itself; a failure never is.
// contract: E12
func TestEndIsNotAnError(t *testing.T) {
	t.Parallel()
	failed := newError(opGetMore, Namespace{}, position{}, errors.Join(io.EOF, context.Canceled))
	if errors.Is(failed, io.EOF) || errors.Is(failed, context.Canceled) {
		t.Error("a failure is taken for the end")
	}
	if opening := newError(opOpen, Namespace{}, position{}, context.Canceled); !errors.Is(opening, context.Canceled) {
		t.Error("the caller's own context cannot be told")
	}
}
