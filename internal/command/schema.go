package command

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// A change of the schema first takes the locks of the collections that exist, exclusively, and then begins a store.Change. What
// it looked up before may be gone by then: it looks again and starts over.

// lockAlone takes the locks of collections exclusively. Their ids are the order: names may be exchanged meanwhile.
func lockAlone(ctx context.Context, collections ...*store.Collection) (unlock func(), err error) {
	list := slices.DeleteFunc(slices.Clone(collections), func(c *store.Collection) bool { return c == nil })
	slices.SortFunc(list, func(a, b *store.Collection) int { return int(int64(a.ID) - int64(b.ID)) })
	for i, c := range list {
		if err := c.Lock.Lock(ctx); err != nil {
			unlockAlone(list[:i])
			return nil, err
		}
	}
	return func() { unlockAlone(list) }, nil
}

func unlockAlone(list []*store.Collection) {
	for _, c := range list {
		c.Lock.Unlock()
	}
}

// lockedAlone looks a collection up and takes its lock exclusively; unlock gives it back. It is nil when there is none.
func lockedAlone(op *operation, name string) (c *store.Collection, unlock func(), err error) {
	op.writeConcern.due = true
	for {
		c = op.server.store.Catalog().Collection(op.db, name)
		if c == nil {
			return nil, func() {}, checkTarget(op, name, nil)
		}
		if err = checkTarget(op, name, c); err != nil {
			return nil, nil, err
		}
		if unlock, err = lockAlone(op.ctx, c); err != nil {
			return nil, nil, err
		}
		if op.server.store.Catalog().Collection(op.db, name) == c {
			return c, unlock, nil
		}
		unlock()
	}
}

// ensureCollection returns a collection and creates it when there is none, in a commit of its own: its creation comes before
// the first document in the oplog.
func ensureCollection(op *operation, db, name string) (*store.Collection, error) {
	if c := op.target.Catalog().Collection(db, name); c != nil {
		return c, nil
	}
	c, _, err := createCollection(op, db, name, newCollection{idIndex: idIndexSpec})
	return c, err
}

// newCollection is what a collection is created with.
type newCollection struct {
	options bsonraw.Doc // nil: none
	idIndex bsonraw.Doc
}

// createCollection creates a collection, or returns the one that exists already with a zero Commit.
func createCollection(op *operation, db, name string, with newCollection) (*store.Collection, store.Commit, error) {
	st := op.target
	ch := st.Change()
	if c := st.Catalog().Collection(db, name); c != nil {
		ch.Discard()
		if op.transaction != nil {
			return nil, store.Commit{}, mongoerr.New(mongoerr.NamespaceExists, "Collection %s already exists.", c.NS())
		}
		return c, store.Commit{}, nil
	}
	c, err := addCollection(st, ch, db, name, with)
	if err == nil {
		err = ch.Put(c)
	}
	if err != nil {
		ch.Discard()
		return nil, store.Commit{}, err
	}
	commit, err := ch.Commit()
	return c, commit, err
}

// addCollection makes a collection and logs its creation. The caller puts it into the change when it is complete.
func addCollection(st store.Target, ch *store.Change, db, name string, with newCollection) (*store.Collection, error) {
	named := name
	if !with.options.Lookup("timeseries").IsMissing() {
		named = strings.TrimPrefix(name, store.BucketsPrefix)
	}
	if err := checkNewCollection(db, named); err != nil {
		return nil, err
	}
	if err := checkFree(st.Catalog(), db, name); err != nil {
		return nil, err
	}
	for _, have := range st.Catalog().Databases() {
		if have != db && strings.EqualFold(have, db) {
			return nil, differentCase(have, db)
		}
	}
	if with.options == nil {
		with.options = bsonraw.Empty
	}
	idIndex, err := ch.NewIndex(with.idIndex)
	if err != nil {
		return nil, err
	}
	c := &store.Collection{
		ID: ch.NewID(), DB: db, Name: name, UUID: newUUID(),
		Indexes: []*store.Index{idIndex}, Shared: store.NewShared(),
	}
	c.SetOptions(with.options)
	if c.Cap != nil {
		c.Order = store.NewOrder(ch.NewID())
	}
	o, at := bsonraw.BeginDoc(nil)
	o = bsonraw.AppendString(o, "create", name)
	o = append(o, elements(with.options)...)
	if v, _ := with.idIndex.Lookup("v").AsInt64(); !idIndex.Clustered && v >= 2 {
		o = bsonraw.AppendDoc(o, "idIndex", with.idIndex)
	}
	logCommand(ch, c, bsonraw.EndDoc(o, at), nil)
	return c, nil
}

// differentCase is the error of a database whose name is another's but for the case of letters.
func differentCase(have, db string) error {
	return mongoerr.New(mongoerr.DatabaseDifferCase, "db already exists with different case already have: [%s] trying to create [%s]", have, db)
}

// logCommand adds the oplog entry of a change of a collection.
func logCommand(ch *store.Change, c *store.Collection, o, o2 bsonraw.Doc) {
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte(c.DB + ".$cmd"), UUID: c.UUID, HasUUID: true, O: o, O2: o2})
}

// idIndexSpec is the specification of the index that every collection has.
var idIndexSpec = makeIDIndexSpec(2)

func makeIDIndexSpec(version int32) bsonraw.Doc {
	key, at := bsonraw.BeginDoc(nil)
	key = bsonraw.EndDoc(bsonraw.AppendInt32(key, "_id", 1), at)
	spec, at := bsonraw.BeginDoc(nil)
	spec = bsonraw.AppendInt32(spec, "v", version)
	spec = bsonraw.AppendDoc(spec, "key", key)
	spec = bsonraw.AppendString(spec, "name", "_id_")
	return bsonraw.EndDoc(spec, at)
}

// newUUID makes a random UUID.
func newUUID() (uuid [16]byte) {
	_, _ = rand.Read(uuid[:]) // it never fails
	uuid[6] = uuid[6]&0x0f | 0x40
	uuid[8] = uuid[8]&0x3f | 0x80
	return uuid
}

// uuidText renders a UUID as messages do.
func uuidText(uuid [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", uuid[:4], uuid[4:6], uuid[6:8], uuid[8:10], uuid[10:])
}

// numRecords makes {numRecords: n}, by which the oplog tells how many documents went with a collection.
func numRecords(n int64) bsonraw.Doc {
	o2, at := bsonraw.BeginDoc(nil)
	if n == int64(int32(n)) {
		o2 = bsonraw.AppendInt32(o2, "numRecords", int32(n))
	} else {
		o2 = bsonraw.AppendInt64(o2, "numRecords", n)
	}
	return bsonraw.EndDoc(o2, at)
}
