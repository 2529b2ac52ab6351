package store

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Txn is a transaction: it reads a snapshot and its own writes over it, and keeps the latches of what it wrote and the locks of
// the collections that it touched until it ends, by Commit or Abort. A write to what others have changed since the snapshot, or
// what another transaction has latched, is a WriteConflict. It is used by one goroutine at a time.
type Txn struct {
	reader // of the overlay over the snapshot

	store    *Store
	snapshot *Snapshot
	overlay  *overlay
	catalog  *Catalog               // that of the snapshot, with the collections that the transaction has created
	created  map[string]*Collection // those, by namespace
	locked   map[string]*Collection // existing collections whose lock is held shared, by namespace
	held     map[Latch]struct{}
	ops      [][]byte // the operations, as the oplog will have them
	images   []txnImage
	counts   []countChange
	bytes    int
}

var _ Target = (*Txn)(nil)

// txnImage is a document as it was before the operation of that index.
type txnImage struct {
	op  int32
	doc bsonraw.Doc
}

// Begin begins a transaction that reads a snapshot, which belongs to it from now on.
func Begin(s *Store, snapshot *Snapshot) *Txn {
	t := &Txn{
		store: s, snapshot: snapshot, overlay: newOverlay(snapshot.reader.db), catalog: snapshot.catalog,
		created: map[string]*Collection{}, locked: map[string]*Collection{}, held: map[Latch]struct{}{},
	}
	t.reader = reader{db: t.overlay, failed: s.failed}
	return t
}

// At returns the time of the snapshot that the transaction reads.
func (t *Txn) At() oplog.Timestamp { return t.snapshot.At }

// Catalog returns the collections that the transaction sees.
func (t *Txn) Catalog() *Catalog { return t.catalog }

// Count counts the documents of a collection.
func (t *Txn) Count(ctx context.Context, c *Collection) (int64, error) { return t.reader.count(ctx, c) }

// Pin returns what the transaction sees now, without what it writes later.
func (t *Txn) Pin() (View, func()) {
	return &Snapshot{reader: reader{db: t.overlay.at(), failed: t.failed}, At: t.snapshot.At, catalog: t.catalog}, func() {}
}

const (
	// txnLockWait is how long a transaction waits for a lock or for somebody's single write. Longer waits could be for somebody
	// who waits for this transaction.
	txnLockWait = 5 * time.Millisecond
	// maxTxnBytes bounds what a transaction may keep in memory.
	maxTxnBytes = 256 << 20
)

var (
	errWriteConflict = mongoerr.New(mongoerr.WriteConflict, "WriteConflict error: this operation conflicted with another operation. "+
		"Please retry your operation or multi-document transaction.")
	errTxnTooLarge = mongoerr.New(mongoerr.TransactionTooLarge, "the writes of this transaction take more than %d bytes and cannot be committed: "+
		"divide it into smaller ones", maxTxnBytes)
)

// Collection returns a collection as the transaction sees it and takes its lock until the transaction ends; nil when there is
// none. One that was made, dropped or renamed after the snapshot gives SnapshotUnavailable; of one whose schema was changed the
// transaction sees the indexes that were there before, and all else as it is now.
func (t *Txn) Collection(ctx context.Context, db, name string) (*Collection, error) {
	var space [64]byte
	key := append(append(append(space[:0], db...), '.'), name...)
	if c := t.created[string(key)]; c != nil {
		return c, nil
	}
	if c := t.locked[string(key)]; c != nil {
		return c, nil
	}
	ns := string(key)
	then := t.snapshot.catalog.Collection(db, name)
	for {
		c := t.store.Catalog().Collection(db, name)
		if c == nil && then == nil {
			return nil, nil
		}
		if c == nil || then == nil || c.Shared != then.Shared {
			return nil, mongoerr.New(mongoerr.SnapshotUnavailable, "Unable to read from a snapshot due to pending collection catalog changes; "+
				"please retry the operation. Snapshot timestamp is %v. Collection: %s", t.At(), ns)
		}
		if err := t.lock(ctx, c); err != nil {
			return nil, err
		}
		if t.store.Catalog().Collection(db, name) == c {
			c = c.withIndexesOf(then)
			t.locked[ns] = c
			return c, nil
		}
		c.Lock.RUnlock()
	}
}

// withIndexesOf returns a version of a collection that has only those indexes that an earlier one has too.
func (c *Collection) withIndexesOf(earlier *Collection) *Collection {
	if c == earlier || !slices.ContainsFunc(c.Indexes, func(x *Index) bool { return !slices.Contains(earlier.Indexes, x) }) {
		return c
	}
	version := *c
	version.Indexes = slices.DeleteFunc(slices.Clone(c.Indexes), func(x *Index) bool { return !slices.Contains(earlier.Indexes, x) })
	return &version
}

// lacksIndexes reports whether a collection has indexes that the transaction does not see, and whose entries it cannot keep.
func (t *Txn) lacksIndexes(c *Collection) bool {
	return len(c.Indexes) != len(t.store.Catalog().Collection(c.DB, c.Name).Indexes)
}

func (t *Txn) lock(ctx context.Context, c *Collection) error {
	if c.Lock.TryRLock() {
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, txnLockWait)
	defer cancel()
	err := c.Lock.RLock(wait)
	if err != nil && ctx.Err() == nil {
		return mongoerr.New(mongoerr.LockTimeout, "Unable to acquire the lock of collection '%s' within %v: its schema is being changed", c.NS(), txnLockWait)
	}
	return err
}

