package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// fsync {fsync: 1} returns when everything written is durable. lock is not supported. Other arguments are accepted and not used.
func fsync(op *operation) error {
	if op.body.Lookup("lock").Truthy() {
		return argument{op, "lock", op.body.Lookup("lock")}.unsupported()
	}
	if err := op.server.store.WaitDurable(op.ctx, op.server.store.Applied()); err != nil {
		return err
	}
	op.out = bsonraw.AppendInt32(op.out, "numFiles", 1)
	return nil
}

// fsyncUnlock {fsyncUnlock: 1} ends a lock, which fsync never takes. mongod has no code for that.
func fsyncUnlock(*operation) error {
	return mongoerr.New(mongoerr.OK, "fsyncUnlock called when not locked")
}
