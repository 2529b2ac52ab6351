package store

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// txnWrite collects what one Write of a transaction changes, until its Commit adds it to the transaction.
type txnWrite struct {
	txn    *Txn
	items  []overlaid
	ops    [][]byte
	images []txnImage
	bytes  int
}

// clear keeps the memory for the next write.
func (w *txnWrite) clear() {
	clear(w.items)
	clear(w.ops)
	clear(w.images)
	*w = txnWrite{items: w.items[:0], ops: w.ops[:0], images: w.images[:0]}
}

// itemOverhead is about what a key takes in memory beside its bytes.
const itemOverhead = 96

func (w *txnWrite) add(item overlaid) {
	w.items = append(w.items, item)
	w.bytes += len(item.key) + len(item.value) + itemOverhead
}

// put stores a document, which is a new one where fresh. Its timestamp follows when the transaction is committed.
func (w *txnWrite) put(c *Collection, idKey []byte, doc bsonraw.Doc, fresh bool) {
	const prefix = 1 + 4
	both := make([]byte, 0, prefix+len(idKey)+stampLen+len(doc))
	both = append(appendNumbered(both, kindDocument, c.ID), idKey...)
	valueAt := len(both)
	both = append(both[:valueAt+stampLen], doc...)
	key := both[:valueAt:valueAt]
	c.recent.add(key, w.txn.store.reader.db)
	w.add(overlaid{key: key, value: both[valueAt:], fresh: fresh})
}

func (w *txnWrite) set(key, value []byte) {
	w.add(overlaid{key: bytes.Clone(key), value: bytes.Clone(value)})
}

func (w *txnWrite) delete(key []byte) { w.add(overlaid{key: bytes.Clone(key), deleted: true}) }

// log encodes an operation as an element of applyOps.
func (w *txnWrite) log(e *oplog.Entry) {
	op, at := bsonraw.BeginDoc(make([]byte, 0, 64+len(e.NS)+len(e.O)+len(e.O2)))
	op = bsonraw.AppendString(op, "op", []byte{byte(e.Op)})
	op = bsonraw.AppendString(op, "ns", e.NS)
	if e.HasUUID {
		op = bsonraw.AppendBinary(op, "ui", bsonraw.SubtypeUUID, e.UUID[:])
	}
	op = bsonraw.AppendDoc(op, "o", e.O)
	if e.O2 != nil {
		op = bsonraw.AppendDoc(op, "o2", e.O2)
	}
	op = bsonraw.EndDoc(op, at)
	w.ops = append(w.ops, op)
	w.bytes += len(op)
}

// image keeps a document as it was before the operation that was logged last.
func (w *txnWrite) image(old bsonraw.Doc) {
	w.images = append(w.images, txnImage{op: int32(len(w.ops) - 1), doc: old.Clone()})
	w.bytes += len(old)
}

// finish adds the write to the transaction.
func (w *txnWrite) finish(counts []countChange) error {
	t := w.txn
	if t.bytes+w.bytes > maxTxnBytes {
		return errTxnTooLarge
	}
	t.bytes += w.bytes
	for _, item := range w.items {
		if before, ok := t.overlay.tree.Set(item); ok && item.fresh && !before.fresh { // it was deleted by the transaction
			item.fresh = false
			t.overlay.tree.Set(item)
		}
	}
	for _, m := range w.images {
		m.op += int32(len(t.ops))
		t.images = append(t.images, m)
	}
	t.ops = append(t.ops, w.ops...)
	t.counts = append(t.counts, counts...)
	return nil
}
