package command

import (
	"context"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// getMore {getMore: <id>, collection, batchSize, maxTimeMS} brings a cursor's next batch. On a cursor that awaits data it waits
// until there is some, for maxTimeMS (of which 0 is no wait) or one second; term and lastKnownCommittedOpTime, which members of a set send, are
// accepted and not used.
func getMore(op *operation) error {
	var id, size int64
	var coll string
	var named bool
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "getMore":
			if a.Type != bsonraw.TypeInt64 {
				return op.wrongType(name, a.Value, "long")
			}
			id = a.Int64()
			return nil
		case "collection":
			named = true
			return a.str(&coll)
		case "batchSize":
			return a.count(&size)
		case "term":
			return checkTerm(a)
		case "lastKnownCommittedOpTime":
			return checkOpTime(a)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	switch {
	case !named:
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'getMore.collection' is missing but a required field")
	case coll == "":
		return mongoerr.New(mongoerr.InvalidNamespace, "Collection names cannot be empty")
	}
	op.server.counters.getMore.Add(1)
	c, err := op.server.cursors.take(id, &op.conn.running)
	if err != nil {
		return err
	}
	if err := checkCursor(op, c, coll); err != nil {
		op.server.cursors.give(c)
		return err
	}
	op.stream = c.stream != nil
	return nextBatch(op, c, nextLimit(size))
}

// checkTerm checks the type of an argument that is not used.
func checkTerm(a argument) error {
	if a.Type != bsonraw.TypeInt64 && a.Type != bsonraw.TypeNull {
		return a.op.wrongType(a.name, a.Value, "long")
	}
	return nil
}

// checkOpTime checks the form of an argument that is not used: a time of the oplog and its term.
func checkOpTime(a argument) error {
	if a.Type == bsonraw.TypeNull {
		return nil
	}
	if a.Type != bsonraw.TypeDocument {
		return a.op.wrongType(a.name, a.Value, "object")
	}
	switch ts := a.Doc().Lookup("ts"); {
	case ts.IsMissing():
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'getMore.lastKnownCommittedOpTime.ts' is missing but a required field")
	case ts.Type != bsonraw.TypeTimestamp:
		return a.op.wrongType("lastKnownCommittedOpTime.ts", ts, "timestamp")
	}
	return nil
}

// checkCursor refuses a getMore that does not come from where the cursor was opened.
func checkCursor(op *operation, c *cursor, coll string) error {
	if ns := op.db + "." + coll; ns != c.ns {
		return mongoerr.New(mongoerr.Unauthorized, "Requested getMore on namespace '%s', but cursor belongs to a different namespace %s", ns, c.ns)
	}
	session := ""
	if op.lsid != nil {
		session = op.sessionKey
	}
	switch {
	case c.session == session:
	case c.session == "":
		return mongoerr.New(50736, "Cannot run getMore on cursor %d, which was not created in a session, in a session", c.id)
	case session == "":
		return mongoerr.New(50737, "Cannot run getMore on cursor %d, which was created in a session, without an lsid", c.id)
	default:
		return mongoerr.New(50738, "Cannot run getMore on cursor %d, which was created in another session", c.id)
	}
	switch {
	case c.txn == op.transaction:
	case c.txn == nil:
		return mongoerr.New(50739, "Cannot run getMore on cursor %d, which was not created in a transaction, in transaction %d", c.id, op.txnNumber)
	case op.transaction == nil:
		return mongoerr.New(50740, "Cannot run getMore on cursor %d, which was created in transaction %d, without a txnNumber", c.id, c.txn.number)
	default:
		return mongoerr.New(50741, "Cannot run getMore on cursor %d, which was created in transaction %d, in transaction %d", c.id, c.txn.number, op.txnNumber)
	}
	if !c.api.sameAs(&op.api) {
		return mongoerr.New(mongoerr.APIMismatchError, "API parameter mismatch: getMore used params %s, the cursor-creating command used %s",
			op.api.parameters(), c.api.parameters())
	}
	if op.readConcern.afterClusterTime != 0 {
		return mongoerr.New(mongoerr.InvalidOptions, "getMore does not support { afterClusterTime }: it reads what the cursor was opened on")
	}
	if c.waits == nil && op.hasMaxTime {
		return mongoerr.New(mongoerr.BadValue, "cannot set maxTimeMS on getMore command for a non-awaitData cursor")
	}
	return nil
}

func nextBatch(op *operation, c *cursor, limit batchLimit) error {
	if err := failGetMore(op); err != nil || op.hangUp {
		op.server.cursors.finish(c)
		return err
	}
	if c.left > 0 {
		if err := failTimeLimit(op); err != nil {
			op.server.cursors.finish(c)
			return err
		}
	}
	leave := c.enter(op)
	op.durable = c.durable
	at, batch := op.beginCursor("nextBatch")
	done, err := c.feed.fill(op, &batch, limit)
	if err == nil && c.waits != nil && !done && batch.Len() == 0 && (op.maxTime > 0 || !op.hasMaxTime) {
		done, err = await(op, c, &batch, limit)
	}
	leave()
	c.gave(batch.Len())
	if err != nil || done {
		op.server.cursors.finish(c)
		if err != nil {
			return executorError(err)
		}
		op.endCursor(at, batch, c, 0)
		return nil
	}
	op.more = true
	op.endCursor(at, batch, c, c.id)
	op.server.cursors.give(c)
	return nil
}

// enter makes the operation end when the cursor's time is over, until leave is called.
func (c *cursor) enter(op *operation) (leave func()) {
	if c.left <= 0 {
		return func() {}
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(op.ctx, c.left)
	op.ctx = ctx
	return func() {
		cancel()
		c.left = max(c.left-time.Since(begun), 1)
	}
}

// executorError prefixes what went wrong in a cursor's feed, as mongod does.
func executorError(err error) error {
	e := mongoerr.From(err)
	switch e.Code {
	case mongoerr.CursorKilled, mongoerr.Interrupted, mongoerr.InterruptedAtShutdown:
		return e
	}
	return e.Prefix("Executor error during getMore :: caused by :: ")
}

// defaultAwait is how long a getMore waits for data when the client does not say.
const defaultAwait = time.Second

// watchAfter is how long a getMore waits before it watches whether its client is still there. Most waits are shorter.
const watchAfter = 500 * time.Millisecond

// nextLimit is the limit of a getMore, whose batchSize of 0 means none.
func nextLimit(size int64) batchLimit {
	if size == 0 {
		size = -1
	}
	return batchLimit{docs: int(size), bytes: maxBatchBytes}
}
