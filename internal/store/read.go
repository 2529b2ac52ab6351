package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// reader reads what the store has, from one source: the database as it is, or a snapshot of it.
type reader struct {
	db     source
	live   bool // that is the database as it is
	failed *failure
	newest *atomic.Uint64 // entries of the oplog after this are not shown; nil: all are
	rows   *rows          // documents of the database as it is; nil: of a snapshot
}

// stampLen is the length of the commit timestamp before a stored document.
const stampLen = 8

// Get appends the document with that key of _id to dst. ok is false when there is none; ts is the commit that wrote it.
func (r reader) Get(dst []byte, c *Collection, idKey []byte) (doc bsonraw.Doc, ts oplog.Timestamp, ok bool, err error) {
	return r.get(dst, c, idKey, true)
}

// GetOnce is Get for who reads many documents: none need be in memory for the next reader.
func (r reader) GetOnce(dst []byte, c *Collection, idKey []byte) (doc bsonraw.Doc, ts oplog.Timestamp, ok bool, err error) {
	return r.get(dst, c, idKey, false)
}

func (r reader) get(dst []byte, c *Collection, idKey []byte, keep bool) (doc bsonraw.Doc, ts oplog.Timestamp, ok bool, err error) {
	at := len(dst)
	dst = append(appendNumbered(dst, kindDocument, c.ID), idKey...) // the key, where the document is going to be
	var place rowPlace
	if r.rows != nil {
		place = r.rows.at(dst[at:])
		if value := place.seen.of(dst[at:]); value != nil {
			doc, ts = fromStored(dst, at, value)
			return doc, ts, true, nil
		}
	}
	value, closer, err := r.db.Get(dst[at:])
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, 0, false, r.failed.get()
	}
	if err != nil {
		return nil, 0, false, err
	}
	defer closer.Close()
	if keep && r.rows != nil {
		r.rows.keep(place, dst[at:], value)
	}
	doc, ts = fromStored(dst, at, value)
	return doc, ts, true, nil
}

// fromStored puts a stored document into dst, from a place on.
func fromStored(dst []byte, at int, value []byte) (bsonraw.Doc, oplog.Timestamp) {
	dst = append(dst[:at], value[stampLen:]...)
	return bsonraw.Doc(dst[at:]), oplog.Timestamp(binary.BigEndian.Uint64(value))
}

// Has reports whether there is a document with that key of _id.
func (r reader) Has(c *Collection, idKey []byte) (bool, error) {
	var space [64]byte
	key := append(appendNumbered(space[:0], kindDocument, c.ID), idKey...)
	if r.live && c.recent.lacks(key) {
		return false, r.failed.get()
	}
	_, closer, err := r.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, closer.Close()
}

// HasAny reports whether there is a document with one of these keys of _id or one between them. It looks once, which is what an
// insert of many new documents needs: their keys mostly lie behind all others.
func (r reader) HasAny(c *Collection, idKeys [][]byte) (bool, error) {
	least := slices.MinFunc(idKeys, bytes.Compare)
	most := slices.MaxFunc(idKeys, bytes.Compare)
	it, err := r.db.NewIter(bounds(numberedKey(kindDocument, c.ID), Range{From: least, To: append(bytes.Clone(most), 0)}))
	if err != nil {
		return false, err
	}
	found := it.First()
	return found, errors.Join(it.Error(), it.Close())
}

// FindByKey returns the document of a collection by its document key as it is at the timestamp or later, in a state that is
// durable; nil when there is none, as of measurements, which have no such keys. A collection that was renamed within its database is
// still the same.
func (s *Store) FindByKey(ctx context.Context, ns []byte, uuid [16]byte, key bsonraw.Doc, atLeast oplog.Timestamp) (bsonraw.Doc, error) {
	db, name := oplog.SplitNS(ns)
	c := s.Catalog().Collection(string(db), string(name))
	if c == nil || c.UUID != uuid {
		if c = s.Catalog().ByUUID(uuid); c == nil || c.DB != string(db) {
			return nil, nil
		}
	}
	if c.Series != nil {
		return nil, nil
	}
	doc, written, ok, err := s.Get(nil, c, c.AppendIDKey(nil, key.Lookup("_id")))
	if err != nil {
		return nil, err
	}
	if !ok { // perhaps by a delete that is not durable yet
		written = s.Applied()
	}
	if err := s.WaitDurable(ctx, max(atLeast, written)); err != nil || !ok {
		return nil, err
	}
	return doc, nil
}

