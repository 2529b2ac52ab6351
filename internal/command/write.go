package command

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// writer collects what the statements of one write command did.
type writer struct {
	writeCommand
	scratch writeScratch
}

// writeCommand is what a writer knows of its command, and what came of it.
type writeCommand struct {
	op       *operation
	ordered  bool
	alone    bool        // each document is inserted by a commit of its own
	final    bool        // no commit follows the next one
	bypass   bool        // documents need not satisfy the collection's validator
	stmtIDs  bsonraw.Doc // given one by one, or nil
	ids      []int32     // those, read
	stmtID   int32       // of the first statement, when they are not
	numbered bool        // that was given

	n        int32
	modified int32
	last     store.Commit
	errs     []writeError
	retried  []int32
	upserted []upserted
}

// writeScratch is memory that the writer of a later command uses again.
type writeScratch struct {
	logged     oplog.Entry
	docKey, ns []byte // of that entry
	statements []bsonraw.Doc
	point      []byte    // key of the document that a filter asks for
	latched    [1][]byte // key of the document that is changed, wherever that is
	one        insertOne
	candidate  []byte // what was found before it was latched
	doc        []byte // what is changed
}

type writeError struct {
	index int
	err   *mongoerr.Error
}

type upserted struct {
	index int
	id    bsonraw.Value
}

var writers = sync.Pool{New: func() any { return new(writer) }}

func newWriter(op *operation) *writer {
	w := writers.Get().(*writer)
	w.op, w.ordered = op, true
	return w
}

// keptStatements is for how many statements memory is kept.
const keptStatements = 1000

// release gives the writer's memory to a later one. What is explained goes on to use it.
func (w *writer) release() {
	if w.op.explaining != nil {
		return
	}
	w.writeCommand = writeCommand{}
	w.scratch.forget()
	writers.Put(w)
}

// forget lets go of everything but small memory.
func (m *writeScratch) forget() {
	m.logged = oplog.Entry{}
	m.one.docs[0], m.one.idKeys[0], m.latched[0] = store.Indexed{}, nil, nil
	clear(m.statements)
	if m.statements = m.statements[:0]; cap(m.statements) > keptStatements {
		m.statements = nil
	}
	m.docKey, m.point = smallScratch(m.docKey), smallScratch(m.point)
	m.candidate, m.doc = smallScratch(m.candidate), smallScratch(m.doc)
}

// maxScratch is the largest buffer that is kept for a later command.
const maxScratch = 64 << 10

// smallScratch is what is kept of a buffer: nothing where it is large.
func smallScratch(b []byte) []byte {
	if cap(b) > maxScratch {
		return nil
	}
	return b[:0]
}

// argument reads the arguments that all write commands have; ok is false for others.
func (w *writer) argument(name string, a argument) (ok bool, err error) {
	switch name {
	case "ordered":
		return true, a.strictFlag(&w.ordered)
	case "stmtId":
		w.numbered = true
		return true, statementID(a, &w.stmtID)
	case "stmtIds":
		return true, a.array(&w.stmtIDs)
	case "bypassDocumentValidation":
		return true, a.flag(&w.bypass)
	case "collectionUUID":
		return true, parseCollectionUUID(a)
	}
	return false, nil
}

// checkStatementIDs holds the numbers of statements to how many statements there are.
func (w *writer) checkStatementIDs(statements int) error {
	if w.stmtIDs == nil {
		return nil
	}
	if w.numbered {
		return mongoerr.New(mongoerr.InvalidOptions, "May not specify both stmtId and stmtIds in write command")
	}
	n := 0
	for it := w.stmtIDs.Iter(); it.Next(); n++ {
		var id int32
		if err := statementID(argument{w.op, fmt.Sprintf("stmtIds.%d", n), it.Value()}, &id); err != nil {
			return err
		}
		w.ids = append(w.ids, id)
	}
	if n != statements {
		return mongoerr.New(mongoerr.InvalidLength, "Number of statement ids must match the number of batch entries. Got %d statement ids but %d operations.", n, statements)
	}
	return nil
}

// statement returns the number of the i-th statement within the transaction number.
func (w *writer) statement(i int) int32 {
	if i < len(w.ids) {
		return w.ids[i]
	}
	return w.stmtID + int32(i)
}

// fail records a statement's error and reports whether the command goes on. An error that is not the statement's own ends the
// command.
func (w *writer) fail(index int, err error) (goOn bool, fatal error) {
	err = endError(w.op, err)
	e := mongoerr.From(err)
	if w.op.explaining != nil || e.Code.Interruption() || e.Code == mismatchedRetry || e.Code == mongoerr.InternalError && e.Cause != nil {
		return false, err
	}
	inTxn := w.op.transaction != nil
	if inTxn && e.Code.TransientTransaction(false) {
		return false, err
	}
	w.errs = append(w.errs, writeError{index, e})
	w.op.failed = w.op.failed || inTxn
	return !w.ordered && !inTxn, nil
}

// entry begins an oplog entry for a document of the collection. It is valid until the next one is begun.
func (w *writer) entry(kind oplog.Op, c *store.Collection, o bsonraw.Doc, id bsonraw.Value, stmt int32) *oplog.Entry {
	m := &w.scratch
	var at int
	m.docKey, at = bsonraw.BeginDoc(m.docKey[:0])
	m.docKey = bsonraw.EndDoc(bsonraw.AppendValue(m.docKey, "_id", id), at)
	m.ns = append(append(append(m.ns[:0], c.DB...), '.'), c.Name...)
	e := &m.logged
	*e = oplog.Entry{Op: kind, NS: m.ns, UUID: c.UUID, HasUUID: true, O: o, O2: m.docKey}
	if kind == oplog.Delete {
		e.O, e.O2 = m.docKey, nil
	}
	if w.op.session != nil {
		if w.op.session.logged == nil {
			w.op.session.logged = loggedLSID(w.op.lsid)
		}
		e.LSID, e.TxnNumber, e.StmtID, e.HasStmtID = w.op.session.logged, w.op.txnNumber, stmt, true
		e.Prev = w.op.session.last
	}
	return e
}

