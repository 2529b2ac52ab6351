package store

import (
	"container/heap"
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/oplog"
)

// durability syncs the log behind commits, as many at once as there are, and then shows them in the order of their timestamps: to
// the tail, and to those who wait until something is durable. Its one goroutine ends when the queue is closed. The queue is bounded
// by Pebble, which stops writes while it cannot bring to disk what it has in memory.
type durability struct {
	newest atomic.Uint64 // everything up to this timestamp is durable

	mu struct {
		sync.Mutex
		queue   []Commit
		closed  bool
		waiters waiterHeap
	}
	filled *sync.Cond
	done   chan struct{}
}

func (d *durability) init(newest oplog.Timestamp) {
	d.filled = sync.NewCond(&d.mu)
	d.done = make(chan struct{})
	d.newest.Store(uint64(newest))
}

func (d *durability) push(c Commit) {
	d.mu.Lock()
	d.mu.queue = append(d.mu.queue, c)
	d.mu.Unlock()
	d.filled.Signal()
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
	var commits []Commit
	for {
		d.await()
		if len(commits) > 1 {
			// There are several writers, and those that the last sync has set free are about to write again. Who writes before
			// this goroutine's next turn shares its sync.
			runtime.Gosched()
		}
		clear(commits)
		d.mu.Lock()
		commits, d.mu.queue = d.mu.queue, commits[:0]
		d.mu.Unlock()
		if len(commits) == 0 {
			return
		}
		d.settle(s, commits)
	}
}

// await returns when something is queued, or nothing will be any more.
func (d *durability) await() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.mu.queue) == 0 && !d.mu.closed {
		d.filled.Wait()
	}
}

// settle makes commits durable and hands them to the tail. After a failure nothing is ever shown again.
func (d *durability) settle(s *Store, commits []Commit) {
	if d.sync(s) != nil {
		return
	}
	for _, c := range commits {
		s.tail.append(c.entries)
		s.trimmer.added(c)
	}
	last := commits[len(commits)-1].Last
	d.newest.Store(uint64(last))
	d.wake(last)
	s.waves.announce()
}

// sync makes everything durable that was applied before: it writes a record without content to Pebble's log, behind all else.
func (*durability) sync(s *Store) (err error) {
	if err := s.failed.get(); err != nil {
		return err
	}
	defer s.failed.guard(&err)
	if err := s.db.LogData(nil, pebble.Sync); err != nil {
		s.failed.set(err)
	}
	return s.failed.get()
}

// wake ends the waits for timestamps up to ts.
func (d *durability) wake(ts oplog.Timestamp) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.mu.waiters) > 0 && d.mu.waiters[0].ts <= ts {
		heap.Pop(&d.mu.waiters).(*waiter).ready <- struct{}{}
	}
}

// waiter waits until a timestamp is durable.
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
	d := &s.durability
	if s.Durable() >= ts {
		return nil
	}
	w := waiters.Get().(*waiter)
	d.mu.Lock()
	if s.Durable() >= ts {
		d.mu.Unlock()
		waiters.Put(w)
		return nil
	}
	w.ts = ts
	heap.Push(&d.mu.waiters, w)
	d.mu.Unlock()
	select {
	case <-w.ready:
		waiters.Put(w)
		return nil
	case <-s.failed.ch:
		d.leave(w)
		return s.failed.get()
	case <-ctx.Done():
		d.leave(w)
		return contextError(ctx)
	}
}

// leave takes a waiter out that waits no longer.
func (d *durability) leave(w *waiter) {
	d.mu.Lock()
	if w.at >= 0 {
		heap.Remove(&d.mu.waiters, w.at)
	} else {
		<-w.ready
	}
	d.mu.Unlock()
	waiters.Put(w)
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
