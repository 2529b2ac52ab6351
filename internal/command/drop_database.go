package command

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// dropDatabase {dropDatabase: 1} drops a database: its collections one after the other, each in a commit of its own, then the
// database. One that does not exist is no error, and nothing that a stream would show.
func dropDatabase(op *operation) error {
	err := op.arguments(func(name string, a argument) error {
		if name == "dropDatabase" {
			return a.one()
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	switch op.db {
	case "admin":
		return mongoerr.New(mongoerr.IllegalOperation, "Dropping the 'admin' database is prohibited.")
	case "local":
		return mongoerr.New(mongoerr.IllegalOperation, "Cannot drop 'local' database while replication is active")
	}
	for {
		collections := op.server.store.Catalog().Collections(op.db)
		// The views first: none must be left of a collection that is gone.
		slices.SortStableFunc(collections, func(a, b *store.Collection) int {
			return int(b2i(b.Name == store.ViewsCollection) - b2i(a.Name == store.ViewsCollection))
		})
		for _, c := range collections {
			if op.ctx.Err() != nil {
				return contextError(op.ctx)
			}
			if _, _, err := dropCollection(op, c.Name); err != nil {
				return err
			}
		}
		commit, done, err := logDropDatabase(op)
		if err != nil {
			return err
		}
		if done {
			return op.acknowledge(commit)
		}
	}
}

// one accepts the number 1 only.
func (a argument) one() error {
	var n int64
	if err := a.integer(&n); err != nil {
		return err
	}
	if n != 1 {
		return mongoerr.New(5255100, "Have to pass 1 as 'drop' parameter")
	}
	return nil
}

// logDropDatabase ends the drop, unless somebody has created another collection meanwhile.
func logDropDatabase(op *operation) (commit store.Commit, done bool, err error) {
	ch := op.server.store.Change()
	catalog := op.server.store.Catalog()
	if existing := catalog.HasDatabase(op.db); !existing || len(catalog.Collections(op.db)) > 0 {
		ch.Discard()
		return store.Commit{}, !existing, nil
	}
	ch.DropDatabase(op.db)
	o, at := bsonraw.BeginDoc(nil)
	o = bsonraw.EndDoc(bsonraw.AppendInt32(o, "dropDatabase", 1), at)
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte(op.db + ".$cmd"), O: o})
	commit, err = ch.Commit()
	return commit, true, err
}
