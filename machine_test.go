package sluice

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// script is a source whose cursors do what the test says. A getMore or an opening takes the next step; when none is
// left, getMores wait until their context ends, as a server without events does for ever.
type script struct {
	mu      sync.Mutex
	opens   []step
	mores   []step
	opened  []position
	live    int // cursors that were opened
	closed  int // cursors
	sent    int // getMores
	ended   bool
	at      bson.Timestamp
	batches []int32
}

// step is one reply.
type step struct {
	events []bson.Raw
	token  Token // batch token
	err    error
	end    bool // the server has closed the cursor
	swap   bool // the driver has resumed underneath
	takes  time.Duration
}

type scripted struct {
	*script
	left  []bson.Raw
	token Token
	dead  bool
	swaps uint64
}

func (s *script) open(ctx context.Context, from position, with cursorSettings) (cursor, error) {
	s.mu.Lock()
	s.opened = append(s.opened, from)
	s.batches = append(s.batches, with.batchSize)
	var next step
	if len(s.opens) > 0 {
		next, s.opens = s.opens[0], s.opens[1:]
	}
	s.mu.Unlock()
	if err := s.take(ctx, next.takes); err != nil {
		return nil, err
	}
	if next.err != nil {
		return nil, next.err
	}
	s.mu.Lock()
	s.live++
	s.mu.Unlock()
	return &scripted{script: s, left: next.events, token: next.token, dead: next.end}, nil
}

func (s *script) take(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *script) close() { s.mu.Lock(); s.ended = true; s.mu.Unlock() }

func (s *script) counts() (opened, sent, closed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.opened), s.sent, s.closed
}

func (c *scripted) more(ctx context.Context) error {
	c.mu.Lock()
	c.sent++
	next := step{takes: math.MaxInt64}
	if len(c.mores) > 0 {
		next, c.mores = c.mores[0], c.mores[1:]
	}
	c.mu.Unlock()
	if err := c.script.take(ctx, next.takes); err != nil {
		return &cursorError{err: err}
	}
	if next.err != nil {
		return &cursorError{err: next.err, opening: next.swap}
	}
	if next.swap {
		c.swaps++
	}
	c.left, c.token, c.dead = next.events, next.token, next.end
	return nil
}

func (c *scripted) waiting() int { return len(c.left) }

func (c *scripted) take(dst []bson.Raw, n int) ([]bson.Raw, error) {
	for ; n > 0 && len(c.left) > 0; n-- {
		if eventID(c.left[0]) == nil {
			return dst, &cursorError{err: errNoToken}
		}
		dst, c.left = append(dst, c.left[0]), c.left[1:]
	}
	return dst, nil
}

func (c *scripted) batchToken() Token          { return c.token }
func (c *scripted) alive() bool                { return !c.dead }
func (c *scripted) resumes() uint64            { return c.swaps }
func (c *scripted) serverTime() bson.Timestamp { return c.at }

func (c *scripted) close(context.Context) { c.mu.Lock(); c.closed++; c.mu.Unlock() }

// streamOn opens a stream on a script.
func streamOn(t *testing.T, s *script, opts *Options) (*Stream[bson.Raw], error) {
	t.Helper()
	var p problems
	o := opts.normalized(nil, &p)
	if err := p.err(Namespace{}); err != nil {
		t.Fatal(err)
	}
	m, err := newMachine(t.Context(), s, &o, Namespace{DB: "shop", Coll: "orders"})
	if err != nil {
		return nil, err
	}
	m.start()
	return &Stream[bson.Raw]{m: m}, nil
}

// scenario runs a test of a scripted stream with fake time, and checks that everything is released.
func scenario(t *testing.T, s *script, opts *Options, test func(t *testing.T, stream *Stream[bson.Raw])) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		stream, err := streamOn(t, s, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := stream.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			if !s.ended || s.closed != s.live {
				t.Errorf("source closed: %v; %d cursors closed of %d", s.ended, s.closed, s.live)
			}
		}()
		test(t, stream)
	})
}

