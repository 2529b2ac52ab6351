package command

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// copying makes a new collection with the documents of another, in commits of its own: its creation, then the documents in
// groups. Both stay locked until it is over. When it fails, the new collection is dropped.
type copying struct {
	op       *operation
	from     *store.Collection // its lock is held exclusively
	db, name string
	options  bsonraw.Doc
	indexes  bool  // those of from are made too
	hidden   bool  // change streams do not tell of the documents
	excess   int64 // about how many bytes of the first documents are left out
}

// run copies. The new collection's lock is held exclusively until unlock.
func (c *copying) run() (made *store.Collection, unlock func(), err error) {
	ch, made, err := c.prepare()
	if err != nil {
		return nil, nil, err
	}
	// Before anybody else can find it. It is newer than every other collection, so its lock comes last.
	if unlock, err = lockAlone(c.op.ctx, made); err != nil {
		ch.Discard()
		return nil, nil, err
	}
	if _, err = ch.Commit(); err != nil {
		unlock()
		return nil, nil, err
	}
	if err = c.documents(made); err != nil {
		err = errors.Join(err, c.drop(made))
		unlock()
		return nil, nil, err
	}
	return made, unlock, nil
}

// create creates the collection with its indexes in one commit.
func (c *copying) create() (*store.Collection, error) {
	ch, made, err := c.prepare()
	if err != nil {
		return nil, err
	}
	_, err = ch.Commit()
	return made, err
}

// prepare makes the collection with its indexes, which comes into being with the change.
func (c *copying) prepare() (*store.Change, *store.Collection, error) {
	st := c.op.server.store
	ch := st.Change()
	made, err := addCollection(st, ch, c.db, c.name, newCollection{options: c.options, idIndex: c.from.Indexes[0].Spec})
	if err == nil && c.indexes {
		err = c.addIndexes(ch, made)
	}
	if err == nil {
		err = ch.Put(made)
	}
	if err != nil {
		ch.Discard()
		return nil, nil, err
	}
	return ch, made, nil
}

func (c *copying) addIndexes(ch *store.Change, made *store.Collection) error {
	for _, x := range c.from.Indexes[1:] {
		again, err := ch.NewIndex(x.Spec)
		if err != nil {
			return err
		}
		made.Indexes = append(made.Indexes, again)
	}
	logIndexes(ch, made, made.Indexes[1:], newUUID(), false)
	return nil
}

// documents copies the documents in their natural order.
func (c *copying) documents(to *store.Collection) (err error) {
	every, err := filter.Compile(bsonraw.Empty, filter.Options{})
	if err != nil {
		return err
	}
	walk := plan.Choose(c.from, plan.Query{Filter: every, Hint: plan.Hint{Natural: 1}}).Open(c.op.server.store)
	defer func() { err = errors.Join(err, walk.Close()) }()
	w := newWriter(c.op)
	tx, docs, size := c.op.server.store.NewWrite(), 0, 0
	for {
		doc, err := walk.Next(c.op.ctx)
		if errors.Is(err, io.EOF) {
			_, err = tx.Commit()
			return err
		}
		if err == nil && c.excess > 0 {
			c.excess -= excessWeight * int64(len(doc))
			continue
		}
		if err == nil {
			e := w.entry(oplog.Insert, to, doc, doc.Lookup("_id"), 0)
			e.FromMigrate = c.hidden
			err = tx.Insert(to, walk.IDKey(), to.Indexed(doc), e)
		}
		if err != nil {
			tx.Discard()
			return readError(c.op, err)
		}
		// What is pushed out of a capped collection must be in the store.
		docs++
		size += len(doc)
		if docs == groupDocs || size > groupBytes || to.Cap != nil {
			if _, err := tx.Commit(); err != nil {
				return err
			}
			tx, docs, size = c.op.server.store.NewWrite(), 0, 0
		}
	}
}

// excessWeight is how much a document that is left out counts: mongod leaves out too few rather than too many.
const excessWeight = 4

// drop drops the new collection.
func (c *copying) drop(made *store.Collection) error {
	st := c.op.server.store
	n, err := st.Count(context.WithoutCancel(c.op.ctx), made)
	if err != nil {
		return err
	}
	ch := st.Change()
	if err := logDrop(ch, made, n); err != nil {
		ch.Discard()
		return err
	}
	_, err = ch.Commit()
	return err
}

// moveInto gives the new collection the name of another, which is dropped if it is there, within a change. Both are locked.
func moveInto(op *operation, ch *store.Change, made, target *store.Collection, name string, stayTemp bool) error {
	r := rename{from: made.NS(), to: made.DB + "." + name, db: made.DB, source: made.Name, toDB: made.DB, target: name, stayTemp: stayTemp}
	return r.fill(op, ch, made, target)
}

// temporaryName makes a name for a collection that is on its way to another: "tmp", five random letters or digits, and the rest.
func temporaryName(db, rest string) string {
	name := "tmp" + strings.ToLower(rand.Text()[:5]) + "." + rest
	return name[:min(len(name), maxNamespace-len(db)-1)]
}
