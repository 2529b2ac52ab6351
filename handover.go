package sluice

import (
	"cmp"
	"context"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// handover is where the machine and the callers meet: the events that were received and not yet handed out, what the
// callers want, and the position. Callers take events under a mutex, without a channel operation or an allocation an
// event; the machine puts them in by the batch. The queue holds one batch, whose successor is fetched when the queue is
// empty and somebody wants more. Behind a large batch there is probably more: its successor is fetched while it is
// handed out, and waits in the cursor until the queue is empty.
type handover struct {
	onToken  func(Token)
	onGap    func(Gap)
	turn     chan struct{} // held while a caller takes an event and calls back; nil without callbacks
	closed   chan struct{} // closed by Close
	wake     chan struct{} // tells the machine that something is wanted
	maxAhead int           // bytes of a batch after which nothing is fetched ahead; negative: never fetch ahead

	mu struct {
		sync.Mutex
		queue []bson.Raw // events of the batch; those before head are handed out
		head  int
		whole bool  // the batch is in the queue up to its end
		tail  Token // the position once the batch is drained; zero: that of its last event
		bytes int   // size of the batch
		held  int   // events of the batch after it, which waits in the cursor

		last   bson.Raw // the last event handed out, if its token is the position
		lastID []byte   // that token: the caller may write over the event
		token  Token    // else this is the position
		moved  bool     // the position moved without an event
		gaps   []Gap    // to be reported before the next event

		waiting int    // callers that wait for an event
		poll    bool   // a TryNext wants one getMore
		ahead   bool   // read-ahead wants one getMore, whether the queue is empty or not
		rounds  uint64 // getMores, and attempts to open again, that came to an end

		start bson.Timestamp // the operation time at which the stream was started: the position while there is no token
		heard bson.Timestamp // the server's newest operation time

		end      error         // what callers get once the queue is empty: io.EOF or a final error; never taken back
		closed   bool          // Close was called
		changed  chan struct{} // closed when any of the above changes in a way that somebody may wait for
		settings cursorSettings
		state    Health // Buffered, Lag and TokenAge are filled in when asked
	}
}

func newHandover(opts *Options) *handover {
	h := &handover{onToken: opts.OnToken, onGap: opts.OnGap, closed: make(chan struct{}), wake: make(chan struct{}, 1), maxAhead: opts.ReadAhead.MaxBytes}
	if opts.ReadAhead.Off {
		h.maxAhead = -1
	}
	if h.onToken != nil || h.onGap != nil {
		h.turn = make(chan struct{}, 1)
	}
	h.mu.settings = cursorSettings{maxAwait: opts.MaxAwaitTime, batchSize: opts.BatchSize}
	return h
}

// backlogBytes is the size of a batch from which on more is expected behind it. At the live end batches are small, and
// a getMore that is sent early would only wait in the server.
const backlogBytes = 64 << 10

// want says what a caller asks for.
type want int

const (
	wantNext  want = iota // an event, however long it takes
	wantTry               // an event, or nothing after one getMore
	wantBatch             // all events of a batch, however long it takes
)

// receive hands out one event, or a batch through into. Without either it returns nil: only wantTry does that.
func (h *handover) receive(ctx context.Context, what want, into func([]bson.Raw)) (bson.Raw, error) {
	var since *uint64 // the round that wantTry began in
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		event, done, err := h.take(ctx, what, into)
		if done || err != nil {
			return event, err
		}
		if !h.wait(ctx, what, &since) {
			return nil, nil
		}
	}
}

// take hands out what is there, and makes the callbacks that are due.
func (h *handover) take(ctx context.Context, what want, into func([]bson.Raw)) (event bson.Raw, done bool, err error) {
	if h.turn != nil {
		select {
		case h.turn <- struct{}{}:
			defer func() { <-h.turn }()
		case <-h.closed:
			return nil, true, ErrClosed
		case <-ctx.Done():
			return nil, true, ctx.Err()
		}
	}
	h.mu.Lock()
	if h.mu.closed {
		h.mu.Unlock()
		return nil, true, ErrClosed
	}
	gaps, moved := h.mu.gaps, h.mu.moved
	h.mu.gaps, h.mu.moved = nil, false
	switch {
	case h.readyLocked(what):
		if what == wantBatch {
			events := h.takeAllLocked()
			into(events)
			clear(events)
		} else {
			event = h.takeLocked(what)
		}
		moved, done = true, true
	case h.mu.end != nil && h.emptyLocked():
		err = h.mu.end
	}
	var token Token
	if moved && h.onToken != nil {
		token = h.tokenLocked()
	}
	h.mu.Unlock()

	if h.onGap != nil {
		for _, gap := range gaps {
			h.onGap(gap)
		}
	}
	if !token.IsZero() {
		h.onToken(token)
	}
	return event, done, err
}

func (h *handover) emptyLocked() bool { return h.mu.head == len(h.mu.queue) }

// readyLocked reports whether the queue has what is wanted. A batch is wanted whole, unless no more of it will come.
func (h *handover) readyLocked(what want) bool {
	return !h.emptyLocked() && (what != wantBatch || h.mu.whole || h.mu.end != nil)
}

func (h *handover) takeLocked(what want) bson.Raw {
	event := h.mu.queue[h.mu.head]
	h.mu.queue[h.mu.head] = nil
	h.mu.head++
	h.lastLocked(event)
	switch {
	case h.emptyLocked():
		h.drainedLocked(what)
	case h.mu.whole && h.mu.bytes >= backlogBytes:
		h.fetchAheadLocked(what)
	}
	return event
}