// tok makes a token at a time.
func tok(n uint32) Token {
	data := make([]byte, 9)
	data[0], data[3], data[4], data[8] = 0x82, byte(n>>8), byte(n), 1
	const digits = "0123456789ABCDEF"
	var text []byte
	for _, b := range data {
		text = append(text, digits[b>>4], digits[b&15])
	}
	raw, err := bson.Marshal(bson.D{{Key: "_data", Value: string(text) + "2B04"}})
	if err != nil {
		panic(err)
	}
	return Token{raw: string(raw)}
}

// ev makes an event.
func ev(n uint32, fields ...bson.E) bson.Raw {
	doc := bson.D{
		{Key: "_id", Value: tok(n)},
		{Key: "operationType", Value: "insert"},
		{Key: "clusterTime", Value: bson.Timestamp{T: n, I: 1}},
		{Key: "documentKey", Value: bson.D{{Key: "_id", Value: int32(n)}}},
	}
	for _, f := range fields {
		if i := slices.IndexFunc(doc, func(e bson.E) bool { return e.Key == f.Key }); i >= 0 {
			doc[i] = f
			continue
		}
		doc = append(doc, f)
	}
	raw, err := bson.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return raw
}

func evs(numbers ...uint32) []bson.Raw {
	var out []bson.Raw
	for _, n := range numbers {
		out = append(out, ev(n))
	}
	return out
}

func serverError(code int32, message string, labels ...string) error {
	return mongo.CommandError{Code: code, Message: message, Labels: labels}
}

var errNetwork = mongo.CommandError{Message: "connection reset", Labels: []string{labelNetwork}}

func nextIs(t *testing.T, stream *Stream[bson.Raw], numbers ...uint32) {
	t.Helper()
	for _, n := range numbers {
		e, err := stream.Next(t.Context())
		if err != nil {
			t.Fatalf("event %d: %v", n, err)
		}
		if e.ClusterTime().T != n {
			t.Fatalf("event %d, want %d", e.ClusterTime().T, n)
		}
	}
}

// contract: E4, N2, G5
func TestBackoffIsBoundedAndEndsWithSuccess(t *testing.T) {
	t.Parallel()
	s := &script{
		opens: []step{{token: tok(1)}, {err: errNetwork}, {err: serverError(11600, "down")}, {err: context.DeadlineExceeded}, {}},
		mores: []step{{events: evs(2, 3), token: tok(4)}, {err: errNetwork}, {events: evs(5)}},
	}
	scenario(t, s, &Options{Retry: Retry{MinBackoff: time.Second, MaxBackoff: 4 * time.Second}}, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 2, 3)
		begin := time.Now()
		nextIs(t, stream, 5)
		// Four waits of at most 1, 2, 4 and 4 s, each at least half of that.
		if took := time.Since(begin); took < 5500*time.Millisecond || took > 11*time.Second {
			t.Errorf("resumed after %s", took)
		}
		for _, from := range s.opened[1:] {
			if from != (position{token: tok(4)}) {
				t.Errorf("reopened at %+v, want after the batch token", from)
			}
		}
		if h := stream.Health(); h.Resumes != 1 || h.LastError != nil {
			t.Errorf("health %+v", h)
		}
	})
}

