package store

import (
	"context"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/oplog"
)

// Snapshot is the store as it was at one moment. It keeps Pebble from deleting what was there then, until Close.
type Snapshot struct {
	reader
	At oplog.Timestamp // every commit up to this is in it, none later

	catalog *Catalog
	db      *pebble.Snapshot
	close   sync.Once
}

var _ View = (*Snapshot)(nil)

// Snapshot returns the store as it is now. Not all of it need be durable.
func (s *Store) Snapshot() *Snapshot {
	s.commit.mu.Lock()
	defer s.commit.mu.Unlock()
	return s.snapshot()
}

// snapshot is Snapshot under the commit lock.
func (s *Store) snapshot() *Snapshot {
	db := s.db.NewSnapshot()
	return &Snapshot{reader: reader{db: stored{db}, failed: s.failed}, At: s.Applied(), catalog: s.Catalog(), db: db}
}

// Close ends the use of the snapshot. It may be called more than once.
func (s *Snapshot) Close() {
	s.close.Do(func() { _ = s.db.Close() }) // it fails only when it is closed twice
}

// Catalog returns the collections of that moment.
func (s *Snapshot) Catalog() *Catalog { return s.catalog }

// Count counts the documents of a collection.
func (s *Snapshot) Count(ctx context.Context, c *Collection) (int64, error) {
	return s.reader.count(ctx, c)
}

// Pin returns the snapshot itself.
func (s *Snapshot) Pin() (View, func()) { return s, func() {} }

// Pin returns the store as it is now.
func (s *Store) Pin() (View, func()) {
	snapshot := s.Snapshot()
	return snapshot, snapshot.Close
}
