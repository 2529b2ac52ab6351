package store

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/oplog"
)

// Waves show durable entries to those who wait for them. Waking a thousand streams for each single write would cost far more
// than the write. So those who wait take turns, a few at a time, and writers never stand in line behind all of them; and after a wave
// that took long there is a pause, and the next one brings what came in meanwhile, to all streams alike, so that streams take a share of
// the machine and no more. With few streams every commit is a wave of its own, made by whoever made it durable: a goroutine sees to the
// long ones alone.
type Waves struct {
	store    *Store
	released atomic.Uint64 // entries up to this timestamp are shown
	turns    int           // how many are served at a time
	long     chan longWave // one has begun
	over     chan struct{} // everybody of the wave was served
	quit     chan struct{}
	done     chan struct{}

	mu struct {
		sync.Mutex
		waiting waitList // for the next wave
		queue   waitList // for their turn in this one
		serving int      // have their turn
		paused  bool     // a long wave is not over, or the pause after it
		late    bool     // something became durable meanwhile
	}
}

// longWave is a wave of more than have their turn at once.
type longWave struct {
	begun time.Time
	woken int
}

// Wait is the wait of one stream. It can be used again, by one goroutine at a time.
type Wait struct {
	turn       chan struct{}
	in         *waitList // nil: in none
	serving    bool
	prev, next *Wait
}

// NewWait returns a wait that has not begun.
func NewWait() *Wait { return &Wait{turn: make(chan struct{}, 1)} }

// Turn gives a value when there is something to read.
func (x *Wait) Turn() <-chan struct{} { return x.turn }

const (
	// pauseShare is how many times as long as a wave the pause after it is, and pausePerStream bounds it where the machine is busy with
	// other things.
	pauseShare     = 2
	pausePerStream = 50 * time.Microsecond
	// longestWave bounds how late an event may become: a wave and the pause after it, as far as the machine lets.
	longestWave = 50 * time.Millisecond
)

func (w *Waves) init(s *Store, released oplog.Timestamp) {
	w.store = s
	w.released.Store(uint64(released))
	w.turns = 2 * runtime.GOMAXPROCS(0)
	w.long, w.over = make(chan longWave, 1), make(chan struct{}, 1)
	w.quit, w.done = make(chan struct{}), make(chan struct{})
}

// announce tells that something became durable.
func (w *Waves) announce() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.paused {
		w.mu.late = true
		return
	}
	w.wave()
}

func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run is the goroutine that ends long waves.
func (w *Waves) run() {
	defer close(w.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.quit:
			return
		case wave := <-w.long:
			if !w.sitOut(wave, timer) {
				return
			}
			w.resume()
		}
	}
}

// sitOut returns when a wave and the pause after it are over; false: it is to end.
func (w *Waves) sitOut(wave longWave, timer *time.Timer) bool {
	timer.Reset(longestWave)
	select {
	case <-w.quit:
		return false
	case <-w.over:
	case <-timer.C:
	}
	took := time.Since(wave.begun)
	timer.Reset(min(pauseShare*took, time.Duration(wave.woken)*pausePerStream, longestWave-took))
	select {
	case <-w.quit:
		return false
	case <-timer.C:
	}
	return true
}

// resume ends a pause.
func (w *Waves) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	late := w.mu.late
	w.mu.paused, w.mu.late = false, false
	if late {
		w.wave()
	}
}

// wave shows everything durable to those who wait. It returns how many they are. The lock is held.
func (w *Waves) wave() (woken int) {
	w.released.Store(uint64(w.store.Durable()))
	for w.mu.waiting.first != nil {
		x := w.mu.waiting.first
		w.mu.waiting.remove(x)
		w.mu.queue.add(x)
	}
	woken = w.mu.queue.n
	if woken > w.turns {
		select { // of an earlier wave that nobody waited for
		case <-w.over:
		default:
		}
		w.mu.paused = true
		w.long <- longWave{time.Now(), woken}
	}
	w.callNext()
	return woken
}

// callNext gives the next ones their turn, when half of the turns are free. That they are called several at a time has the runtime
// put them behind others that can run; one alone, called by the one before, it would run first, and the one after it too.
func (w *Waves) callNext() {
	if w.mu.serving > w.turns/2 {
		return
	}
	for w.mu.queue.first != nil && w.mu.serving < w.turns {
		x := w.mu.queue.first
		w.mu.queue.remove(x)
		w.mu.serving++
		x.serving = true
		x.turn <- struct{}{}
	}
	if w.mu.queue.first == nil && w.mu.serving == 0 {
		tell(w.over)
	}
}

func (w *Waves) close() {
	close(w.quit)
	<-w.done
}

// Enter begins a wait for entries after ts. It ends with Leave.
func (w *Waves) Enter(x *Wait, ts oplog.Timestamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.Newest() > ts {
		x.turn <- struct{}{} // others need not wait for it: it is late
		return
	}
	w.mu.waiting.add(x)
}

// Leave ends a wait, or the turn that it came to. What was to be read has been read then: the next one has the turn.
func (w *Waves) Leave(x *Wait) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-x.turn:
	default:
	}
	if x.in != nil {
		x.in.remove(x)
	}
	if x.serving {
		x.serving = false
		w.mu.serving--
		w.callNext()
	}
}

// Newest is the timestamp up to which entries are shown.
func (w *Waves) Newest() oplog.Timestamp { return oplog.Timestamp(w.released.Load()) }

// Scan is [Store.Scan] up to what has been shown.
func (w *Waves) Scan(ctx context.Context, from oplog.Timestamp, fn func(*oplog.Entry) (more bool, err error)) (oplog.Timestamp, error) {
	return scan(ctx, w.store, from, &w.released, fn)
}

// waitList is waits in the order in which they came.
type waitList struct {
	first, last *Wait
	n           int
}

func (l *waitList) add(x *Wait) {
	x.in, x.prev, x.next = l, l.last, nil
	if l.last == nil {
		l.first = x
	} else {
		l.last.next = x
	}
	l.last = x
	l.n++
}

func (l *waitList) remove(x *Wait) {
	if x.prev == nil {
		l.first = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		l.last = x.prev
	} else {
		x.next.prev = x.prev
	}
	x.in, x.prev, x.next = nil, nil, nil
	l.n--
}
