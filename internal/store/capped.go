package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// A capped collection keeps the order in which its documents were inserted, beside the documents, which are stored by _id as in
// every collection: its Order has an entry for each, whose value is the timestamp of the insert. Timestamps are given out under
// the commit lock, so whoever follows the order never finds one before the place where it is. What is oldest goes when the
// collection is full, in the commit of the insert. Those who write to the collection do it one after the other.

// Cap bounds a capped collection.
type Cap struct {
	Size int64 // bytes of documents
	Max  int64 // documents; 0: any number
}

// exceeds reports whether so many documents of so many bytes are too many.
func (l *Cap) exceeds(s Stats) bool { return s.Bytes > l.Size || l.Max > 0 && s.Docs > l.Max }

// parseCap reads the bounds out of a collection's options; nil when it is not capped.
func parseCap(options bsonraw.Doc) *Cap {
	if !options.Lookup("capped").Truthy() {
		return nil
	}
	l := &Cap{}
	l.Size, _ = options.Lookup("size").AsInt64()
	l.Max, _ = options.Lookup("max").AsInt64()
	l.Max = max(l.Max, 0)
	return l
}

// naturalOrder is the name of the order of insertion, as hints and sorts spell it.
const naturalOrder = "$natural"

// NewOrder makes the order of insertion of a capped collection that nobody else knows yet.
func NewOrder(id uint32) *Index { return &Index{ID: id, Name: naturalOrder} }

// enlist adds the document that was logged last to the order of insertion, and deletes the oldest ones if the collection is
// too full now. A document by itself may be larger than the collection should be.
func (w *Write) enlist(c *Collection, idKey []byte, size int) error {
	op := w.batch.SetDeferred(5+8+len(idKey), 4)
	op.Key[0] = kindIndex
	binary.BigEndian.PutUint32(op.Key[1:], c.Order.ID)
	copy(op.Key[5+8:], idKey)
	binary.BigEndian.PutUint32(op.Value, uint32(len(idKey)))
	w.finish(op)
	keyAt := w.batch.Len() - 4 - 1 - len(op.Key)
	place := w.batch.SetDeferred(5+len(idKey), 8)
	place.Key[0] = kindPlace
	binary.BigEndian.PutUint32(place.Key[1:], c.ID)
	copy(place.Key[5:], idKey)
	w.finish(place)
	entry := len(w.records) - 1
	w.patches = append(w.patches, patch{keyAt + 5, entry, false}, patch{w.batch.Len() - 8, entry, false})

	full, err := w.store.Stats(context.Background(), c)
	if err != nil {
		return err
	}
	full.Docs++
	full.Bytes += int64(size)
	if !c.Cap.exceeds(full) {
		return nil
	}
	return w.evict(c, full)
}

// evict deletes documents from the oldest on until the rest is within the bounds. Full is what there is with the document that
// is being inserted, which is not in the store yet and therefore stays.
func (w *Write) evict(c *Collection, full Stats) error {
	// What was evicted before leaves tombstones: the walk begins behind them.
	oldest := binary.BigEndian.AppendUint64(nil, c.oldest.Load())
	entries, err := w.store.Entries(c.Order, Range{From: oldest}, false)
	if err != nil {
		return err
	}
	for first := true; c.Cap.exceeds(full) && entries.Next(); first = false {
		if first {
			c.oldest.Store(binary.BigEndian.Uint64(entries.values))
		}
		doc, _, ok, err := w.store.GetOnce(nil, c, entries.IDKey())
		if err == nil && !ok {
			err = fmt.Errorf("%s: the order of insertion has an entry without a document", c.NS())
		}
		if err == nil {
			err = w.deleteOldest(c, entries.IDKey(), doc)
		}
		if err != nil {
			return errors.Join(err, entries.Close())
		}
		full.Docs--
		full.Bytes -= int64(len(doc))
	}
	return entries.Close()
}

func (w *Write) deleteOldest(c *Collection, idKey []byte, doc bsonraw.Doc) error {
	key, at := bsonraw.BeginDoc(nil)
	key = bsonraw.EndDoc(bsonraw.AppendValue(key, "_id", doc.Lookup("_id")), at)
	return w.Delete(c, idKey, doc, &oplog.Entry{Op: oplog.Delete, NS: []byte(c.NS()), UUID: c.UUID, HasUUID: true, O: key})
}

// delist takes a document out of the order of insertion.
func (w *Write) delist(c *Collection, idKey []byte) error {
	place := append(numberedKey(kindPlace, c.ID), idKey...)
	value, closer, err := w.store.db.Get(place)
	if errors.Is(err, pebble.ErrNotFound) {
		return fmt.Errorf("%s: a document is missing in the order of insertion", c.NS())
	}
	if err != nil {
		return err
	}
	key := c.Order.entryKey(nil, bytes.Clone(value), idKey)
	if err := closer.Close(); err != nil {
		return err
	}
	if err := w.batch.Delete(key, nil); err != nil {
		return err
	}
	return w.batch.Delete(place, nil)
}
