package command

import (
	"context"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// await waits until an empty batch gets something, for as long as the getMore allows. Writes that have nothing for this cursor
// do not end the wait.
func await(op *operation, c *cursor, batch *bsonraw.ArrayBuilder, limit batchLimit) (done bool, err error) {
	wait := defaultAwait
	if op.hasMaxTime {
		wait = op.maxTime
	}
	st := op.server.store
	unwatched := min(wait, watchAfter)
	timer := time.NewTimer(unwatched)
	defer timer.Stop()
	stopWatching := func() {}
	defer func() { stopWatching() }()
	moved := st.Waves().Moved(c.waits.position())
	defer func() { st.Waves().Leave(moved) }()
	for {
		select {
		case <-moved:
			if done, err = c.feed.fill(op, batch, limit); err != nil || done || batch.Len() > 0 {
				return done, err
			}
			moved = st.Waves().Moved(c.waits.position())
		case <-timer.C:
			if wait -= unwatched; wait <= 0 {
				return false, nil
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