// contract: R1, R3, R4, T3, T5, T6, T7
func TestReopensWhereItWas(t *testing.T) {
	t.Parallel()
	opTime := bson.Timestamp{T: 7, I: 3}
	cases := map[string]struct {
		opts  *Options
		first step
		more  []step
		want  position
	}{
		"startAfter, nothing received":       {&Options{StartAfter: tok(1)}, step{}, nil, position{token: tok(1), startAfter: true}},
		"startAfter, idle token":             {&Options{StartAfter: tok(1)}, step{token: tok(2)}, nil, position{token: tok(2), startAfter: true}},
		"startAfter, an event":               {&Options{StartAfter: tok(1)}, step{}, []step{{events: evs(3)}}, position{token: tok(3)}},
		"resumeAfter, nothing received":      {&Options{ResumeAfter: tok(1)}, step{}, nil, position{token: tok(1)}},
		"operation time, nothing received":   {&Options{StartAtOperationTime: opTime}, step{}, nil, position{time: opTime}},
		"operation time, empty batch":        {&Options{StartAtOperationTime: opTime}, step{token: tok(9)}, nil, position{token: tok(9), time: opTime}},
		"operation time, an event":           {&Options{StartAtOperationTime: opTime}, step{events: evs(8)}, nil, position{token: tok(8)}},
		"now, no token: the server's time":   {nil, step{}, nil, position{time: bson.Timestamp{T: 5, I: 5}}},
		"now, an event without batch token":  {nil, step{token: tok(1)}, []step{{events: evs(2, 3)}}, position{token: tok(3)}},
		"now, a later batch token":           {nil, step{token: tok(1)}, []step{{events: evs(2, 3), token: tok(6)}}, position{token: tok(6)}},
		"now, a reply that brings no token":  {nil, step{token: tok(1)}, []step{{events: evs(2)}, {}}, position{token: tok(2)}},
		"now, an idle reply moved the token": {nil, step{token: tok(1)}, []step{{events: evs(2)}, {token: tok(8)}}, position{token: tok(8)}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{opens: []step{c.first}, mores: append(c.more, step{err: errNetwork}, step{events: evs(100)}), at: bson.Timestamp{T: 5, I: 5}}
			scenario(t, s, c.opts, func(t *testing.T, stream *Stream[bson.Raw]) {
				for {
					e, err := stream.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if e.ClusterTime().T == 100 {
						break
					}
				}
				if len(s.opened) != 2 || s.opened[1] != c.want {
					t.Errorf("reopened at %+v, want %+v", s.opened[1:], c.want)
				}
			})
		})
	}
}

// contract: E1, E2, E5, E8, G17
func TestFailureVerdicts(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		err     error
		opening bool
		final   bool
		is      error
	}{
		"network":                           {errNetwork, false, false, nil},
		"cursor not found":                  {serverError(43, "gone"), false, false, nil},
		"labelled":                          {serverError(91, "down", labelResumable), false, false, nil},
		"overloaded":                        {serverError(462, "busy", labelRetryable), false, false, nil},
		"time limit":                        {serverError(50, "slow"), false, false, nil},
		"driver's own error":                {errors.New("server selection error"), false, false, nil},
		"pool cleared":                      {mongo.CommandError{Message: "pool cleared"}, false, false, nil},
		"unlabelled not primary":            {serverError(10107, "not primary"), false, true, nil},
		"unlabelled, of a recovering node":  {serverError(13436, "node is recovering"), false, false, nil},
		"unlabelled, of one shutting down":  {serverError(91, "shutting down"), false, false, nil},
		"not primary while opening":         {serverError(10107, "not primary"), true, false, nil},
		"killed":                            {serverError(237, "killed"), false, true, nil},
		"unauthorized while opening":        {serverError(13, "no"), true, true, nil},
		"history lost":                      {serverError(286, "gone"), false, true, ErrHistoryLost},
		"280, history":                      {serverError(280, "resume point may no longer be in the oplog"), true, true, ErrHistoryLost},
		"280, token not found":              {serverError(280, "the resume token was not found"), false, true, ErrInvalidToken},
		"280, _id changed":                  {serverError(280, "modified by the pipeline"), false, true, ErrInvalidToken},
		"too large":                         {serverError(10334, "BSONObj size"), false, true, ErrTooLarge},
		"field too large to split":          {serverError(7182500, "split"), false, true, ErrTooLarge},
		"client disconnected":               {mongo.ErrClientDisconnected, false, true, nil},
		"session ended":                     {errors.New("ended session was used"), false, true, nil},
		"260 on resumeAfter":                {serverError(260, "invalidate"), true, true, ErrInvalidToken},
		"missing token":                     {mongo.ErrMissingResumeToken, false, true, ErrInvalidToken},
		"the driver resumed from elsewhere": {errElsewhere, false, false, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{opens: []step{{token: tok(1)}}, mores: []step{{err: c.err, swap: c.opening}, {events: evs(2)}}}
			scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
				e, err := stream.Next(t.Context())
				if !c.final {
					if err != nil || e.ClusterTime().T != 2 {
						t.Errorf("%v, %v; want the event", e.Raw(), err)
					}
					return
				}
				var failure *Error
				if !errors.As(err, &failure) || failure.Err.Error() != c.err.Error() {
					t.Fatalf("%v, want an *Error around %v", err, c.err)
				}
				if c.is != nil && !errors.Is(err, c.is) {
					t.Errorf("%v is not %v", err, c.is)
				}
				if failure.Token != tok(1) || stream.Alive() {
					t.Errorf("token %v, alive %v", failure.Token, stream.Alive())
				}
				if _, again := stream.Next(t.Context()); !errors.Is(again, err) {
					t.Errorf("later: %v", again)
				}
			})
		})
	}
}

