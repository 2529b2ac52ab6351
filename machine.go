package sluice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	closeTimeout = 5 * time.Second // for killing the cursor when the stream is closed
	dropTimeout  = time.Second     // for killing a cursor that is replaced
	firstPiece   = 32              // events of a batch that are handed over first, so that the first ones do not wait for the last
	nextPiece    = 512
)

// machine runs a stream: the one goroutine that owns the cursor. It fetches when a caller wants more, opens the cursor
// again when it fails, and decides when the stream is over. Its context is its own, so that no caller's deadline or
// cancellation ever reaches the driver; Close ends it.
type machine struct {
	*handover
	src  source
	opts *Options
	ns   Namespace

	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended and everything is released

	cur      cursor // nil while it has to be opened
	pos      position
	applied  cursorSettings // what cur was opened with
	swaps    uint64         // cur.resumes() that were counted
	fruitful bool           // cur has answered a getMore, or brought events
	now      bool           // the next cursor may be opened at no position
	lost     *Gap           // waits for the next cursor, which tells where it ends
	trouble  outage
	pieces   fragments
	scratch  []bson.Raw
}

// newMachine opens the first cursor; ctx bounds that only. The goroutine is started by start.
func newMachine(ctx context.Context, src source, opts *Options, ns Namespace) (*machine, error) {
	m := &machine{handover: newHandover(opts), src: src, opts: opts, ns: ns, done: make(chan struct{})}
	ending, cancel := context.WithCancel(context.Background())
	m.ctx, m.cancel = mortalContext{ending}, cancel
	m.pos = startOf(opts)
	m.pieces.on = opts.SplitLargeEvents
	m.trouble.retry = opts.Retry
	m.mu.token, m.mu.start = m.pos.token, m.pos.time
	for {
		m.applied = m.settings()
		cur, err := src.open(ctx, m.pos, m.applied)
		if err == nil {
			m.adopt(cur, !m.pos.token.IsZero())
			m.settled()
			return m, nil
		}
		if m.lost != nil || !m.restart(err) {
			m.cancel()
			return nil, newError(opOpen, ns, m.pos, err)
		}
	}
}

func (m *machine) run() {
	defer close(m.done)
	defer m.release()
	for m.awaitDemand() {
		if m.cur == nil {
			m.reopen()
		} else {
			m.fetch()
		}
		m.observe()
	}
}

// awaitDemand waits until there is something to do. It returns false when the stream is over.
func (m *machine) awaitDemand() bool {
	for {
		if m.ctx.Err() != nil || m.ended() {
			return false
		}
		if m.cur == nil || m.wanted() {
			return true
		}
		select {
		case <-m.wake:
		case <-m.ctx.Done():
		}
	}
}

// awaitRoom keeps the cursor's reply there until the batch before it has been handed out. It returns false when the
// stream was closed meanwhile.
func (m *machine) awaitRoom() bool {
	if m.hold(m.cur.waiting()) {
		return true
	}
	m.observe()
	for !m.hold(m.cur.waiting()) {
		select {
		case <-m.wake:
		case <-m.ctx.Done():
			return false
		}
	}
	return true
}

// hold notes how many events wait for the queue to be empty. It reports whether they do not have to wait any longer.
func (m *machine) hold(events int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.emptyLocked() {
		m.mu.held = 0
		return true
	}
	m.mu.held = events
	return false
}

// fetch sends one getMore and hands over what it brings.
func (m *machine) fetch() {
	if !m.adjust() || !m.trouble.steady(m.ctx) {
		return
	}
	err := m.cur.more(m.ctx)
	swaps := m.cur.resumes() - m.swaps
	m.swaps += swaps
	switch {
	case err != nil && !errors.Is(err, errElsewhere):
		m.failed(err)
		return
	case err == nil && swaps == 0:
		m.trouble.over()
	case !m.swapped(max(swaps, 1)):
		return
	case err != nil || m.pieces.pending(): // or the other fragments are those of another cursor
		m.drop(dropTimeout)
		return
	}
	m.fruitful = true
	m.received(false)
}

// adjust applies changed settings to the cursor. It returns false if the cursor had to be dropped to be opened again.
func (m *machine) adjust() bool {
	want := m.settings()
	if want == m.applied {
		return true
	}
	if sizer, ok := m.cur.(resizable); ok {
		sizer.setBatchSize(want.batchSize)
		m.applied.batchSize = want.batchSize
	}
	if want == m.applied || m.pos.isZero() { // without a position there would be no way back
		return true
	}
	m.drop(dropTimeout)
	return false
}

// swapped records cursors that the driver has replaced by itself. It returns false if the stream has to end.
func (m *machine) swapped(n uint64) bool {
	m.resumed(n)
	if err := m.trouble.swapped(); err != nil {
		m.failed(err)
		return false
	}
	return true
}

// adopt takes over a cursor that was just opened. quiet leaves the position that callers see where it is.
func (m *machine) adopt(cur cursor, quiet bool) {
	m.cur, m.swaps, m.fruitful, m.now = cur, 0, false, false
	if cur.waiting() == 0 {
		if token := cur.batchToken(); !token.IsZero() {
			m.pos.token = token
		} else if m.pos.isZero() {
			m.pos.time = cur.serverTime()
		}
	}
	m.hear()
	if m.lost != nil && cur.waiting() == 0 && m.awaitRoom() { // the events before the gap come first
		m.closeGap(nil)
	}
	if cur.waiting() > 0 || !cur.alive() {
		m.fruitful = cur.waiting() > 0
		m.received(true)
	} else if !quiet {
		m.mu.Lock()
		m.moveLocked(m.pos.token)
		m.mu.Unlock()
	}
}

