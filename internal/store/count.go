package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Stats tells how much a collection holds.
type Stats struct {
	Docs  int64
	Bytes int64 // of the documents as BSON
}

// tally is the Stats of a collection as they change. Those of a collection that was there when the store was opened are counted when
// somebody first asks; from then on commits keep them.
type tally struct {
	mu    sync.Mutex // held while counting
	known atomic.Bool
	docs  atomic.Int64 // before known: what commits added since the count began
	bytes atomic.Int64
}

func (t *tally) add(s Stats) {
	t.docs.Add(s.Docs)
	t.bytes.Add(s.Bytes)
}

func (t *tally) stats() Stats { return Stats{t.docs.Load(), t.bytes.Load()} }

// Count returns the number of documents in the collection.
func (s *Store) Count(ctx context.Context, c *Collection) (int64, error) {
	stats, err := s.Stats(ctx, c)
	return stats.Docs, err
}

// Stats returns how much the collection holds.
func (s *Store) Stats(ctx context.Context, c *Collection) (Stats, error) {
	if c.Oplog {
		return s.oplogStats(ctx)
	}
	t := &c.tally
	if t.known.Load() {
		return t.stats(), nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known.Load() {
		return t.stats(), nil
	}
	// Under the commit lock no commit stands between the snapshot and the reset of what commits add.
	s.commit.mu.Lock()
	snapshot := s.db.NewSnapshot()
	t.docs.Store(0)
	t.bytes.Store(0)
	s.commit.mu.Unlock()
	defer snapshot.Close()
	found, err := (reader{db: stored{snapshot}, failed: s.failed}).stats(ctx, c)
	if err != nil {
		return Stats{}, err
	}
	t.add(found)
	t.known.Store(true)
	return t.stats(), nil
}

// checkCountEvery is after how many documents a count looks whether its context has ended.
const checkCountEvery = 4096

// count counts a collection's documents one by one.
func (r reader) count(ctx context.Context, c *Collection) (int64, error) {
	stats, err := r.stats(ctx, c)
	return stats.Docs, err
}

// stats counts a collection's documents and their bytes one by one.
func (r reader) stats(ctx context.Context, c *Collection) (s Stats, err error) {
	prefix := numberedKey(kindDocument, c.ID)
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return Stats{}, err
	}
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return Stats{}, errors.Join(err, it.Close())
		}
		if s.Docs++; s.Docs%checkCountEvery == 0 && ctx.Err() != nil {
			return Stats{}, errors.Join(contextError(ctx), it.Close())
		}
		s.Bytes += int64(len(value) - stampLen)
	}
	return s, errors.Join(it.Error(), it.Close())
}