// contract: E14, E11
func TestEventsBeforeTheFinalError(t *testing.T) {
	t.Parallel()
	bad := ev(3, bson.E{Key: "_id", Value: 7})
	s := &script{mores: []step{{events: []bson.Raw{ev(1), ev(2), bad, ev(4)}, token: tok(4)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 1)
		if !stream.Alive() {
			t.Error("not alive with an event waiting")
		}
		nextIs(t, stream, 2)
		synctest.Wait() // the machine has seen what comes behind
		if stream.Alive() {
			t.Error("alive with nothing but the error to come")
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrInvalidToken) || !errors.Is(err, mongo.ErrMissingResumeToken) {
			t.Errorf("an event without token: %v", err)
		}
		if stream.ResumeToken() != tok(2) {
			t.Error("the token moved past the events handed out")
		}
	})
}

// contract: E11
func TestMissingTokenOnTheLastEvent(t *testing.T) {
	t.Parallel()
	bad := ev(2, bson.E{Key: "_id", Value: nil})
	s := &script{mores: []step{{events: []bson.Raw{ev(1), bad}, token: tok(9)}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 1)
		if _, err := stream.Next(t.Context()); !errors.Is(err, ErrInvalidToken) {
			t.Errorf("an event without token: %v", err)
		}
	})
}

// contract: S7
func TestEndInTheSameReply(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{{events: []bson.Raw{ev(1), ev(2, bson.E{Key: "operationType", Value: "invalidate"})}, token: tok(2), end: true}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 1)
		if !stream.Alive() {
			t.Error("not alive with an event waiting")
		}
		nextIs(t, stream, 2)
		if stream.Alive() {
			t.Error("alive although the cursor is gone")
		}
		if _, err := stream.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		for e, err := range stream.All(t.Context()) {
			t.Errorf("after the end: %v, %v", e.Raw(), err)
		}
	})
}

// contract: S11
func TestHiddenInvalidateEndsTheStream(t *testing.T) {
	t.Parallel()
	s := &script{mores: []step{{events: evs(1)}, {token: tok(2), end: true}}}
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		nextIs(t, stream, 1)
		if _, err := stream.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("%v, want io.EOF", err)
		}
		if stream.ResumeToken() != tok(2) {
			t.Error("the token is not the reply's")
		}
	})
}

// contract: S12
func TestContinueNeverSpins(t *testing.T) {
	t.Parallel()
	var opens []step
	for range 20 {
		opens = append(opens, step{token: tok(1), end: true})
	}
	s := &script{opens: append(opens, step{events: evs(5)})}
	scenario(t, s, &Options{OnInvalidate: ContinueOnInvalidate}, func(t *testing.T, stream *Stream[bson.Raw]) {
		begin := time.Now()
		nextIs(t, stream, 5)
		if took := time.Since(begin); took < 10*time.Second {
			t.Errorf("20 dead cursors in %s", took)
		}
	})
}

// contract: B5, X2
func TestSwappingCursorsAreSlowedDown(t *testing.T) {
	t.Parallel()
	s := &script{}
	for range 20 {
		s.mores = append(s.mores, step{swap: true})
	}
	s.mores = append(s.mores, step{events: evs(1)})
	scenario(t, s, nil, func(t *testing.T, stream *Stream[bson.Raw]) {
		begin := time.Now()
		nextIs(t, stream, 1)
		if took := time.Since(begin); took < 30*time.Second {
			t.Errorf("20 swaps in %s", took)
		}
		if n := stream.Health().Resumes; n != 20 {
			t.Errorf("%d resumes, want 20", n)
		}
	})
}
