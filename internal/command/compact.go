package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// compact {compact: <collection>, force: true} rewrites what is stored of a collection, so that what was deleted takes no room any
// more. Reads and writes go on. Other arguments are accepted and not used.
func compact(op *operation) error {
	name, err := namedCollection(op)
	if err != nil {
		return err
	}
	if !op.body.Lookup("force").Truthy() { // mongod has no code for this
		return mongoerr.New(mongoerr.OK, "will not run compact on an active replica set primary as this is a slow blocking operation. use force:true to force")
	}
	st := op.server.store
	c := st.Catalog().Collection(op.db, name)
	switch {
	case st.Catalog().ViewDefinition(op.db, name) != nil:
		return mongoerr.New(mongoerr.CommandNotSupportedOnView, "can't compact a view")
	case c == nil && len(st.Catalog().Collections(op.db)) == 0:
		return mongoerr.New(mongoerr.NamespaceNotFound, "database does not exist")
	case c == nil:
		return mongoerr.New(mongoerr.NamespaceNotFound, "collection does not exist")
	}
	won, err := st.Compact(op.ctx, c)
	if err != nil {
		return readError(op, err)
	}
	op.out = bsonraw.AppendValue(op.out, "bytesFreed", numberValue(won))
	return nil
}
