package store

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// latches give writers exclusive use of keys: of documents and of unique index entries. A latch is the hash of its key; two
// keys that share one merely wait for each other.
type latches struct {
	seed   maphash.Seed
	shards [64]latchShard
}

type latchShard struct {
	mu   sync.Mutex
	held map[uint64]*latchQueue
}

// latchQueue holds those who wait for a latch, the first to come first. It is nil while nobody waits and no transaction holds
// the latch.
type latchQueue struct {
	byTxn   bool // a transaction holds the latch, perhaps for long
	waiters []latchWaiter
}

type latchWaiter struct {
	turn  chan struct{}
	byTxn bool
}

func newLatches() *latches {
	l := &latches{seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].held = make(map[uint64]*latchQueue)
	}
	return l
}

// Latch is a hashed key that can be held.
type Latch = uint64

// key returns the latch of a key within a collection's documents or an index's entries. Those of documents come before
// all of index entries, so that a writer may take the former first and the latter once it knows the new document.
func (l *latches) key(kind byte, id uint32, of []byte) Latch {
	var h maphash.Hash
	h.SetSeed(l.seed)
	h.WriteByte(kind)
	h.Write([]byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)})
	h.Write(of)
	if kind == kindDocument {
		return h.Sum64() &^ (1 << 63)
	}
	return h.Sum64() | 1<<63
}

// Held are latches that were acquired together.
type Held struct {
	l    *latches
	keys []Latch
}

// acquire waits until all the latches are free and takes them, in sorted order so that no two writers can wait for each other.
// It sorts keys and keeps them. When ctx ends first nothing is held.
func (l *latches) acquire(ctx context.Context, keys []Latch) (Held, error) {
	slices.Sort(keys)
	keys = slices.Compact(keys)
	for i, k := range keys {
		if err := l.take(ctx, k, false); err != nil {
			Held{l, keys[:i]}.Release()
			return Held{}, err
		}
	}
	return Held{l, keys}, nil
}

// take waits for one latch, a transaction only for a moment. One that meets another one's latch does not wait. Both get WriteConflict.
func (l *latches) take(ctx context.Context, k Latch, byTxn bool) error {
	s := &l.shards[k%uint64(len(l.shards))]
	s.mu.Lock()
	q, taken := s.held[k]
	if !taken {
		s.held[k] = nil
		if byTxn {
			s.held[k] = &latchQueue{byTxn: true}
		}
		s.mu.Unlock()
		return nil
	}
	if q == nil {
		q = &latchQueue{}
		s.held[k] = q
	}
	if byTxn && q.byTxn {
		s.mu.Unlock()
		return errWriteConflict
	}
	turn := make(chan struct{}, 1)
	q.waiters = append(q.waiters, latchWaiter{turn, byTxn})
	s.mu.Unlock()
	if await(ctx, turn, byTxn) {
		return nil
	}
	s.mu.Lock()
	i := slices.IndexFunc(q.waiters, func(w latchWaiter) bool { return w.turn == turn })
	if i >= 0 {
		q.waiters = slices.Delete(q.waiters, i, i+1)
	}
	s.mu.Unlock()
	if i < 0 { // it became ours meanwhile
		l.release(k)
	}
	if ctx.Err() == nil {
		return errWriteConflict
	}
	return contextError(ctx)
}

// await reports whether a turn came before the end of the patience.
func await(ctx context.Context, turn <-chan struct{}, byTxn bool) bool {
	var impatient <-chan time.Time
	if byTxn {
		timer := time.NewTimer(txnLockWait)
		defer timer.Stop()
		impatient = timer.C
	}
	select {
	case <-turn:
		return true
	case <-impatient:
	case <-ctx.Done():
	}
	return false
}

// Release gives the latches to those who wait for them. The zero Held releases nothing.
func (h Held) Release() {
	for _, k := range h.keys {
		h.l.release(k)
	}
}

func (l *latches) release(k Latch) {
	s := &l.shards[k%uint64(len(l.shards))]
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.held[k]
	if q == nil || len(q.waiters) == 0 {
		delete(s.held, k)
		return
	}
	q.byTxn = q.waiters[0].byTxn
	q.waiters[0].turn <- struct{}{}
	q.waiters = slices.Delete(q.waiters, 0, 1)
}

// contextError gives the error of an operation whose context ended: its cause, so that a command can end it with a code.
func contextError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return mongoerr.New(mongoerr.MaxTimeMSExpired, "operation exceeded time limit")
	}
	if errors.Is(cause, context.Canceled) {
		return mongoerr.New(mongoerr.Interrupted, "operation was interrupted")
	}
	return cause
}