// Range is a range of keys: From is included, To is not; nil means no bound.
type Range struct{ From, To []byte }

// Docs walks documents in the order of _id.
type Docs struct {
	it      iterator
	reverse bool
	started bool
	doc     bsonraw.Doc
	err     error
	keyAt   int  // where the key of _id begins in a key
	stamp   int  // where the document begins in a value
	entries bool // the documents are the oplog's entries
}

// Docs returns a walk over the documents whose key of _id lies in the range. It sees one moment and pins it until Close.
func (r reader) Docs(c *Collection, within Range, reverse bool) (*Docs, error) {
	if c.Oplog {
		return r.oplogDocs(within, reverse)
	}
	it, err := r.db.NewIter(bounds(numberedKey(kindDocument, c.ID), within))
	if err != nil {
		return nil, err
	}
	return &Docs{it: it, reverse: reverse, keyAt: 5, stamp: stampLen}, r.failed.get()
}

func bounds(prefix []byte, r Range) *pebble.IterOptions {
	o := &pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)}
	if r.From != nil {
		o.LowerBound = append(append([]byte(nil), prefix...), r.From...)
	}
	if r.To != nil {
		o.UpperBound = append(append([]byte(nil), prefix...), r.To...)
	}
	return o
}

// step moves an iterator on in its direction.
func step(it iterator, started *bool, reverse bool) bool {
	first := !*started
	*started = true
	switch {
	case first && reverse:
		return it.Last()
	case first:
		return it.First()
	case reverse:
		return it.Prev()
	}
	return it.Next()
}

// Next moves to the next document.
func (d *Docs) Next() bool {
	if d.err != nil || !step(d.it, &d.started, d.reverse) {
		return false
	}
	value, err := d.it.ValueAndErr()
	if err != nil {
		d.err = err
		return false
	}
	d.doc = value[d.stamp:]
	if d.entries {
		d.doc = oplog.Shown(nil, d.doc)
	}
	return true
}

// Doc returns the current document, valid until the next call of Next or Close.
func (d *Docs) Doc() bsonraw.Doc { return d.doc }

// IDKey returns the key of the current document's _id, valid as long.
func (d *Docs) IDKey() []byte { return d.it.Key()[d.keyAt:] }

// Close ends the walk and returns what went wrong in it.
func (d *Docs) Close() error { return errors.Join(d.err, d.it.Error(), d.it.Close()) }

// Entries walks the entries of an index in its order.
type Entries struct {
	it      iterator
	reverse bool
	started bool
	values  []byte
	idKey   []byte
	err     error
}

// Entries returns a walk over the entries whose values lie in the range. It sees one moment and pins it until Close.
func (r reader) Entries(x *Index, within Range, reverse bool) (*Entries, error) {
	it, err := r.db.NewIter(bounds(numberedKey(kindIndex, x.ID), within))
	if err != nil {
		return nil, err
	}
	return &Entries{it: it, reverse: reverse}, r.failed.get()
}

// Next moves to the next entry.
func (e *Entries) Next() bool {
	if e.err != nil || !step(e.it, &e.started, e.reverse) {
		return false
	}
	value, err := e.it.ValueAndErr()
	if err != nil {
		e.err = err
		return false
	}
	e.values, e.idKey = splitEntry(e.it.Key(), value)
	return true
}

// IDKey returns the key of _id of the current entry, valid until the next call of Next or Close.
func (e *Entries) IDKey() []byte { return e.idKey }

// Key returns the current entry's whole key within the index, values and _id, valid as long. As the From of a range it goes on
// from here.
func (e *Entries) Key() []byte { return e.it.Key()[5:] }

// Close ends the walk and returns what went wrong in it.
func (e *Entries) Close() error { return errors.Join(e.err, e.it.Error(), e.it.Close()) }
