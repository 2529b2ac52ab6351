package command

import (
	"strings"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// txnArguments are the generic arguments of a command in a transaction.
type txnArguments struct {
	in     bool // autocommit: false
	starts bool // startTransaction: true
}

func (g *generic) parseTxnArgument(key string, v bsonraw.Value) error {
	if v.Type != bsonraw.TypeBool {
		return g.wrongType(key, v, "bool")
	}
	switch {
	case key == "autocommit" && v.Bool():
		return mongoerr.New(mongoerr.InvalidOptions, "Specifying autocommit=true is not allowed.")
	case key == "startTransaction" && !v.Bool():
		return mongoerr.New(mongoerr.InvalidOptions, "Specifying startTransaction=false is not allowed.")
	case key == "autocommit":
		g.txn.in = true
	default:
		g.txn.starts = true
	}
	return nil
}

// checkTxnArguments holds the generic arguments of transactions to each other.
func checkTxnArguments(op *operation) error {
	switch {
	case op.txn.starts && !op.txn.in:
		return mongoerr.New(mongoerr.InvalidOptions, "'startTransaction' field requires 'autocommit' field to also be specified")
	case op.txn.in && !op.hasTxnNumber:
		return mongoerr.New(mongoerr.InvalidOptions, "'autocommit' field requires a transaction number to also be specified")
	case op.hasTxnNumber && op.lsid == nil:
		return mongoerr.New(mongoerr.InvalidOptions, "Transaction number requires a session ID to also be specified")
	case !op.txn.in && op.readConcern.level == "snapshot" && !op.cmd.snapshots:
		return mongoerr.New(mongoerr.InvalidOptions, "Command %s does not support { readConcern: { level: \"snapshot\", provenance: \"clientSupplied\" } } "+
			":: caused by :: read concern snapshot not supported", op.cmd.name)
	case !op.txn.in:
		return nil
	case op.db == "config" || op.db == "local":
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot run command against the '%s' database in a transaction.", op.db)
	case !op.cmd.inTxn && op.cmd.name == "count":
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot run 'count' in a multi-document transaction: "+
			"use an aggregate with $count or $group in its place.")
	case !op.cmd.inTxn:
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot run '%s' in a multi-document transaction.", op.cmd.name)
	case op.cmd.endsTxn && op.txn.starts:
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot start a transaction with a %s", strings.TrimSuffix(op.cmd.name, "Transaction"))
	case op.cmd.endsTxn:
		return nil
	case op.writeConcern.present:
		return mongoerr.New(mongoerr.InvalidOptions, "writeConcern is not allowed within a multi-statement transaction")
	case op.readConcern.present && !op.txn.starts:
		return mongoerr.New(mongoerr.InvalidOptions, "Only the first command in a transaction may specify a readConcern")
	}
	switch op.readConcern.level {
	case "", "local", "majority", "snapshot":
		return nil
	}
	return mongoerr.New(mongoerr.InvalidOptions, "The readConcern level must be either 'local' (default), 'majority' or 'snapshot' in order to run in a transaction")
}

// beginInTransaction checks the session out for a command of a transaction, which it begins or goes on with.
func beginInTransaction(op *operation) error {
	x, err := checkOut(op)
	if err != nil {
		return err
	}
	switch {
	case op.txnNumber < x.txnNumber:
		return x.tooOld("Cannot start transaction with { txnNumber: %d }", op.txnNumber)
	case op.txn.starts && op.txnNumber == x.txnNumber:
		return mongoerr.New(mongoerr.ConflictingOperationInProgress, "a transaction cannot be started again: number %d was used in this session already", op.txnNumber)
	case !op.txn.starts && (op.txnNumber > x.txnNumber || x.txn == nil):
		return mongoerr.New(mongoerr.NoSuchTransaction, "Given transaction number %d does not match any in-progress transactions. The active transaction number is %d",
			op.txnNumber, x.txnNumber)
	}
	if op.txn.starts {
		data, err := beginTxn(op)
		if err != nil {
			return err
		}
		x.advance(op.server, op.txnNumber)
		x.txn = &transaction{
			session: x.key, number: op.txnNumber, expires: time.Now().Add(op.server.transactions.lifetime()), data: data, exact: op.readConcern.level == "snapshot",
		}
		op.server.transactions.add(x.txn)
	}
	if op.cmd.name == "commitTransaction" && x.txn.isCommitted() {
		op.transaction = x.txn // it is answered again
		return nil
	}
	return enterTransaction(op, x.txn)
}

// enterTransaction makes the operation one of the transaction.
func enterTransaction(op *operation, t *transaction) error {
	if err := t.start(op.conn.running.cancel); err != nil {
		return err
	}
	op.transaction, op.view, op.target = t, t.data, t.data
	op.atEnd(func() { t.stop(&op.server.transactions, op.failed) })
	return nil
}

// beginTxn takes the snapshot that a transaction reads.
func beginTxn(op *operation) (*store.Txn, error) {
	st, rc := op.server.store, op.readConcern
	if err := checkClusterTime(op); err != nil {
		return nil, err
	}
	if rc.level != "snapshot" {
		return store.Begin(st, st.Snapshot()), nil
	}
	if rc.atClusterTime != 0 {
		return nil, errSnapshotGone(rc.atClusterTime)
	}
	snapshot := st.Snapshot()
	if err := st.WaitDurable(op.ctx, snapshot.At); err != nil {
		snapshot.Close()
		return nil, err
	}
	return store.Begin(st, snapshot), nil
}

// errSnapshotGone is the error of a read at a time of which no snapshot is kept.
func errSnapshotGone(at oplog.Timestamp) error {
	return mongoerr.New(mongoerr.SnapshotTooOld, "Read timestamp %v is older than the oldest available timestamp: no snapshot of that time is kept", at)
}
