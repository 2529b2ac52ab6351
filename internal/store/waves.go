package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/oplog"
)

// Waves show durable entries to those who wait for them. Waking a thousand streams for each single write would cost far more
// than the write: after a wave that woke many, the next one waits a little and brings what came in meanwhile, to all streams
// alike. With few streams every commit is a wave of its own.
type Waves struct {
	store    *Store
	released atomic.Uint64 // entries up to this timestamp are shown
	dirty    chan struct{} // something is durable that is not shown yet
	quit     chan struct{}
	done     chan struct{}

	mu struct {
		sync.Mutex
		moved   chan struct{} // closed by the next wave; nil while nobody waits
		waiting int           // how many asked for moved
	}
}

const (
	// wavePerStream is what serving one stream costs in a wave, its client's part on the same machine included.
	wavePerStream = 150 * time.Microsecond
	// shortestPause is the least that is worth a timer.
	shortestPause = 500 * time.Microsecond
	// longestPause bounds how late an event may become.
	longestPause = 50 * time.Millisecond
)

func (w *Waves) init(s *Store, released oplog.Timestamp) {
	w.store = s
	w.released.Store(uint64(released))
	w.dirty, w.quit, w.done = make(chan struct{}, 1), make(chan struct{}), make(chan struct{})
}

// announce tells that something became durable.
func (w *Waves) announce() {
	select {
	case w.dirty <- struct{}{}:
	default:
	}
}

// run is the goroutine that makes the waves.
func (w *Waves) run() {
	defer close(w.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.quit:
			return
		case <-w.dirty:
		}
		pause := min(time.Duration(w.wave())*wavePerStream, longestPause)
		if pause < shortestPause {
			continue
		}
		timer.Reset(pause)
		select {
		case <-w.quit:
			return
		case <-timer.C:
		}
	}
}

// wave shows everything durable and wakes those who wait. It returns how many they are.
func (w *Waves) wave() (woken int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.released.Store(uint64(w.store.Durable()))
	woken = w.mu.waiting
	if w.mu.moved != nil {
		close(w.mu.moved)
	}
	w.mu.moved, w.mu.waiting = nil, 0
	return woken
}

func (w *Waves) close() {
	close(w.quit)
	<-w.done
}

// Moved returns a channel that is closed when something after ts is shown. Who waits no longer before that calls Leave.
func (w *Waves) Moved(ts oplog.Timestamp) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if oplog.Timestamp(w.released.Load()) > ts {
		return closedChannel
	}
	if w.mu.moved == nil {
		w.mu.moved = make(chan struct{})
	}
	w.mu.waiting++
	return w.mu.moved
}

// Leave ends a wait for a channel of Moved, so that the next wave does not count who is not there.
func (w *Waves) Leave(moved <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.moved != nil && moved == w.mu.moved {
		w.mu.waiting--
	}
}

var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// Scan is [Store.Scan] up to what has been shown.
func (w *Waves) Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (more bool, err error)) (oplog.Timestamp, error) {
	return scan(ctx, w.store, from, &w.released, fn)
}
