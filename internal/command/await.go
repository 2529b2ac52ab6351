package command

import (
	"context"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/store"
)

// await waits until an empty batch gets something, for as long as the getMore allows. Writes that have nothing for this cursor
// do not end the wait. What was durable when it began is looked at in any case, also when the wave that shows it comes after the
// time is over: who has been told of a write finds it with the next getMore.
func await(op *operation, c *cursor, batch *bsonraw.ArrayBuilder, limit batchLimit) (done bool, err error) {
	wait := defaultAwait
	if op.hasMaxTime {
		wait = op.maxTime
	}
	st := op.server.store
	due := st.Durable()
	unwatched := min(wait, watchAfter)
	timer := op.conn.timer(unwatched)
	defer timer.Stop()
	stopWatching := func() {}
	defer func() { stopWatching() }()
	waves := st.Waves()
	if c.wait == nil {
		c.wait = store.NewWait()
	}
	waves.Enter(c.wait, c.waits.position())
	defer waves.Leave(c.wait)
	for {
		select {
		case <-c.wait.Turn():
			if done, err = c.feed.fill(op, batch, limit); err != nil || done || batch.Len() > 0 {
				return done, err
			}
			if wait <= 0 && c.waits.position() >= due {
				return false, nil
			}
			waves.Leave(c.wait)
			waves.Enter(c.wait, c.waits.position())
		case <-timer.C:
			if wait -= unwatched; wait <= 0 {
				if c.waits.position() >= due {
					return false, nil
				}
				continue // for the wave
			}
			unwatched = wait
			stopWatching = watchDisconnect(op)
			timer.Reset(wait)
		case <-op.ctx.Done():
			return false, contextError(op.ctx)
		case <-st.Failed():
			return false, st.Err()
		}
	}
}

// timer returns the connection's timer, set: a connection waits for one thing at a time.
func (c *Conn) timer(d time.Duration) *time.Timer {
	if c.wakes == nil {
		c.wakes = time.NewTimer(d)
	} else {
		c.wakes.Reset(d)
	}
	return c.wakes
}

// watchDisconnect ends the operation's context when its client goes away, until stop is called.
func watchDisconnect(op *operation) (stop func()) {
	ctx, cancel := context.WithCancel(op.ctx)
	op.ctx = ctx
	stopWatching := op.conn.info.WatchDisconnect(cancel)
	return func() {
		stopWatching()
		cancel()
	}
}
