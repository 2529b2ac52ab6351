package sluice

import (
	"context"
	"math/rand/v2"
	"time"
)

// outage is trouble with the cursor: from the first failure until a getMore has succeeded again.
type outage struct {
	retry    Retry
	since    time.Time
	attempts int // failures so far
	swaps    int // cursors in a row that the driver replaced, without a getMore that needed none
	paused   int // attempts that were waited for
	last     error
}

// began counts a failure; it returns false when the outage has lasted too long.
func (o *outage) began(err error) bool {
	if o.attempts == 0 && o.swaps == 0 {
		o.since = time.Now()
	}
	o.attempts++
	o.last = err
	return o.retry.MaxElapsed == 0 || time.Since(o.since) < o.retry.MaxElapsed
}

// restarted counts a failure that the stream answered by giving its position up: the limit applies anew.
func (o *outage) restarted(err error) {
	o.attempts++
	o.last, o.since = err, time.Now()
}

// over ends the outage.
func (o *outage) over() { o.attempts, o.swaps, o.paused, o.last = 0, 0, 0, nil }

// bound limits an attempt to what is left of MaxElapsed, by cancellation: the driver would take a deadline for leave to
// retry without end and without a pause.
func (o *outage) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.retry.MaxElapsed == 0 || o.attempts == 0 {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(o.retry.MaxElapsed-time.Since(o.since), cancel)
	return mortalContext{ctx}, func() { timer.Stop(); cancel() }
}

// swapped counts a cursor that the driver replaced by itself.
func (o *outage) swapped() error {
	if o.swaps == 0 && o.attempts == 0 {
		o.since = time.Now()
	}
	o.swaps++
	if o.retry.MaxElapsed > 0 && time.Since(o.since) >= o.retry.MaxElapsed {
		return &cursorError{err: errUnsteady}
	}
	return nil
}

// steady waits when the driver has replaced cursor after cursor: its own resume knows no pause.
func (o *outage) steady(ctx context.Context) bool {
	if o.swaps < 2 {
		return true
	}
	return o.sleep(ctx, o.swaps-2)
}

// pause waits before the next attempt. It returns false when ctx ended.
func (o *outage) pause(ctx context.Context) bool {
	if o.attempts == o.paused {
		return true
	}
	o.paused = o.attempts
	return o.sleep(ctx, o.attempts-1)
}

func (o *outage) sleep(ctx context.Context, doublings int) bool {
	wait := o.retry.MinBackoff
	for ; doublings > 0 && wait < o.retry.MaxBackoff; doublings-- {
		wait *= 2
	}
	wait = min(wait, o.retry.MaxBackoff)
	wait = wait/2 + rand.N(wait/2+1)
	if o.retry.MaxElapsed > 0 {
		wait = min(wait, max(o.retry.MaxElapsed-time.Since(o.since), 0))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
