package store

import (
	"container/heap"
	"context"
	"sync"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/oplog"
)

// durability waits for the syncs of commits, in the order of their timestamps, and then shows them: to the tail, and to those
// who wait until something is durable. Its one goroutine ends when the queue is closed. The queue is bounded by Pebble, which
// lets no more than some thousand commits wait for their sync.
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
	var queue []Commit
	for {
		d.mu.Lock()
		for len(d.mu.queue) == 0 && !d.mu.closed {
			d.filled.Wait()
		}
		queue, d.mu.queue = d.mu.queue, queue[:0]
		d.mu.Unlock()
		if len(queue) == 0 {
			return
		}
		for i, c := range queue {
			d.settle(s, c)
			queue[i] = Commit{}
		}
	}
}

// settle waits for one commit's sync and hands it to the tail. After a failure nothing is ever shown again.
func (d *durability) settle(s *Store, c Commit) {
	if err := c.batch.SyncWait(); err != nil {
		s.failed.set(err)
	}
	if s.failed.get() != nil {
		return
	}
	_ = c.batch.Close() // the batch goes back to Pebble's pool; nothing is left in it that could fail
	if err := s.tail.append(c.records); err != nil {
		s.failed.set(err)
		return
	}
	d.newest.Store(uint64(c.Last))
	d.wake(c.Last)
	s.waves.announce()
	s.trimmer.added(c)
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