// takeAllLocked empties the queue. The slice is valid until the mutex is released.
func (h *handover) takeAllLocked() []bson.Raw {
	events := h.mu.queue[h.mu.head:]
	h.mu.head = len(h.mu.queue)
	h.lastLocked(events[len(events)-1])
	h.drainedLocked(wantBatch)
	return events
}

func (h *handover) lastLocked(event bson.Raw) {
	h.mu.last, h.mu.lastID = event, append(h.mu.lastID[:0], eventID(event)...)
}

// drainedLocked is called when the queue has become empty. If that was the end of the batch, the position moves to the
// batch's token, and the next batch is fetched ahead.
func (h *handover) drainedLocked(what want) {
	h.mu.queue, h.mu.head = h.mu.queue[:0], 0
	h.wakeMachine() // which may hold the next batch already
	if !h.mu.whole {
		return
	}
	if !h.mu.tail.IsZero() {
		h.mu.token, h.mu.tail, h.mu.last = h.mu.tail, Token{}, nil
	}
	h.fetchAheadLocked(what)
}

// fetchAheadLocked asks for the batch after the one in the queue, before anybody wants its events.
func (h *handover) fetchAheadLocked(what want) {
	if !h.mu.ahead && what != wantTry && h.mu.bytes <= h.maxAhead {
		h.mu.ahead = true
		h.wakeMachine()
	}
}

func (h *handover) wakeMachine() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// tokenLocked returns the position after the last event that was handed out.
func (h *handover) tokenLocked() Token {
	if h.mu.last != nil {
		h.mu.token, h.mu.last = tokenOf(h.mu.lastID), nil
	}
	return h.mu.token
}

// wait tells the machine what is wanted and waits for a change. It returns false when there is nothing more to wait
// for, which happens to wantTry after one round.
func (h *handover) wait(ctx context.Context, what want, since **uint64) bool {
	h.mu.Lock()
	if h.mu.closed || h.mu.end != nil || h.readyLocked(what) || len(h.mu.gaps) > 0 {
		h.mu.Unlock()
		return true
	}
	if what == wantTry {
		if *since == nil {
			rounds := h.mu.rounds
			*since = &rounds
		}
		if h.mu.rounds != **since {
			h.mu.Unlock()
			return false
		}
		h.mu.poll = true
	} else {
		h.mu.waiting++
	}
	if h.mu.changed == nil {
		h.mu.changed = make(chan struct{})
	}
	changed := h.mu.changed
	h.wakeMachine()
	h.mu.Unlock()

	select {
	case <-changed:
	case <-ctx.Done():
	}
	if what != wantTry {
		h.mu.Lock()
		h.mu.waiting--
		h.mu.Unlock()
	}
	return true
}

// broadcastLocked wakes every caller that waits.
func (h *handover) broadcastLocked() {
	if h.mu.changed != nil {
		close(h.mu.changed)
		h.mu.changed = nil
	}
}

// wanted reports whether the machine is to fetch.
func (h *handover) wanted() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.ahead || h.emptyLocked() && (h.mu.waiting > 0 || h.mu.poll)
}

// roundLocked ends a getMore, or an attempt to open again: whoever wanted one has had it.
func (h *handover) roundLocked() {
	h.mu.rounds++
	h.mu.poll, h.mu.ahead = false, false
	h.broadcastLocked()
}

// batch is a piece of a batch, or all of it, on its way to the callers.
type batch struct {
	events []bson.Raw
	first  bool  // the batch begins
	whole  bool  // the batch ends with these events
	tail   Token // the batch's token, when whole
	end    error // nothing comes after these events
}

// put makes events available, in the order of the calls.
func (h *handover) put(b batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.closed {
		return
	}
	if b.first {
		h.mu.bytes = 0
	}
	for _, event := range b.events {
		h.mu.bytes += len(event)
	}
	h.mu.queue = append(h.mu.queue, b.events...)
	h.mu.whole, h.mu.end = b.whole, cmp.Or(h.mu.end, b.end)
	if b.whole {
		h.mu.tail = b.tail
		h.roundLocked()
		return
	}
	h.broadcastLocked()
}

// idle ends a round that brought no events. A token moves the position.
func (h *handover) idle(token Token, end error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.moveLocked(token)
	h.mu.end = cmp.Or(h.mu.end, end)
	h.roundLocked()
}

func (h *handover) moveLocked(token Token) {
	if h.mu.closed || token.IsZero() || !h.emptyLocked() || token == h.tokenLocked() {
		return
	}
	h.mu.token, h.mu.moved = token, true
}

// finish ends the stream for good.
func (h *handover) finish(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.end = err
	h.mu.state.LastError = err
	h.roundLocked()
}

// close lets every caller go and drops what was not handed out.
func (h *handover) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.closed {
		return
	}
	h.mu.closed = true
	close(h.closed)
	h.mu.queue, h.mu.head, h.mu.held, h.mu.gaps = nil, 0, 0, nil
	h.broadcastLocked()
}

// alive reports whether more may come.
func (h *handover) alive() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.mu.closed && (!h.emptyLocked() || h.mu.end == nil)
}

// position returns the token after the last event handed out.
func (h *handover) position() Token {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tokenLocked()
}

func (h *handover) settings() cursorSettings {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.settings
}

func (h *handover) change(set func(*cursorSettings)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	set(&h.mu.settings)
}

// ended reports whether nothing more will be received.
func (h *handover) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mu.end != nil
}
