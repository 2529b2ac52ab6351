package command

import (
	"context"
	"slices"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// operation is one command under way.
type operation struct {
	ctx    context.Context
	server *Server
	conn   *Conn
	req    *Request
	cmd    *command
	body   bsonraw.Doc
	generic
	session     *session      // checked out for a retryable write; nil otherwise
	transaction *transaction  // that it belongs to; nil for none
	snapshot    *heldSnapshot // that it reads; nil for none
	failed      bool          // what ends the transaction
	view        store.View    // what it reads
	target      store.Target  // where it writes

	wantUUID *[16]byte // of the collection that the client means; nil where it does not say

	reply
	wrote      writes
	labels     []string     // labels for an error, whatever it is
	fault      *fault       // a fail point that this command runs into
	explaining *explanation // what it is only let run for; nil: it is done
	hangUp     bool
	more       bool // the next reply to the same request would tell something new
	durable    bool // it answers when all that it has read is durable
	stream     bool // it reads a change stream: errors get that kind of label
	cleanup    []func()
}

var operations = sync.Pool{New: func() any { return new(operation) }}

func newOperation(ctx context.Context, c *Conn, req *Request, dst []byte) *operation {
	op := operations.Get().(*operation)
	*op = operation{
		ctx: ctx, server: c.server, conn: c, req: req, body: req.Body, cleanup: op.cleanup,
		view: c.server.store, target: c.server.store,
	}
	op.out, op.start = bsonraw.BeginDoc(dst)
	op.room = req.Room
	op.began, op.names = c.running.started, &c.names
	return op
}

func (op *operation) release() {
	op.wrote.leave(op.server.store)
	cleanUp(op.cleanup)
	*op = operation{cleanup: op.cleanup[:0]} // a pooled operation must not keep a request or reply alive
	operations.Put(op)
}

func cleanUp(list []func()) {
	for _, fn := range slices.Backward(list) {
		fn()
	}
	clear(list)
}

// atEnd runs fn when the operation is over.
func (op *operation) atEnd(fn func()) { op.cleanup = append(op.cleanup, fn) }

// execute finds the command and runs it.
func (op *operation) execute() error {
	it := op.body.Iter()
	if !it.Next() {
		return mongoerr.New(mongoerr.CommandNotFound, "no such command: ''")
	}
	cmd := lookupAny(it.Key())
	if cmd == nil || op.req.Legacy && !cmd.greets {
		return unknownCommand(op, it.Key())
	}
	op.cmd = cmd
	if !cmd.counted {
		op.server.counters.other.Add(1)
	}
	if err := op.parseGeneric(); err != nil {
		return err
	}
	op.conn.running.know(op)
	if cmd.admin && op.db != "admin" {
		return mongoerr.New(mongoerr.Unauthorized, "%s may only be run against the admin database.", cmd.name)
	}
	if err := runInto(op, op.server.failPoints.find(op)); err != nil || op.hangUp {
		return err
	}
	if err := op.server.store.Err(); err != nil {
		return mongoerr.New(mongoerr.InternalError, "storage failed, the server is stopping: %v", err)
	}
	if err := op.begin(); err != nil {
		return err
	}
	return cmd.run(op)
}

// begin applies the generic arguments: the time limit, the session, the transaction number.
func (op *operation) begin() error {
	if op.maxTime > 0 && !op.cmd.awaits {
		if err := failTimeLimit(op); err != nil {
			return err
		}
		ctx, cancel := context.WithDeadline(op.ctx, op.timeLimit())
		op.ctx = ctx
		op.atEnd(cancel)
	}
	if err := checkTxnArguments(op); err != nil || op.lsid == nil {
		return err
	}
	switch {
	case op.txn.in:
		return beginInTransaction(op)
	case op.hasTxnNumber:
		return beginRetryable(op)
	}
	_, err := op.server.sessions.touch(op.sessionKey, op.began)
	return err
}

// finish completes the reply, or replaces it by the error.
func (op *operation) finish(err error) []byte {
	var e *mongoerr.Error
	if err != nil {
		e = mongoerr.From(endError(op, err))
		if e.Code == mongoerr.InternalError {
			op.server.cfg.Logger.Error("command failed", "command", op.name(), "error", err)
		}
		op.out = op.out[:op.start+4]
		appendUnmet(op)
		appendInjectedConcern(op)
		op.out = bsonraw.AppendDouble(op.out, "ok", 0)
		op.out = bsonraw.AppendString(op.out, "errmsg", e.Msg)
		if e.Code != mongoerr.OK { // a few errors have none
			op.out = bsonraw.AppendInt32(op.out, "code", int32(e.Code))
			op.out = bsonraw.AppendString(op.out, "codeName", e.Code.Name())
		}
		op.out = append(op.out, e.Extra...)
	} else {
		appendInjectedConcern(op)
		op.out = bsonraw.AppendDouble(op.out, "ok", 1)
	}
	appendLabels(op, e)
	if e != nil && (e.Code.NotPrimary() || e.Code.Shutdown() && op.server.topology.quiesced() != nil) {
		op.out = op.server.appendTopologyVersion(op.out)
	}
	op.appendTimes(op.server.store.Applied(), op.time())
	return bsonraw.EndDoc(op.out, op.start)
}

// time is the operation's time: of its commit, or of the state that it has read.
func (op *operation) time() oplog.Timestamp {
	switch {
	case op.wrote.last != 0:
		return op.wrote.last
	case op.stream || op.readConcern.level == "majority":
		return op.server.store.Durable()
	}
	return op.server.store.Applied()
}

func (op *operation) name() string {
	if op.cmd == nil {
		return "unknown"
	}
	return op.cmd.name
}

// appendLabels appends errorLabels where the error, or the write concern error in its place, has some.
func appendLabels(op *operation, e *mongoerr.Error) {
	labels := op.labels
	if op.fault != nil && op.fault.labels != nil {
		labels = op.fault.labels // what a fail point names replaces what the server would say
	} else if e != nil {
		labels = append(append([]string(nil), e.Labels...), op.labels...)
		switch {
		case e.Code.ResumableChangeStream() && (op.stream || opensStream(op)):
			labels = append(labels, mongoerr.LabelResumableChangeStream)
		case e.Code == mongoerr.ChangeStreamFatalError || e.Code == mongoerr.ChangeStreamHistoryLost:
			labels = append(labels, mongoerr.LabelNonResumableStream)
		case op.txn.in && e.Code.TransientTransaction(op.cmd.endsTxn) && !slices.Contains(labels, mongoerr.LabelTransient):
			labels = append(labels, mongoerr.LabelTransient)
		case op.hasTxnNumber && (!op.txn.in || op.cmd.endsTxn) && e.Code.RetryableWrite():
			labels = append(labels, mongoerr.LabelRetryableWrite)
		}
	}
	if len(labels) == 0 {
		return
	}
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "errorLabels")
	list := bsonraw.BeginArray(op.out)
	for _, l := range labels {
		list.Append(bsonraw.StringValue(l))
	}
	op.out = list.End()
}
