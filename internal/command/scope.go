package command

import (
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// scope makes what expressions of the command may name: $$NOW, $$CLUSTER_TIME and the variables of its let argument.
func (op *operation) scope(let bsonraw.Doc) (*expression.Scope, error) {
	s := expression.NewScope(time.Now(), uint64(op.server.store.Applied()))
	if let == nil {
		return s, nil
	}
	return s.WithLet(let)
}
