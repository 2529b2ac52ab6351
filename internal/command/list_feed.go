package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
)

// listFeed gives documents that were made beforehand, as the commands that list the schema do.
type listFeed struct{ docs []bsonraw.Doc }

func (f *listFeed) fill(_ *operation, batch *bsonraw.ArrayBuilder, limit batchLimit) (bool, error) {
	for len(f.docs) > 0 {
		if limit.docs >= 0 && batch.Len() >= limit.docs || batch.Len() > 0 && batch.Size()+len(f.docs[0]) > limit.bytes {
			return false, nil
		}
		batch.AppendDoc(f.docs[0])
		f.docs = f.docs[1:]
	}
	return true, nil
}

func (f *listFeed) close() { f.docs = nil }

// openListing opens a cursor over documents that were made beforehand. The batch comes last in it: with listings mongod has this
// order, and the other one with queries.
func openListing(op *operation, ns string, docs []bsonraw.Doc, limit batchLimit) error {
	c := &cursor{ns: ns, feed: &listFeed{docs}}
	if op.lsid != nil {
		c.session = op.sessionKey
	}
	batch := bsonraw.BeginArray(nil)
	done, err := c.feed.fill(op, &batch, limit)
	if err != nil {
		return err
	}
	if !done {
		if err := op.server.cursors.add(c); err != nil {
			return err
		}
	}
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "cursor")
	op.out = bsonraw.AppendInt64(op.out, "id", c.id)
	op.out = bsonraw.AppendString(op.out, "ns", c.ns)
	op.out = bsonraw.AppendArray(op.out, "firstBatch", batch.End())
	op.out = bsonraw.EndDoc(op.out, at)
	return nil
}

// listBatch reads the cursor argument of a listing: {batchSize}. Without a size the first batch takes all that fits.
func (a argument) listBatch(to *batchLimit) error {
	var cursor bsonraw.Doc
	if err := a.doc(&cursor); err != nil {
		return err
	}
	once := mqlargument.NewOnce(a.op.cmd.name+"."+a.name, cursor)
	for it := cursor.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		if string(it.Key()) != "batchSize" {
			return argument{a.op, a.name + "." + string(it.Key()), it.Value()}.unknown()
		}
		var n int64
		if isNullish(it.Value()) {
			continue
		}
		if err := (argument{a.op, "batchSize", it.Value()}).count(&n); err != nil {
			return err
		}
		to.docs = int(min(n, maxListBatch))
	}
	return nil
}

// maxListBatch is more than any listing has.
const maxListBatch = 1 << 30

// wholeList is the limit of a listing's first batch when the client does not say.
var wholeList = batchLimit{docs: maxListBatch, bytes: maxBatchBytes}
