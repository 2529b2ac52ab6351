package main

import (
	"errors"
	"sync"
	"time"

	"github.com/sluicestream/sluice"
)

// reconnects tells the user when the stream has lost the server, and when it has it again.
type reconnects struct {
	notef func(format string, args ...any)
	now   func() time.Time

	mu      sync.Mutex
	lost    time.Time // zero while all is well
	resumes uint64
}

// Observe hears of each reply of the server, and of each failure.
func (r *reconnects) Observe(h sluice.Health) {
	r.mu.Lock()
	defer r.mu.Unlock()
	resumed := h.Resumes > r.resumes
	r.resumes = h.Resumes
	if h.LastError != nil {
		if _, final := errors.AsType[*sluice.Error](h.LastError); final {
			return // ends the command, which tells
		}
		if r.lost.IsZero() {
			r.lost = r.now()
			r.notef("lost the server: %s; reconnecting", oneLine(h.LastError.Error()))
		}
		return
	}
	switch {
	case !resumed:
		return
	case r.lost.IsZero(): // the driver did it in one go
		r.notef("lost the server and reconnected; nothing was missed")
	default:
		r.notef("reconnected after %s; nothing was missed", r.now().Sub(r.lost).Round(time.Millisecond))
	}
	r.lost = time.Time{}
}
