package store

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/oplog"
)

// durability syncs the journal behind commits, as many at once as there are, and then shows them in the order of their timestamps: to
// the tail, and to those who wait until something is durable. One at a time leads: it syncs for all who came before. Who waits leads
// when nobody else does, so that a writer alone needs no other goroutine; where many write, the durability goroutine leads, which has
// nobody to answer. The queue is bounded by Pebble, which stops writes while it cannot bring to disk what it has in memory.
//
// Whenever the queue is not empty somebody leads, or one of those who committed is on the way to wait (see [Write.Awaited]).
type durability struct {
	newest atomic.Uint64 // everything up to this timestamp is durable

	mu struct {
		sync.Mutex
		queue   []Commit
		led     bool // somebody leads
		called  bool // the goroutine is to lead
		closed  bool
		waiters waiterHeap
	}
	filled *sync.Cond
	done   chan struct{}

	// Of the one who leads:
	group int      // how many commits the last sync was for
	spare []Commit // to be the queue
}

// crowd is how many commits share a sync where the goroutine leads.
const crowd = 4

func (d *durability) init(newest oplog.Timestamp) {
	d.filled = sync.NewCond(&d.mu)
	d.done = make(chan struct{})
	d.newest.Store(uint64(newest))
}

// push adds a commit. Who is not awaited by the one who made it is synced by the goroutine.
func (d *durability) push(c Commit, awaited bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.queue = append(d.mu.queue, c)
	if !awaited {
		d.call()
	}
}

// call has the goroutine lead unless somebody does. The lock is held.
func (d *durability) call() {
	if !d.mu.led {
		d.mu.led, d.mu.called = true, true
		d.filled.Signal()
	}
}

// close lets run end after what is queued.
func (d *durability) close() {
	d.mu.Lock()
	d.mu.closed = true
	d.mu.Unlock()
	d.filled.Signal()
	<-d.done
}

// run is the durability goroutine.
func (d *durability) run(s *Store) {
	defer close(d.done)
	for d.await() {
		d.lead(s)
	}
	d.lead(s) // nobody else is there any more
}

// await returns when the goroutine is to lead: false at the end.
func (d *durability) await() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.mu.called && !d.mu.closed {
		d.filled.Wait()
	}
	called := d.mu.called
	d.mu.called = false
	return called
}

// lead makes durable what is queued, and then has another one lead if there is more. Only one may be here.
func (d *durability) lead(s *Store) {
	if d.group > 1 {
		// There are several writers, and those that the last sync has set free are about to write again. Who writes before
		// this goroutine's next turn shares its sync.
		runtime.Gosched()
	}
	d.mu.Lock()
	commits := d.mu.queue
	d.mu.queue = d.spare[:0]
	d.mu.Unlock()
	d.group = len(commits)
	if len(commits) > 0 && d.settle(s, commits) != nil {
		return // and nobody leads ever again
	}
	clear(commits)
	d.spare = commits
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.led = false
	switch {
	case len(d.mu.queue) == 0:
	case len(d.mu.waiters) > 0 && d.group <= crowd:
		d.mu.led = true
		heap.Pop(&d.mu.waiters).(*waiter).ready <- struct{}{}
	default:
		d.call()
	}
}

// settle makes commits durable and hands them to the tail. After a failure nothing is ever shown again.
func (d *durability) settle(s *Store, commits []Commit) error {
	if err := s.commit.sync(); err != nil {
		return err
	}
	for _, c := range commits {
		s.trimmer.added(c)
		s.tail.append(c.entries)
	}
	last := commits[len(commits)-1].Last
	d.newest.Store(uint64(last))
	d.wake(last)
	s.waves.announce()
	return nil
}

// wake ends the waits for timestamps up to ts.
func (d *durability) wake(ts oplog.Timestamp) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.mu.waiters) > 0 && d.mu.waiters[0].ts <= ts {
		heap.Pop(&d.mu.waiters).(*waiter).ready <- struct{}{}
	}
}

// waiter waits until a timestamp is durable, or it is to lead.
type waiter struct {
	ts    oplog.Timestamp
	at    int // its place in the heap, -1 once out
	ready chan struct{}
}

var waiters = sync.Pool{New: func() any { return &waiter{ready: make(chan struct{}, 1)} }}

// Durable returns the timestamp up to which everything is durable.
func (s *Store) Durable() oplog.Timestamp { return oplog.Timestamp(s.durability.newest.Load()) }

// WaitDurable returns when everything up to ts is durable.
func (s *Store) WaitDurable(ctx context.Context, ts oplog.Timestamp) error {
	if s.Durable() >= ts {
		return nil
	}
	d := &s.durability
	w := waiters.Get().(*waiter)
	defer waiters.Put(w)
	w.ts = ts
	for {
		switch d.enter(w) {
		case settled:
			return nil
		case leading:
			d.lead(s)
			continue
		}
		select {
		case <-w.ready:
			if s.Durable() < ts {
				d.lead(s)
			}
		case <-s.failed.ch:
			d.leave(w)
			return s.failed.get()
		case <-ctx.Done():
			d.leave(w)
			return contextError(ctx)
		}
	}
}

// What one finds who wants to wait.
const (
	settled = iota // there is nothing to wait for
	leading        // nobody leads, so it has to
	waiting
)

func (d *durability) enter(w *waiter) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.newest.Load() >= uint64(w.ts):
		return settled
	case !d.mu.led && len(d.mu.queue) > 0:
		d.mu.led = true
		return leading
	}
	heap.Push(&d.mu.waiters, w)
	return waiting
}

// leave takes a waiter out that waits no longer.
func (d *durability) leave(w *waiter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w.at >= 0 {
		heap.Remove(&d.mu.waiters, w.at)
		return
	}
	<-w.ready
	if d.newest.Load() < uint64(w.ts) { // it was to lead
		d.mu.led = false
		d.call()
	}
}

// SyncSoon has everything become durable that was committed, though nobody waits for it.
func (s *Store) SyncSoon() {
	d := &s.durability
	if s.Durable() >= s.Applied() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.mu.queue) > 0 {
		d.call()
	}
}

// waiterHeap orders waiters by timestamp.
type waiterHeap []*waiter

func (h waiterHeap) Len() int           { return len(h) }
func (h waiterHeap) Less(i, j int) bool { return h[i].ts < h[j].ts }
func (h waiterHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push adds a waiter; for container/heap.
func (h *waiterHeap) Push(x any) {
	w := x.(*waiter)
	w.at = len(*h)
	*h = append(*h, w)
}

// Pop removes the last waiter; for container/heap.
func (h *waiterHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.at = -1
	return w
}
