package command

import (
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// commitTransaction {commitTransaction: 1} makes the writes of a transaction one commit. Sent again it answers again. commitTimestamp,
// which prepared transactions have, is refused.
func commitTransaction(op *operation) error {
	if err := endOfTransaction(op); err != nil {
		return err
	}
	op.wrote.awaited = true
	commit, again, err := op.transaction.commit(&op.server.transactions, store.TxnID{
		LSID: loggedLSID(op.lsid), Session: []byte(op.sessionKey), Number: op.txnNumber,
	})
	if err != nil {
		return err
	}
	if again {
		return op.acknowledge(store.Commit{})
	}
	return op.acknowledge(commit)
}

// abortTransaction {abortTransaction: 1} drops the writes of a transaction.
func abortTransaction(op *operation) error {
	if err := endOfTransaction(op); err != nil {
		return err
	}
	op.transaction.abort(&op.server.transactions)
	return op.acknowledge(store.Commit{})
}

// endOfTransaction reads the arguments of a command that ends a transaction.
func endOfTransaction(op *operation) error {
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case op.cmd.name, "recoveryToken":
			return nil
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	if op.transaction == nil {
		return mongoerr.New(mongoerr.CommandFailed, "%s must be run within a transaction", op.cmd.name)
	}
	return nil
}
