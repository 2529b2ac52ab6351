//go:build !race

package command

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// loader sends the same commands again and again, as a driver does: with a session, and writes under ever new numbers.
type loader struct {
	t     *testing.T
	conn  *Conn
	reply []byte
	n     int64 // of transactions, and of documents
}

func newLoader(t *testing.T) *loader {
	server, err := Open(context.Background(), Config{ReplicaSet: "r"})
	if err != nil {
		t.Fatal(err)
	}
	l := &loader{t: t, conn: server.NewConn(ConnInfo{})}
	t.Cleanup(func() {
		l.conn.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// body makes a command; number is where the number of its transaction stands.
func (l *loader) body(name string, fields func(b []byte) []byte) (body bsonraw.Doc, number []byte) {
	b, at := bsonraw.BeginDoc(nil)
	b = bsonraw.AppendString(b, name, "c")
	if fields != nil {
		b = fields(b)
	}
	b, inner := bsonraw.BeginElem(b, bsonraw.TypeDocument, "lsid")
	b = bsonraw.EndDoc(bsonraw.AppendBinary(b, "id", bsonraw.SubtypeUUID, make([]byte, 16)), inner)
	b = bsonraw.AppendString(b, "$db", "d")
	b = bsonraw.AppendInt64(b, "txnNumber", 0)
	number = b[len(b)-8:]
	return bsonraw.EndDoc(b, at), number
}

func (l *loader) run(req *Request, dst []byte) {
	l.reply, _ = l.conn.Run(context.Background(), req, dst)
	if reply := bsonraw.Doc(l.reply); reply.Lookup("ok").Double() != 1 || !reply.Lookup("writeErrors").IsMissing() {
		l.t.Fatalf("reply %x", l.reply)
	}
}

// inserts makes a function that inserts so many new documents with one command.
func (l *loader) inserts(count int) func() {
	body, number := l.body("insert", nil)
	var docs []byte
	var ids []int
	for range count {
		var at int
		docs, at = bsonraw.BeginDoc(docs)
		docs = bsonraw.AppendInt64(docs, "_id", 0)
		ids = append(ids, len(docs)-8)
		docs = bsonraw.AppendBinary(docs, "pad", 0, make([]byte, 250))
		docs = bsonraw.EndDoc(docs, at)
	}
	number = body[len(body)-1-len(number):]
	req := &Request{Body: body, Sequences: []Sequence{{Name: []byte("documents"), Docs: docs}}}
	return func() {
		l.n++
		binary.LittleEndian.PutUint64(number, uint64(l.n))
		for _, at := range ids {
			l.n++
			binary.LittleEndian.PutUint64(docs[at:], uint64(l.n))
		}
		l.run(req, l.reply[:0])
	}
}

func TestAllocationsOfInserts(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	for _, test := range []struct {
		documents int
		most      float64
	}{
		{1, 36},
		{1000, 300},
	} {
		insert := newLoader(t).inserts(test.documents)
		insert() // makes the collection
		if n := testing.AllocsPerRun(100, insert); n > test.most {
			t.Errorf("an insert of %d documents allocates %v times, want at most %v", test.documents, n, test.most)
		}
	}
}