// LatchDocs makes sure that the transaction alone may write these documents, to its end, and that nobody has changed them since
// its snapshot.
func (t *Txn) LatchDocs(ctx context.Context, c *Collection, idKeys ...[]byte) (Held, error) {
	if c.Cap != nil {
		return Held{}, mongoerr.New(mongoerr.OperationNotSupportedInTransaction,
			"Collection '%s' is a capped collection. Writes in transactions are not allowed on capped collections.", c.NS())
	}
	if t.IsNew(c) {
		return Held{}, nil
	}
	if t.lacksIndexes(c) {
		return Held{}, errWriteConflict
	}
	for _, k := range idKeys {
		fresh, err := t.latch(ctx, t.store.latches.key(kindDocument, c.ID, k))
		if err != nil {
			return Held{}, err
		}
		if !fresh {
			continue
		}
		if err := t.checkUnchanged(c, k); err != nil {
			return Held{}, err
		}
	}
	return Held{}, nil
}

// LatchUnique makes sure that the transaction alone may write the unique index entries of these documents, to its end.
func (t *Txn) LatchUnique(ctx context.Context, c *Collection, docs ...Indexed) (Held, error) {
	if t.IsNew(c) {
		return Held{}, nil
	}
	for _, k := range t.store.latches.uniqueKeys(c, docs) {
		if _, err := t.latch(ctx, k); err != nil {
			return Held{}, err
		}
	}
	return Held{}, nil
}

// latch takes a latch, if the transaction does not hold it already: fresh tells.
func (t *Txn) latch(ctx context.Context, k Latch) (fresh bool, err error) {
	if _, ok := t.held[k]; ok {
		return false, nil
	}
	if err := t.store.latches.take(ctx, k, true); err != nil {
		return false, err
	}
	t.held[k] = struct{}{}
	return true, nil
}

// checkUnchanged compares a document that was just latched with the one of the snapshot.
func (t *Txn) checkUnchanged(c *Collection, idKey []byte) error {
	key := append(appendNumbered(t.overlay.absent[:0], kindDocument, c.ID), idKey...)
	t.overlay.absent = key[:0]
	var now oplog.Timestamp
	if !c.recent.lacks(key) {
		var err error
		if now, err = t.store.stamp(key); err != nil {
			return err
		}
	}
	if now > t.At() {
		return errWriteConflict
	}
	if now > 0 {
		return nil // the snapshot has it too
	}
	if oplog.Timestamp(c.deleted.Load()) > t.At() {
		then, err := t.snapshot.stamp(key)
		if err != nil {
			return err
		}
		if then > 0 {
			return errWriteConflict
		}
	}
	t.overlay.absent = key
	return nil
}

// stamp returns the commit that wrote the document of a key, 0 when there is none.
func (r reader) stamp(key []byte) (oplog.Timestamp, error) {
	value, closer, err := r.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, r.failed.get()
	}
	if err != nil {
		return 0, err
	}
	return oplog.Timestamp(binary.BigEndian.Uint64(value)), closer.Close()
}

// CheckUnique returns a duplicate key error if another document that the transaction sees has a unique entry of d, a
// WriteConflict if others have added or removed such an entry since its snapshot, or why an index cannot hold d.
func (t *Txn) CheckUnique(c *Collection, idKey []byte, d Indexed) error {
	return d.eachGuarded(c, func(x *Index, values []byte) error { return t.checkEntry(c, x, idKey, d.Doc, values) })
}

func (t *Txn) checkEntry(c *Collection, x *Index, idKey []byte, doc bsonraw.Doc, k []byte) error {
	if !t.IsNew(c) {
		now, err := t.store.takenByOther(x, k, idKey)
		if err != nil {
			return err
		}
		then, err := t.snapshot.takenByOther(x, k, idKey)
		if err != nil {
			return err
		}
		if now != then {
			return errWriteConflict
		}
	}
	taken, err := t.takenByOther(x, k, idKey)
	if err != nil {
		return err
	}
	if taken {
		return DuplicateKey(c, x, doc, k)
	}
	return nil
}

// NewWrite begins a write of the transaction. Its Commit adds it to what the transaction has written.
func (t *Txn) NewWrite() *Write {
	w, _ := t.store.writes.Get().(*Write)
	if w == nil {
		w = &Write{}
	}
	w.store, w.txn = t.store, &w.ofTxn
	w.txn.txn = t
	return w
}

// Change begins a change of the schema within the transaction: new collections and their indexes.
func (t *Txn) Change() *Change { return &Change{Write: t.NewWrite(), txn: t} }

// create adds collections to those that the transaction sees.
func (t *Txn) create(set []*Collection) {
	for _, c := range set {
		t.created[c.NS()] = c
	}
	t.catalog = t.catalog.with(set, nil)
}

// IsNew reports whether the transaction has created the collection.
func (t *Txn) IsNew(c *Collection) bool { return len(t.created) > 0 && t.created[c.NS()] != nil }

// Abort ends the transaction without a trace.
func (t *Txn) Abort() { t.release() }

// release gives back what the transaction holds. It may be called more than once.
func (t *Txn) release() {
	for k := range t.held {
		t.store.latches.release(k)
	}
	clear(t.held)
	for _, c := range t.locked {
		c.Lock.RUnlock()
	}
	clear(t.locked)
	t.snapshot.Close()
	t.ops, t.images, t.counts = nil, nil, nil
	t.overlay.tree.Clear()
}
