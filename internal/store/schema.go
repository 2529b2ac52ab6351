package store

import (
	"errors"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Change is a change of the schema in the making: catalog records and the oplog entries that tell of it, in one write. One
// change is made at a time; it ends with Commit or Discard. The caller holds the locks of the collections that it changes
// exclusively.
type Change struct {
	*Write
	txn     *Txn // that it belongs to; else nil
	set     []*Collection
	removed []*Collection
	dropped []*Collection // removed for good, not renamed
	dropDB  string        // a database that goes, without any collection; empty: none
	views   []viewChange
}

// Change begins a change of the schema and waits for the one before.
func (s *Store) Change() *Change {
	s.ddl.Lock()
	return &Change{Write: s.NewWrite()}
}

// NewID returns a number for a new collection or index.
func (ch *Change) NewID() uint32 {
	if ch.txn != nil {
		ch.store.ddl.Lock()
		defer ch.store.ddl.Unlock()
	}
	id := ch.store.nextID
	ch.store.nextID++
	return id
}

// NewIndex makes an index from its specification, which the caller has checked.
func (ch *Change) NewIndex(spec bsonraw.Doc) (*Index, error) {
	x, err := ch.store.compile.index(spec)
	if err != nil {
		return nil, err
	}
	x.ID = ch.NewID()
	return x, nil
}

// ChangeIndex makes the version of an index that has another specification; its entries are the same.
func (ch *Change) ChangeIndex(x *Index, spec bsonraw.Doc) (*Index, error) {
	changed, err := ch.store.compile.index(spec)
	if err != nil {
		return nil, err
	}
	changed.ID, changed.arrays = x.ID, x.arrays
	return changed, nil
}

// Put adds a collection or a new version of one. Renaming is Remove of the old name and Put with the same ID.
func (ch *Change) Put(c *Collection) error {
	ch.set = append(ch.set, c)
	return ch.Write.set(numberedKey(kindCatalog, c.ID), c.record())
}

// Remove takes a collection out of the catalog; its documents stay.
func (ch *Change) Remove(c *Collection) { ch.removed = append(ch.removed, c) }

// Drop takes a collection out of the catalog and deletes its documents and indexes.
func (ch *Change) Drop(c *Collection) error {
	ch.Remove(c)
	ch.dropped = append(ch.dropped, c)
	if err := ch.batch.Delete(numberedKey(kindCatalog, c.ID), nil); err != nil {
		return err
	}
	for _, x := range c.Indexes {
		if err := ch.DropIndex(x); err != nil {
			return err
		}
	}
	if c.Order != nil {
		if err := errors.Join(ch.DropIndex(c.Order), ch.deleteAll(kindPlace, c.ID)); err != nil {
			return err
		}
	}
	return ch.deleteAll(kindDocument, c.ID)
}

// DropDatabase makes a database without collections unknown.
func (ch *Change) DropDatabase(db string) { ch.dropDB = db }

// DropIndex deletes an index's entries. Taking it out of the collection is a Put.
func (ch *Change) DropIndex(x *Index) error {
	if err := ch.deleteAll(kindMultikey, x.ID); err != nil {
		return err
	}
	return ch.deleteAll(kindIndex, x.ID)
}

func (ch *Change) deleteAll(kind byte, id uint32) error {
	prefix := numberedKey(kind, id)
	return ch.batch.DeleteRange(prefix, after(prefix), nil)
}

// Commit makes the change. The new catalog is seen from the moment when the batch is in.
func (ch *Change) Commit() (Commit, error) {
	if ch.txn != nil {
		commit, err := ch.Write.Commit()
		if err == nil {
			ch.txn.create(ch.set)
		}
		return commit, err
	}
	s := ch.store
	defer s.ddl.Unlock()
	ch.apply = func(oplog.Timestamp) {
		for _, c := range ch.dropped {
			c.dropped.Store(true)
			for _, b := range c.Builds() {
				b.Kill("the collection was dropped")
			}
		}
		before := s.Catalog()
		after := before.with(ch.set, ch.removed).withViews(before, ch.views, ch.dropped)
		s.catalog.Store(after.withoutDatabase(ch.dropDB))
	}
	return ch.Write.Commit()
}

// Discard drops the change.
func (ch *Change) Discard() {
	s := ch.store
	ch.Write.Discard()
	if ch.txn == nil {
		s.ddl.Unlock()
	}
}

// Flush writes what is in memory to tables, for tests and measurements.
func (s *Store) Flush() error { return s.db.Flush() }
