package changestream

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// operation is what an oplog entry, or one operation of a transaction's entry, says about itself.
type operation struct {
	op      oplog.Op
	ns      []byte // "db.collection", for commands "db.$cmd"
	uuid    [16]byte
	hasUUID bool
	o, o2   bsonraw.Doc
}

// change is one event before it is encoded: views of the entry, and of the renderer for what an entry does not hold as such.
type change struct {
	kind       kind
	invalidate bool // the event is the invalidation that kind causes

	ts   oplog.Timestamp
	wall int64

	db, coll []byte // coll is nil for a database's event
	// The collection's UUID belongs to the token; events of views do not show theirs.
	uuid     [16]byte
	hasUUID  bool
	hideUUID bool
	view     bool

	index     int32       // of the operation in its transaction
	lsid      bsonraw.Doc // of the transaction; nil outside of one
	txnNumber int64

	key, full    bsonraw.Doc // documentKey, fullDocument; nil when absent
	update, diff bsonraw.Doc // of an update: what the entry recorded, and the diff within
	to           []byte      // the new namespace of a rename
	description  bsonraw.Doc // operationDescription; nil when absent
	before       bsonraw.Doc // stateBeforeChange; nil when absent
}

// viewsCollection is where a database's views are kept: writes to it are the views' events.
const viewsCollection = "system.views"

func isViews(coll []byte) bool { return string(coll) == viewsCollection }

// read takes from an operation what its event says. ok is false when it is no event of any stream. What an operation does not
// hold as such is built in scratch, which is returned.
func (c *change) read(op *operation, scratch []byte) (ok bool, out []byte) {
	c.db, c.coll = oplog.SplitNS(op.ns)
	c.uuid, c.hasUUID = op.uuid, op.hasUUID
	if op.op == oplog.Command {
		return c.readCommand(op, scratch)
	}
	if isViews(c.coll) {
		return c.readView(op, scratch)
	}
	switch op.op {
	case oplog.Insert:
		c.kind, c.full, c.key = kindInsert, op.o, op.o2
		if c.key == nil {
			return c.keyOf(op.o, scratch)
		}
	case oplog.Update:
		c.key = op.o2
		if diff, isDiff := oplog.EntryDiff(op.o); isDiff {
			c.kind, c.update, c.diff = kindUpdate, op.o, diff
		} else {
			c.kind, c.full = kindReplace, op.o
		}
	case oplog.Delete:
		c.kind, c.key = kindDelete, op.o
	default:
		return false, scratch
	}
	return c.key != nil, scratch
}

// keyOf builds the key of a document whose entry does not have it.
func (c *change) keyOf(doc bsonraw.Doc, scratch []byte) (bool, []byte) {
	begin := len(scratch)
	scratch, at := bsonraw.BeginDoc(scratch)
	scratch = bsonraw.AppendValue(scratch, "_id", doc.Lookup("_id"))
	scratch = bsonraw.EndDoc(scratch, at)
	c.key = scratch[begin:]
	return true, scratch
}

// readView makes a view's event of a write to the collection in which views are kept.
func (c *change) readView(op *operation, scratch []byte) (bool, []byte) {
	c.view, c.hideUUID = true, true
	id := op.o.Lookup("_id")
	switch op.op {
	case oplog.Insert:
		c.kind = kindCreate
	case oplog.Update:
		c.kind = kindModify
		id = op.o2.Lookup("_id")
	case oplog.Delete:
		c.kind = kindDrop
	default:
		return false, scratch
	}
	if id.Type != bsonraw.TypeString {
		return false, scratch
	}
	c.db, c.coll = oplog.SplitNS(id.Bytes())
	if c.kind != kindDrop {
		c.description, scratch = withoutField(scratch, op.o, "_id")
	}
	return true, scratch
}

// withoutField builds a copy of a document without one of its fields.
func withoutField(scratch []byte, doc bsonraw.Doc, field string) (bsonraw.Doc, []byte) {
	begin := len(scratch)
	scratch, at := bsonraw.BeginDoc(scratch)
	for it := doc.Iter(); it.Next(); {
		if string(it.Key()) != field {
			scratch = append(scratch, it.Elem()...)
		}
	}
	scratch = bsonraw.EndDoc(scratch, at)
	return bsonraw.Doc(scratch[begin:]), scratch
}
