package store

import (
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// TxnID names a transaction to the oplog and to whoever asks later whether it was committed.
type TxnID struct {
	LSID    bsonraw.Doc // as the oplog has it
	Session []byte      // key of the session's retry records
	Number  int64
}

// CommittedTxn is the statement number of the retry record by which a committed transaction is known.
const CommittedTxn = -1

// Commit makes everything that the transaction has written one commit, and ends it. A transaction that wrote nothing gives a
// zero Commit. The caller waits for it, as after [Write.Awaited]. When somebody else has created a collection that it created too, the error is a WriteConflict.
func (t *Txn) Commit(id TxnID) (Commit, error) {
	defer t.release()
	if len(t.ops) == 0 {
		return Commit{}, nil
	}
	s := t.store
	w := s.NewWrite()
	w.Awaited = true
	t.logParts(w, id)
	if err := t.writeItems(w); err != nil {
		w.Discard()
		return Commit{}, err
	}
	t.writeImages(w)
	w.Retryable(id.Session, RetryRecord{TxnNumber: id.Number, StmtID: CommittedTxn, Count: 1, Result: bsonraw.Empty})
	w.counts = append(w.counts, t.counts...)
	if len(t.created) == 0 {
		return w.Commit()
	}
	return t.commitCreated(w)
}

// commitCreated commits a transaction that has created collections, as a change of the schema.
func (t *Txn) commitCreated(w *Write) (Commit, error) {
	t.store.ddl.Lock()
	ch := &Change{Write: w}
	for ns, c := range t.created {
		if t.store.Catalog().byNS[ns] != nil {
			ch.Discard()
			return Commit{}, errWriteConflict
		}
		ch.set = append(ch.set, c)
	}
	return ch.Commit()
}

// maxPartBytes is how large the array of operations in one oplog entry may be, as in MongoDB, so that the entry can be sent as a document.
// One operation may be larger.
const maxPartBytes = bsonraw.MaxDocumentSize

// logParts logs the operations: in one entry, or in several when they are too large for one.
func (t *Txn) logParts(w *Write, id TxnID) {
	parts := t.parts()
	first := 0
	wall := time.Now().UnixMilli()
	for i, n := range parts {
		ops := t.ops[first : first+n]
		last := i == len(parts)-1
		size := 0
		for _, op := range ops {
			size += len(op) + elementOverhead
		}
		o, at := bsonraw.BeginDoc(make([]byte, 0, size+applyOpsOverhead))
		o = bsonraw.AppendHeader(o, bsonraw.TypeArray, "applyOps")
		list := bsonraw.BeginArray(o)
		for _, op := range ops {
			list.AppendDoc(op)
		}
		o = list.End()
		switch {
		case !last:
			o = bsonraw.AppendBool(o, "partialTxn", true)
		case i > 0:
			o = bsonraw.AppendInt64(o, "count", int64(len(t.ops)))
		}
		w.Log(&oplog.Entry{
			Op: oplog.Command, NS: []byte("admin.$cmd"), O: bsonraw.EndDoc(o, at), LSID: id.LSID, TxnNumber: id.Number, Wall: wall,
			Part: oplog.Part{In: true, Number: int32(i), FirstOp: int32(first), Left: int32(len(parts) - 1 - i)},
		})
		first += n
	}
}

// What applyOps needs about its operations, and about each of them: the type and the end of a name, and some digits.
const (
	applyOpsOverhead = 64
	elementOverhead  = 8
)

// parts divides the operations: how many go into each entry.
func (t *Txn) parts() []int {
	const empty, element = 5, 1 + 1 // an array without elements; an element's type and the end of its name
	var parts []int
	n, size := 0, empty
	for _, op := range t.ops {
		needed := element + digits(n) + len(op)
		if n > 0 && size+needed > maxPartBytes {
			parts = append(parts, n)
			n, size, needed = 0, empty, element+digits(0)+len(op)
		}
		n++
		size += needed
	}
	return append(parts, n)
}

// digits is the length of a number's decimal form.
func digits(n int) int {
	l := 1
	for ; n >= 10; n /= 10 {
		l++
	}
	return l
}

// writeItems adds the keys to the batch. Documents get the timestamp of the last entry.
func (t *Txn) writeItems(w *Write) (err error) {
	t.overlay.tree.Scan(func(item overlaid) bool {
		switch {
		case item.deleted:
			err = w.delete(item.key)
		case item.key[0] == kindDocument:
			op := w.batch.SetDeferred(len(item.key), len(item.value))
			copy(op.Key, item.key)
			copy(op.Value, item.value)
			w.finish(op)
			w.patches = append(w.patches, patch{w.batch.Len() - len(item.value), len(w.records) - 1, false})
			if !item.fresh {
				w.rows.add(w.batch, item.key, len(item.value))
			}
		default:
			err = w.batch.Set(item.key, item.value, nil)
		}
		return err == nil
	})
	return err
}

func (t *Txn) writeImages(w *Write) {
	for _, m := range t.images {
		w.image(m.doc, m.op)
	}
}
