package store

import (
	"context"
	"slices"
	"sync"
)

// Lock is held shared by many or exclusively by one. Unlike a sync.RWMutex it is waited for under a context: a transaction may
// hold it for long. Who comes first gets it first, so that those who share it cannot starve one who wants it alone.
type Lock struct {
	mu      sync.Mutex
	sharers int
	alone   bool
	waiting []*lockWaiter
}

type lockWaiter struct {
	alone bool
	turn  chan struct{} // closed when the lock is handed over
}

// TryRLock takes the lock shared if nobody has to be waited for.
func (l *Lock) TryRLock() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shareLocked()
}

// RLock takes the lock shared, or returns the error of ctx.
func (l *Lock) RLock(ctx context.Context) error {
	l.mu.Lock()
	if l.shareLocked() {
		l.mu.Unlock()
		return nil
	}
	return l.wait(ctx, false)
}

func (l *Lock) shareLocked() bool {
	if l.alone || len(l.waiting) > 0 {
		return false
	}
	l.sharers++
	return true
}

// Lock takes the lock exclusively, or returns the error of ctx.
func (l *Lock) Lock(ctx context.Context) error {
	l.mu.Lock()
	if !l.alone && l.sharers == 0 && len(l.waiting) == 0 {
		l.alone = true
		l.mu.Unlock()
		return nil
	}
	return l.wait(ctx, true)
}

// wait queues up. l.mu is held when it is called and not when it returns.
func (l *Lock) wait(ctx context.Context, alone bool) error {
	w := &lockWaiter{alone, make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mu.Unlock()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.waiting, w); i >= 0 {
		l.waiting = slices.Delete(l.waiting, i, i+1)
	} else { // it became ours meanwhile
		l.giveBack(alone)
	}
	l.handOver()
	return contextError(ctx)
}

// RUnlock gives a shared lock back.
func (l *Lock) RUnlock() { l.release(false) }

// Unlock gives an exclusive lock back.
func (l *Lock) Unlock() { l.release(true) }

func (l *Lock) release(alone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.giveBack(alone)
	l.handOver()
}

func (l *Lock) giveBack(alone bool) {
	switch {
	case alone && l.alone:
		l.alone = false
	case !alone && l.sharers > 0:
		l.sharers--
	default:
		panic("store: a lock is given back that is not held")
	}
}

// handOver gives the lock to those who are next.
func (l *Lock) handOver() {
	for len(l.waiting) > 0 && !l.alone {
		w := l.waiting[0]
		if w.alone && l.sharers > 0 {
			return
		}
		if w.alone {
			l.alone = true
		} else {
			l.sharers++
		}
		l.waiting = slices.Delete(l.waiting, 0, 1)
		close(w.turn)
	}
}