// loggedLSID is a session's id as the oplog has it: with the digest of the user, which without authentication is that of no
// name at all.
func loggedLSID(lsid bsonraw.Doc) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(make([]byte, 0, loggedLSIDSize))
	out = bsonraw.AppendValue(out, "id", lsid.Lookup("id"))
	if uid := lsid.Lookup("uid"); !uid.IsMissing() {
		out = bsonraw.AppendValue(out, "uid", uid)
	} else {
		out = bsonraw.AppendBinary(out, "uid", 0, nobody[:])
	}
	return bsonraw.EndDoc(out, at)
}

// loggedLSIDSize is the size of what loggedLSID returns.
const loggedLSIDSize = 4 + (1 + 3 + 5 + uuidSize) + (1 + 4 + 5 + sha256.Size) + 1

// await says before the last commit of a command that its reply waits for it: then nobody else need be woken to make it durable.
func (w *writer) await(tx *store.Write) {
	if w.op.transaction == nil && !w.op.wrote.stage {
		tx.Awaited, w.op.wrote.awaited = true, true
	}
}

// reply appends what was done and waits for it to be as durable as asked.
func (w *writer) reply(withModified bool) error {
	op := w.op
	if op.writeConcern.unacknowledged() {
		w.n, w.modified, w.errs, w.retried, w.upserted = 0, 0, nil, nil, nil
	}
	op.out = bsonraw.AppendInt32(op.out, "n", w.n)
	w.appendErrors()
	w.appendRetried()
	if withModified {
		w.appendUpserted()
		op.out = bsonraw.AppendInt32(op.out, "nModified", w.modified)
	}
	return op.acknowledge(w.last)
}

func (w *writer) appendUpserted() {
	if len(w.upserted) == 0 {
		return
	}
	op := w.op
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "upserted")
	list := bsonraw.BeginArray(op.out)
	for _, u := range w.upserted {
		entry, at := list.Begin(bsonraw.TypeDocument)
		entry = bsonraw.AppendInt32(entry, "index", int32(u.index))
		entry = bsonraw.AppendValue(entry, "_id", u.id)
		list.Resume(bsonraw.EndDoc(entry, at))
	}
	op.out = list.End()
}

func (w *writer) appendErrors() {
	if len(w.errs) == 0 {
		return
	}
	op := w.op
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "writeErrors")
	list := bsonraw.BeginArray(op.out)
	for _, e := range w.errs {
		entry, at := list.Begin(bsonraw.TypeDocument)
		entry = bsonraw.AppendInt32(entry, "index", int32(e.index))
		entry = bsonraw.AppendInt32(entry, "code", int32(e.err.Code))
		entry = bsonraw.AppendString(entry, "errmsg", e.err.Msg)
		entry = append(entry, e.err.Extra...)
		list.Resume(bsonraw.EndDoc(entry, at))
	}
	op.out = list.End()
}

func (w *writer) appendRetried() {
	if len(w.retried) == 0 {
		return
	}
	op := w.op
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "retriedStmtIds")
	list := bsonraw.BeginArray(op.out)
	for _, id := range w.retried {
		list.Append(bsonraw.Int32Value(id))
	}
	op.out = list.End()
}

// collection returns a collection as the operation reads it; nil when there is none.
func (op *operation) collection(name string) (*store.Collection, error) {
	if op.transaction != nil {
		return op.transaction.data.Collection(op.ctx, op.db, name)
	}
	return op.view.Catalog().Collection(op.db, name), nil
}

// locked looks a collection up and takes its lock, shared; unlock gives it back. It is nil when there is none.
func (op *operation) locked(name string) (c *store.Collection, unlock func(), err error) {
	if op.transaction != nil {
		if c, err = op.transaction.data.Collection(op.ctx, op.db, name); err == nil {
			err = checkTarget(op, name, c)
		}
		if err == nil && c != nil && c.Cap != nil {
			err = mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Collection '%s' is a capped collection. Writes in transactions are not allowed on capped collections.", c.NS())
		}
		return c, func() {}, err
	}
	op.writeConcern.due = true
	for {
		c = op.server.store.Catalog().Collection(op.db, name)
		if c == nil {
			return nil, func() {}, checkTarget(op, name, nil)
		}
		if err := checkTarget(op, name, c); err != nil {
			return nil, func() {}, err
		}
		if err := c.Lock.RLock(op.ctx); err != nil {
			return nil, nil, err
		}
		if !c.Dropped() && op.server.store.Catalog().Collection(op.db, name) == c {
			return c, c.Lock.RUnlock, nil
		}
		// It changed between the look and the lock: look again.
		c.Lock.RUnlock()
	}
}

// lockedOrNew is locked for a write that creates the collection where there is none.
func (op *operation) lockedOrNew(name string) (*store.Collection, func(), error) {
	for {
		if c, unlock, err := op.locked(name); c != nil || err != nil {
			return c, unlock, err
		}
		if _, err := ensureCollection(op, op.db, name); err != nil {
			return nil, nil, err
		}
	}
}