// received hands over the cursor's reply, in pieces. opening says that it is the first batch, which no caller asked
// for: without events it ends no round.
func (m *machine) received(opening bool) {
	if !m.awaitRoom() {
		return
	}
	if m.cur.waiting() == 0 {
		var token Token // in the middle of a large event there is none
		if !m.pieces.pending() {
			token = m.cur.batchToken()
		}
		if !token.IsZero() {
			m.pos.token = token
		}
		end := m.ending(false)
		if opening && end == nil {
			return
		}
		m.idle(token, end)
		return
	}
	size, first := firstPiece, true
	for m.cur.waiting() > 0 {
		events, err := m.cur.take(m.scratch[:0], size)
		m.scratch = events
		if events, err = m.pieces.join(events, err); len(events) > 0 {
			m.pos = position{token: tokenOf(eventID(events[len(events)-1]))}
			if m.lost != nil {
				m.closeGap(events[0])
			}
		}
		if err != nil {
			m.put(batch{events: events, first: first})
			m.failed(err)
			break
		}
		b := batch{events: events, first: first, whole: m.cur.waiting() == 0}
		if b.whole {
			m.completed(&b)
		}
		m.put(b)
		size, first = nextPiece, false
		if b.whole {
			break
		}
	}
	clear(m.scratch[:cap(m.scratch)]) // nothing here may keep a reply alive
}

// completed finds out what follows the end of a batch.
func (m *machine) completed(b *batch) {
	invalidated := len(b.events) > 0 && operationType(b.events[len(b.events)-1]) == Invalidate
	if token := m.cur.batchToken(); !token.IsZero() && !m.pieces.pending() && !invalidated {
		b.tail = token
		m.pos.token = token
	}
	b.end = m.ending(invalidated)
}

// ending decides what a cursor that has come to its end means: the end of the stream, or of this cursor only.
func (m *machine) ending(invalidated bool) error {
	if m.cur.alive() && !invalidated {
		return nil
	}
	if m.pieces.pending() {
		m.failed(&cursorError{err: errCutShort})
		return nil
	}
	if m.opts.OnInvalidate == ContinueOnInvalidate {
		m.opts.Logger.Info("sluice: invalidated; going on after it", "namespace", m.ns.String())
		m.pos.startAfter = !m.pos.token.IsZero()
		if !m.fruitful {
			m.trouble.began(errUnsteady)
		}
		m.drop(dropTimeout)
		return nil
	}
	m.opts.Logger.Info("sluice: invalidated; the stream ends", "namespace", m.ns.String())
	return io.EOF
}

// failed decides what a failure means: opening again from the position, the policy for lost history, or the end.
func (m *machine) failed(err error) {
	var ce *cursorError
	opening := errors.As(err, &ce) && ce.opening
	if ce != nil {
		err = ce.err
	}
	if opening && m.pos.startAfter && hasCode(err, codeInvalidToken) {
		// The driver has tried to resume with resumeAfter, which does not take the token that startAfter did.
		if m.ctx.Err() == nil && m.swapped(1) {
			m.drop(dropTimeout)
		}
		return
	}
	op := opGetMore
	if opening {
		op = opResume
	}
	m.judge(err, op, passing(err, opening))
}

// judge ends a cursor that failed, and the stream too unless the failure passes or a policy covers it.
func (m *machine) judge(err error, op string, passes bool) {
	if m.ctx.Err() != nil {
		return // Close did this; release has more time to kill the cursor
	}
	if m.cur != nil {
		m.drop(dropTimeout)
	}
	if passes {
		if m.trouble.began(err) {
			m.opts.Logger.Warn("sluice: resuming", "namespace", m.ns.String(), "attempt", m.trouble.attempts, cause(err))
			m.outage(err)
			return
		}
	} else if m.restart(err) {
		m.trouble.restarted(err)
		m.outage(err)
		return
	}
	m.opts.Logger.Error("sluice: the stream ends", "namespace", m.ns.String(), "operation", op, cause(err))
	m.finish(newError(op, m.ns, m.pos, err))
}

// reopen makes one attempt to open the cursor at the position, after a wait if earlier ones failed.
func (m *machine) reopen() {
	if !m.trouble.pause(m.ctx) {
		return
	}
	if m.pos.isZero() && !m.now {
		m.judge(errNoPosition, opResume, false)
		return
	}
	m.applied = m.settings()
	ctx, cancel := m.trouble.bound(m.ctx)
	cur, err := m.src.open(ctx, m.pos, m.applied)
	gaveUp := ctx.Err() != nil
	cancel()
	if err != nil {
		if gaveUp && m.ctx.Err() == nil {
			err = fmt.Errorf("no cursor within %s: %w", m.opts.Retry.MaxElapsed, m.trouble.last)
		}
		var ce *cursorError
		m.judge(err, opResume, passing(err, !errors.As(err, &ce)))
		return
	}
	if m.trouble.attempts > 0 || m.lost != nil {
		m.resumed(1)
	}
	m.adopt(cur, false)
}

// drop kills the cursor, so that the next step opens another one.
func (m *machine) drop(timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	m.cur.close(ctx)
	m.cur = nil
	m.pieces.reset()
}

// release frees everything when the machine ends.
func (m *machine) release() {
	if m.cur != nil {
		m.drop(closeTimeout)
	}
	m.src.close()
}

// settled makes the position that the stream was opened at the one that callers know.
func (m *machine) settled() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.moved = false
}
