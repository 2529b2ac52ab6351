package store

import (
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
func (s *Store) Count(c *Collection) (int64, error) {
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
	prefix := numberedKey(kindDocument, c.ID)
	it, err := snapshot.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	var n int64
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	if err := it.Error(); err != nil {
		return 0, err
	}
	c.count.known.Store(true)
	return c.count.n.Add(n), nil
}
