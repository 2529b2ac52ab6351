package command

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// drop {drop: <collection>} drops a collection or a view. One that does not exist is no error.
func drop(op *operation) error {
	var coll string
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "drop":
			return formedName(a, &coll)
		case "collectionUUID":
			return parseCollectionUUID(a)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	if of := measurementsNamed(op, coll); of != nil {
		return dropSeries(op, of)
	}
	if op.server.store.Catalog().ViewDefinition(op.db, coll) != nil {
		commit, ok, err := dropView(op, coll)
		if err != nil {
			return err
		}
		if ok {
			op.out = bsonraw.AppendString(op.out, "ns", op.db+"."+coll)
			return op.acknowledge(commit)
		}
	}
	if at := op.server.store.Catalog().Collection(op.db, coll); at != nil && at.Oplog {
		return mongoerr.New(5255000, "can't drop live oplog while replicating")
	}
	if strings.HasPrefix(coll, "system.") && coll != store.ViewsCollection && op.server.store.Catalog().Collection(op.db, coll) != nil {
		return mongoerr.New(mongoerr.IllegalOperation, "can't drop system collection %s.%s", op.db, coll)
	}
	if coll == store.ViewsCollection && hasSeries(op) {
		return mongoerr.New(mongoerr.CommandFailed, "cannot drop collection %s.%s when time-series collections are present.", op.db, coll)
	}
	c, commit, err := dropCollection(op, coll)
	if err != nil {
		return err
	}
	if c != nil {
		op.out = bsonraw.AppendInt32(op.out, "nIndexesWas", int32(c.IndexCount()))
		op.out = bsonraw.AppendString(op.out, "ns", c.NS())
	}
	return op.acknowledge(commit)
}

// dropCollection drops a collection and returns it as it was; nil when there is none.
func dropCollection(op *operation, name string) (*store.Collection, store.Commit, error) {
	c, unlock, err := lockedAlone(op, name)
	if err != nil {
		return nil, store.Commit{}, err
	}
	defer unlock()
	if c == nil {
		return nil, store.Commit{}, nil
	}
	n, err := op.server.store.Count(op.ctx, c)
	if err != nil {
		return nil, store.Commit{}, err
	}
	ch := op.server.store.Change()
	if err := logDrop(ch, c, n); err != nil {
		ch.Discard()
		return nil, store.Commit{}, err
	}
	commit, err := ch.Commit()
	if err == nil {
		op.server.usages.forget(c.NS())
	}
	return c, commit, err
}

// logDrop drops a collection with so many documents in a change that logs it.
func logDrop(ch *store.Change, c *store.Collection, n int64) error {
	o, at := bsonraw.BeginDoc(nil)
	o = bsonraw.EndDoc(bsonraw.AppendString(o, "drop", c.Name), at)
	logCommand(ch, c, o, numRecords(n))
	return ch.Drop(c)
}
