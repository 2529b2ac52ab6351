package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// committer hands out timestamps and brings batches into the journal and into Pebble. Its lock is held from the choice of a timestamp
// until the batch has entered both, so that the order of timestamps is theirs.
type committer struct {
	mu      sync.Mutex
	clock   *oplog.Clock
	db      *pebble.DB
	journal *journal // nil: in memory
	failed  *failure
	number  uint64 // of the last batch without an oplog entry
	closed  bool
}

// errClosed is the error of a commit that comes too late.
var errClosed = mongoerr.New(mongoerr.ShutdownInProgress, "the store is closed")

// refusal is why nothing is committed any more; nil: it is. The lock is held.
func (c *committer) refusal() error {
	if c.closed {
		return errClosed
	}
	return c.failed.get()
}

// close has later commits refused.
func (c *committer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// put brings a batch into the journal and into Pebble. The lock is held.
func (c *committer) put(b *pebble.Batch, last oplog.Timestamp) error {
	err := c.journal.append(b.Repr(), last)
	if err == nil {
		err = c.db.Apply(b, pebble.NoSync)
	}
	if err != nil {
		c.failed.set(err)
	}
	return c.failed.get()
}

// apply applies a batch that has no oplog entry, and gives it a number in place of the timestamp. It is durable with the next commit, or
// when sync returns.
func (c *committer) apply(b *pebble.Batch) error {
	return c.applyWith(b, func() error { return nil })
}

// applyWith is apply for a batch that fill completes by what is there when it is applied.
func (c *committer) applyWith(b *pebble.Batch, fill func() error) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refusal(); err != nil {
		return err
	}
	defer c.failed.guard(&err)
	if err := fill(); err != nil {
		return err
	}
	c.number++
	if err := b.Set(batchNumberKey, binary.BigEndian.AppendUint64(nil, c.number), nil); err != nil {
		return err
	}
	return c.put(b, 0)
}

// batchNumberKey has the number of the last batch without an oplog entry.
var batchNumberKey = metaKey("batch")

// batchNumber is the number of a batch without an oplog entry; 0: it has none.
func batchNumber(batch []byte) uint64 {
	r := batchrepr.Read(batch)
	for {
		_, key, value, ok, err := r.Next()
		if !ok || err != nil {
			return 0
		}
		if bytes.Equal(key, batchNumberKey) && len(value) == 8 {
			return binary.BigEndian.Uint64(value)
		}
	}
}

// place is a place in the sequence of batches: what comes later has a greater timestamp, or a greater number.
type place struct {
	entry  oplog.Timestamp // the newest entry of the oplog
	number uint64          // of the last batch without one
}

// set applies one key.
func (c *committer) set(key, value []byte) error {
	b := c.db.NewBatch()
	defer b.Close()
	if err := b.Set(key, value, nil); err != nil {
		return err
	}
	return c.apply(b)
}

// sync makes everything durable that was applied before.
func (c *committer) sync() (err error) {
	if err := c.failed.get(); err != nil {
		return err
	}
	defer c.failed.guard(&err)
	if err := c.journal.sync(); err != nil {
		c.failed.set(err)
	}
	return c.failed.get()
}

// replay applies a batch of the journal.
func (c *committer) replay(batch []byte) error {
	b := c.db.NewBatch()
	defer b.Close()
	if err := b.SetRepr(bytes.Clone(batch)); err != nil { // it becomes Pebble's
		return err
	}
	return c.db.Apply(b, pebble.NoSync)
}

// shortenJournal gives up what Pebble holds in tables. It writes them in the order of batches, so all is there up to the newest
// entry of the oplog that is.
func (c *committer) shortenJournal() error {
	if c.journal == nil {
		return nil
	}
	newest, err := newestEntry(c.db, &pebble.IterOptions{OnlyReadGuaranteedDurable: true})
	if err != nil {
		return err
	}
	return c.journal.release(newest)
}

// Commit is a write that was applied. It can be read at once; it is durable when Wait returns nil.
type Commit struct {
	First, Last oplog.Timestamp // of its oplog entries
	Stmt        oplog.Timestamp // of the last that is of a retryable write's statement; 0: there is none

	store   *Store
	entries []logged
}

// Commit applies the write and ends its use. A write that logged nothing changes nothing: its Commit is zero. Latches may be released as soon as it returns.
func (w *Write) Commit() (Commit, error) {
	if w.txn != nil {
		err := w.txn.finish(w.counts)
		w.recycle()
		return Commit{}, err
	}
	if len(w.records) == 0 {
		w.Discard()
		return Commit{}, nil
	}
	w.inserts.put(w)
	c := Commit{store: w.store, entries: w.entries()}
	if err := w.enter(&c); err != nil {
		w.batch = nil // it may still be in Pebble's hands
		w.recycle()
		return Commit{}, err
	}
	w.Discard() // what is in Pebble needs the batch no more
	return c, nil
}

func (w *Write) enter(c *Commit) (err error) {
	s := w.store
	s.commit.mu.Lock()
	defer s.commit.mu.Unlock()
	if err := s.commit.refusal(); err != nil {
		return err
	}
	defer s.failed.guard(&err)
	c.First = s.commit.clock.Next(len(w.records))
	c.Last = c.First + oplog.Timestamp(len(w.records)) - 1
	if w.stmt > 0 {
		c.Stmt = c.First + oplog.Timestamp(w.stmt) - 1
	}
	w.stamp(c)
	for _, change := range w.counts {
		if change.deletes {
			change.shared.deleted.Store(uint64(c.Last))
		}
	}
	batch := w.batch.Repr()
	s.rows.begin(w.rows, batch)
	if err := s.commit.put(w.batch, c.Last); err != nil {
		return err
	}
	s.rows.end(w.rows, batch)
	for _, change := range w.counts {
		change.shared.tally.add(change.by)
	}
	s.applied.Store(uint64(c.Last))
	if w.apply != nil {
		w.apply(c.Last)
	}
	s.durability.push(*c, w.Awaited)
	return nil
}

// stamp writes the timestamps to their places, in the batch and in the entries that go to the tail.
func (w *Write) stamp(c *Commit) {
	data := w.batch.Repr()
	for _, p := range w.patches {
		ts := uint64(c.First) + uint64(p.record)
		if p.little {
			binary.LittleEndian.PutUint64(data[p.at:], ts)
		} else {
			binary.BigEndian.PutUint64(data[p.at:], ts)
		}
	}
	for i, r := range w.records {
		e := &c.entries[i]
		e.ts = c.First + oplog.Timestamp(i)
		r.places.Put(e.raw, e.ts)
	}
}

// Wait returns when the commit is durable, with the error of the storage if it will never be.
func (c Commit) Wait(ctx context.Context) error {
	if c.store == nil {
		return nil
	}
	return c.store.WaitDurable(ctx, c.Last)
}

// Applied returns the timestamp of the newest commit that can be read.
func (s *Store) Applied() oplog.Timestamp { return oplog.Timestamp(s.applied.Load()) }
