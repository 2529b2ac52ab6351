package command

import "github.com/sluicestream/sluice/internal/mongoerr"

// reIndex {reIndex: <collection>} is refused, as by every member of a replica set: indexes are built anew by dropping and creating
// them.
func reIndex(op *operation) error {
	name, err := namedCollection(op)
	if err != nil {
		return err
	}
	return mongoerr.New(mongoerr.IllegalOperation, "reIndex is only allowed on a standalone mongod instance. "+
		"Cannot reIndex '%s.%s' while replication is active", op.db, name)
}
