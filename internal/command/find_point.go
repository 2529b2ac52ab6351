package command

import (
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// finder is the memory of a find that asks for one document by its _id, used again by later ones.
type finder struct {
	args     findArgs
	key, doc []byte
}

var finders = sync.Pool{New: func() any { return new(finder) }}

func (f *finder) release() {
	f.args = findArgs{}
	f.doc = smallScratch(f.doc)
	finders.Put(f)
}

// pointOf returns the _id that a filter asks for, {_id: <value>}, where its type is such that equal values have equal keys, and no others
// have; a missing value for any other filter.
func pointOf(filter bsonraw.Doc) bsonraw.Value {
	it := filter.Iter()
	if !it.Next() || string(it.Key()) != "_id" {
		return bsonraw.Value{}
	}
	id := it.Value()
	if it.Next() {
		return bsonraw.Value{}
	}
	switch id.Type {
	case bsonraw.TypeObjectID, bsonraw.TypeString, bsonraw.TypeInt32, bsonraw.TypeInt64, bsonraw.TypeBinary, bsonraw.TypeDate, bsonraw.TypeBool:
		return id
	}
	return bsonraw.Value{}
}

// mayAskForPoint reports whether it looks as if a find asks for one document by its _id: its arguments have not been read.
func mayAskForPoint(body bsonraw.Doc) bool {
	filter := body.Lookup("filter")
	return filter.Type == bsonraw.TypeDocument && !pointOf(filter.Doc()).IsMissing()
}

// findPoint answers a find of the one document with an _id, for which no plan, pipeline or cursor is made. ok is false where more is asked
// than that, or the collection is one that has more to it: nothing has been done then.
func findPoint(op *operation) (ok bool, err error) {
	f := finders.Get().(*finder)
	defer f.release()
	if err := f.args.read(op); err != nil {
		return true, err
	}
	id := pointOf(f.args.filter)
	if id.IsMissing() || !f.args.isPoint() || op.transaction == nil && op.readConcern.level == "snapshot" || isView(op, f.args.coll) {
		return false, nil
	}
	if err := op.prepareRead(); err != nil {
		return true, err
	}
	c, err := op.collection(f.args.coll)
	if err != nil {
		return true, err
	}
	if c == nil || !hasPoint(c, id) || f.args.isMore(op, c) {
		return false, nil
	}
	if err := checkUUID(op, op.db, f.args.coll, c); err != nil {
		return true, err
	}
	c.Indexes[0].Uses.Add(1)
	f.key = c.AppendIDKey(f.key[:0], id)
	doc, _, found, err := op.view.Get(f.doc[:0], c, f.key)
	if err != nil {
		return true, readError(op, err)
	}
	at, batch := op.beginCursor("firstBatch")
	if found {
		f.doc = doc
		batch.AppendDoc(doc)
	}
	op.out = bsonraw.AppendInt64(batch.End(), "id", 0)
	f.key = append(append(append(f.key[:0], op.db...), '.'), f.args.coll...)
	op.out = bsonraw.EndDoc(bsonraw.AppendString(op.out, "ns", f.key), at)
	return true, nil
}

// isPoint reports whether a find wants nothing but the document that its filter finds, and all of that in its first batch.
func (f *findArgs) isPoint() bool {
	if !f.sort.IsEmpty() || !f.projection.IsEmpty() || f.let != nil || !f.hint.IsMissing() || f.collation.given || f.skip != 0 ||
		f.tailable || f.min != nil || f.max != nil || f.returnKey || f.recordID {
		return false
	}
	return f.batchSize != 0
}

// isMore reports whether there is more to the find because of what the collection is: of a clustered one the cursor stays open behind a
// batch that is full, and a capped one has no snapshots.
func (f *findArgs) isMore(op *operation, c *store.Collection) bool {
	return f.batchSize == 1 && c.Indexes[0].Clustered || c.Cap != nil && wantsSnapshot(op)
}

// hasPoint reports whether a collection has at most one document with an _id, which its key finds.
func hasPoint(c *store.Collection, id bsonraw.Value) bool {
	if c.Oplog || c.Series != nil {
		return false
	}
	return plan.RulesOf(c.Indexes[0]).Collation == nil || !collation.HoldsText(id)
}
