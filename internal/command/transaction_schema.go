package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// lockedInTransaction is lockedAlone for a transaction, which changes only what nobody else sees.
func lockedInTransaction(op *operation, name string) (c *store.Collection, unlock func(), err error) {
	c, err = op.transaction.data.Collection(op.ctx, op.db, name)
	return c, func() {}, err
}

// checkIndexable refuses new indexes in a transaction but on a collection that it has created and not filled yet.
func checkIndexable(op *operation, c *store.Collection) error {
	if op.transaction == nil {
		return nil
	}
	if !op.transaction.data.IsNew(c) {
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction,
			"Cannot create new indexes on existing collection %s in a multi-document transaction.", c.NS())
	}
	n, err := op.target.Count(op.ctx, c)
	if err == nil && n > 0 {
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction,
			"Cannot create new indexes on non-empty collection %s in a multi-document transaction.", c.NS())
	}
	return err
}

// checkStagesInTransaction refuses pipelines that tell about the server, before anything else in them is looked at. Compiling the
// pipeline refuses further stages.
func checkStagesInTransaction(op *operation, pipeline bsonraw.Doc) error {
	if op.transaction == nil {
		return nil
	}
	for it := pipeline.Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			continue
		}
		stage := it.Value().Doc().Iter()
		if !stage.Next() {
			continue
		}
		switch name := string(stage.Key()); name {
		case "$changeStream", "$currentOp", "$listLocalSessions", "$planCacheStats":
			return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Operation not permitted in transaction :: caused by :: "+
				"Aggregation stage %s cannot run within a multi-document transaction.", name)
		}
	}
	return nil
}
