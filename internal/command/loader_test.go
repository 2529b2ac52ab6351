package command

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// loader sends the same commands again and again, as a driver does: with a session, and writes under ever new numbers.
type loader struct {
	tb    testing.TB
	conn  *Conn
	reply []byte
	n     int64 // number of the last retryable write or transaction
	id    int64 // of the last document
	at    int64 // of the document that was asked for last
}

func newLoader(tb testing.TB) *loader {
	server, err := Open(context.Background(), Config{ReplicaSet: "r"})
	if err != nil {
		tb.Fatal(err)
	}
	l := &loader{tb: tb, conn: server.NewConn(ConnInfo{})}
	tb.Cleanup(func() {
		l.conn.Close()
		if err := server.Close(); err != nil {
			tb.Error(err)
		}
	})
	return l
}

// body makes a command; number is where the number of its transaction stands.
func (l *loader) body(name string, fields func(b []byte) []byte) (body bsonraw.Doc, number int) {
	b, at := bsonraw.BeginDoc(nil)
	b = bsonraw.AppendString(b, name, "c")
	if fields != nil {
		b = fields(b)
	}
	b, inner := bsonraw.BeginElem(b, bsonraw.TypeDocument, "lsid")
	b = bsonraw.EndDoc(bsonraw.AppendBinary(b, "id", bsonraw.SubtypeUUID, make([]byte, 16)), inner)
	db := "d"
	if name == "commitTransaction" {
		db = "admin"
	}
	b = bsonraw.AppendString(b, "$db", db)
	if name != "find" {
		b = bsonraw.AppendInt64(b, "txnNumber", 0)
	}
	number = len(b) - 8
	return bsonraw.EndDoc(b, at), number
}

func (l *loader) run(req *Request, dst []byte) {
	l.reply, _ = l.conn.Run(context.Background(), req, dst)
	if reply := bsonraw.Doc(l.reply); reply.Lookup("ok").Double() != 1 || !reply.Lookup("writeErrors").IsMissing() {
		l.tb.Fatalf("reply %x", l.reply)
	}
}

// inserts makes a function that inserts so many new documents of a size with one command.
func (l *loader) inserts(count, size int) func() {
	body, number := l.body("insert", nil)
	docs, ids := l.documents(count, size)
	req := &Request{Body: body, Sequences: []Sequence{{Name: []byte("documents"), Docs: docs}}}
	return func() {
		l.n++
		binary.LittleEndian.PutUint64(body[number:], uint64(l.n))
		l.renumber(docs, ids)
		l.run(req, l.reply[:0])
	}
}

// documents makes documents, and tells where their _id stand.
func (l *loader) documents(count, size int) (docs []byte, ids []int) {
	for range count {
		var at int
		docs, at = bsonraw.BeginDoc(docs)
		docs = bsonraw.AppendInt64(docs, "_id", 0)
		ids = append(ids, len(docs)-8)
		docs = bsonraw.AppendInt64(docs, "n", 0)
		docs = bsonraw.AppendBinary(docs, "pad", 0, make([]byte, size))
		docs = bsonraw.EndDoc(docs, at)
	}
	return docs, ids
}

// renumber gives documents new _id.
func (l *loader) renumber(docs []byte, ids []int) {
	for _, at := range ids {
		l.id++
		binary.LittleEndian.PutUint64(docs[at:], uint64(l.id))
	}
}

// find makes a function that finds one of the documents that are there, by its _id.
func (l *loader) find(limit int64) func() {
	var id int
	body, _ := l.body("find", func(b []byte) []byte {
		b, at := bsonraw.BeginElem(b, bsonraw.TypeDocument, "filter")
		b = bsonraw.AppendInt64(b, "_id", 0)
		id = len(b) - 8
		b = bsonraw.EndDoc(b, at)
		b = bsonraw.AppendInt64(b, "limit", limit)
		return bsonraw.AppendBool(b, "singleBatch", true)
	})
	req := &Request{Body: body}
	return func() {
		l.turn()
		binary.LittleEndian.PutUint64(body[id:], uint64(l.at))
		l.run(req, l.reply[:0])
		if bsonraw.Doc(l.reply).Lookup("cursor").Doc().Lookup("firstBatch").Doc().Len() != 1 {
			l.tb.Fatalf("reply %x", l.reply)
		}
	}
}

// update makes a function that increments a field of one of the documents that are there.
func (l *loader) update(by int32) func() {
	body, number := l.body("update", nil)
	statement, at := bsonraw.BeginDoc(nil)
	statement, inner := bsonraw.BeginElem(statement, bsonraw.TypeDocument, "q")
	statement = bsonraw.AppendInt64(statement, "_id", 0)
	id := len(statement) - 8
	statement = bsonraw.EndDoc(statement, inner)
	statement, inner = bsonraw.BeginElem(statement, bsonraw.TypeDocument, "u")
	statement, operator := bsonraw.BeginElem(statement, bsonraw.TypeDocument, "$inc")
	statement = bsonraw.EndDoc(bsonraw.AppendInt32(statement, "n", by), operator)
	statement = bsonraw.EndDoc(bsonraw.EndDoc(statement, inner), at)
	req := &Request{Body: body, Sequences: []Sequence{{Name: []byte("updates"), Docs: statement}}}
	return func() {
		l.turn()
		l.n++
		binary.LittleEndian.PutUint64(body[number:], uint64(l.n))
		binary.LittleEndian.PutUint64(statement[id:], uint64(l.at))
		l.run(req, l.reply[:0])
		if bsonraw.Doc(l.reply).Lookup("nModified").Int32() != 1 {
			l.tb.Fatalf("reply %x", l.reply)
		}
	}
}

// turn goes on to another one of the documents that are there.
func (l *loader) turn() { l.at = (l.at+7919)%l.id + 1 }

// transaction makes a function that inserts so many documents in a transaction, with a command for each.
func (l *loader) transaction(count int) func() {
	inTxn := func(b []byte) []byte { return bsonraw.AppendBool(b, "autocommit", false) }
	first, firstNumber := l.body("insert", func(b []byte) []byte { return bsonraw.AppendBool(inTxn(b), "startTransaction", true) })
	next, nextNumber := l.body("insert", inTxn)
	commit, commitNumber := l.body("commitTransaction", inTxn)
	docs, ids := l.documents(1, 300)
	with := []Sequence{{Name: []byte("documents"), Docs: docs}}
	beginning, going, ending := &Request{Body: first, Sequences: with}, &Request{Body: next, Sequences: with}, &Request{Body: commit}
	return func() {
		l.n++
		binary.LittleEndian.PutUint64(first[firstNumber:], uint64(l.n))
		binary.LittleEndian.PutUint64(next[nextNumber:], uint64(l.n))
		binary.LittleEndian.PutUint64(commit[commitNumber:], uint64(l.n))
		for i := range count {
			l.renumber(docs, ids)
			if i == 0 {
				l.run(beginning, l.reply[:0])
			} else {
				l.run(going, l.reply[:0])
			}
		}
		l.run(ending, l.reply[:0])
	}
}
