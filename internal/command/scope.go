package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// scope makes what expressions of the command may name, $$NOW, $$CLUSTER_TIME and the variables of its let argument, and the
// collation that holds: the one given or that of the collection. Without a collection, coll is empty.
func (op *operation) scope(coll string, given collationArgument, let bsonraw.Doc) (*expression.Scope, error) {
	by, err := given.in(op, coll)
	if err != nil {
		return nil, err
	}
	s := expression.NewScope(op.began, uint64(op.server.store.Applied())).WithCollation(by)
	if let == nil {
		return s, nil
	}
	return s.WithLet(op.ctx, let)
}
