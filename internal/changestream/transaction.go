package changestream

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// transactionOps returns the operations of a transaction's entry.
func transactionOps(e *oplog.Entry) (bsonraw.Doc, bool) {
	it := e.O.Iter()
	if e.LSID == nil || !it.Next() || string(it.Key()) != commandTransaction || it.Value().Type != bsonraw.TypeArray {
		return nil, false
	}
	return it.Value().Doc(), true
}

// transaction passes the events of a transaction. Their index counts all its operations, seen or not.
func (f *filling) transaction(e *oplog.Entry, ops bsonraw.Doc) error {
	s := f.stream
	it := ops.Iter()
	for index, more := int32(0), it.Next(); more; index++ {
		op := it.Value().Doc()
		more = it.Next()
		from := source{entry: e, number: int(index), last: !more}
		c, ok := f.r.readOperation(e, op, index)
		if !ok || !s.showsOperation(c) {
			continue
		}
		if err := f.event(from, c); err != nil || f.full {
			return err
		}
	}
	return nil
}

func (s *Stream) showsOperation(c *change) bool {
	if c.key != nil {
		return s.scope.seesPair(c.db, c.coll)
	}
	return s.shows(c)
}

// readOperation makes the change of one operation of a transaction, valid until the renderer reads again.
func (r *renderer) readOperation(e *oplog.Entry, doc bsonraw.Doc, index int32) (c *change, ok bool) {
	r.op = operation{}
	for it := doc.Iter(); it.Next(); {
		v := it.Value()
		switch string(it.Key()) {
		case "op":
			if b := v.Bytes(); len(b) == 1 {
				r.op.op = oplog.Op(b[0])
			}
		case "ns":
			r.op.ns = v.Bytes()
		case "ui":
			if _, b := v.Binary(); len(b) == len(r.op.uuid) {
				r.op.hasUUID = true
				copy(r.op.uuid[:], b)
			}
		case "o":
			r.op.o = v.Doc()
		case "o2":
			r.op.o2 = v.Doc()
		}
	}
	r.change = change{ts: e.Time(), wall: e.Wall, index: e.Part.FirstOp + index, lsid: e.LSID, txnNumber: e.TxnNumber}
	ok, r.scratch = r.change.read(&r.op, r.scratch[:0])
	return &r.change, ok
}
