package command

import (
	"context"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/store"
)

// BenchmarkInsertMany inserts small documents, 1000 a command, into a store on disk.
func BenchmarkInsertMany(b *testing.B) {
	server, err := Open(context.Background(), Config{ReplicaSet: "r", Store: store.Config{Dir: b.TempDir()}})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	conn := server.NewConn(ConnInfo{})
	defer conn.Close()
	body, at := bsonraw.BeginDoc(nil)
	body = bsonraw.AppendString(body, "insert", "c")
	body = bsonraw.AppendString(body, "$db", "b")
	body = bsonraw.EndDoc(body, at)
	const batch = 1000
	var docs, reply []byte
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		docs = docs[:0]
		for i := range batch {
			var at int
			docs, at = bsonraw.BeginDoc(docs)
			docs = bsonraw.AppendObjectID(docs, "_id", newObjectID())
			docs = bsonraw.AppendInt32(docs, "a", int32(i))
			docs = bsonraw.AppendInt32(docs, "b", int32(i))
			docs = bsonraw.EndDoc(docs, at)
		}
		req := Request{Body: body, Sequences: []Sequence{{Name: []byte("documents"), Docs: docs}}}
		reply, _ = conn.Run(context.Background(), &req, reply[:0])
	}
	b.ReportMetric(float64(b.N)*batch/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkFind finds one of 10,000 documents by its _id, as drivers do that ask for one.
func BenchmarkFind(b *testing.B) {
	const documents = 10_000
	l := newLoader(b)
	for range documents / 1000 {
		l.inserts(1000, 300)()
	}
	benchmark(b, l.find(1))
}

// BenchmarkInsert inserts one document at a time, as a retryable write.
func BenchmarkInsert(b *testing.B) {
	benchmark(b, newLoader(b).inserts(1, 300))
}

// BenchmarkUpdate increments a field of one document at a time, found by its _id.
func BenchmarkUpdate(b *testing.B) {
	l := newLoader(b)
	l.inserts(1000, 300)()
	benchmark(b, l.update(1))
}

// BenchmarkTransactions inserts ten documents in a transaction, one command each.
func BenchmarkTransactions(b *testing.B) {
	l := newLoader(b)
	l.inserts(1, 300)()
	benchmark(b, l.transaction(10))
}

func benchmark(b *testing.B, run func()) {
	b.ReportAllocs()
	for b.Loop() {
		run()
	}
}
