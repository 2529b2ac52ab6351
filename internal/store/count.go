package store

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// docCount is the number of a collection's documents. It is counted when somebody first asks; from then on commits keep it.
type docCount struct {
	mu    sync.Mutex // held while counting
	known atomic.Bool
	n     atomic.Int64 // before known: what commits added since the count began
}

// Count returns the number of documents in the collection.
func (s *Store) Count(ctx context.Context, c *Collection) (int64, error) {
	if c.count.known.Load() {
		return c.count.n.Load(), nil
	}
	c.count.mu.Lock()
	defer c.count.mu.Unlock()
	if c.count.known.Load() {
		return c.count.n.Load(), nil
	}
	// Under the commit lock no commit stands between the snapshot and the reset of what commits add.
	s.commit.mu.Lock()
	snapshot := s.db.NewSnapshot()
	c.count.n.Store(0)
	s.commit.mu.Unlock()
	defer snapshot.Close()
	n, err := (reader{db: stored{snapshot}, failed: s.failed}).count(ctx, c)
	if err != nil {
		return 0, err
	}
	c.count.known.Store(true)
	return c.count.n.Add(n), nil
}

// checkCountEvery is after how many documents a count looks whether its context has ended.
const checkCountEvery = 4096

// count counts a collection's documents one by one.
func (r reader) count(ctx context.Context, c *Collection) (n int64, err error) {
	prefix := numberedKey(kindDocument, c.ID)
	it, err := r.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return 0, err
	}
	for it.First(); it.Valid(); it.Next() {
		if n++; n%checkCountEvery == 0 && ctx.Err() != nil {
			return 0, errors.Join(contextError(ctx), it.Close())
		}
	}
	return n, errors.Join(it.Error(), it.Close())
}
