package engine

import (
	"context"
	"encoding/binary"
	"io"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// BenchmarkRoundTrip sends the smallest command over a connection and reads the answer.
func BenchmarkRoundTrip(b *testing.B) {
	e, err := Open(context.Background(), Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	conn, err := e.DialContext(context.Background(), "tcp", "")
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	const opMsg, prefix = 2013, 16 + 4 + 1
	message, at := bsonraw.BeginDoc(make([]byte, prefix))
	message = bsonraw.AppendInt32(message, "ping", 1)
	message = bsonraw.EndDoc(bsonraw.AppendString(message, "$db", "admin"), at)
	binary.LittleEndian.PutUint32(message, uint32(len(message)))
	binary.LittleEndian.PutUint32(message[12:], opMsg)
	answer := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer[:4]); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer[4:binary.LittleEndian.Uint32(answer)]); err != nil {
			b.Fatal(err)
		}
	}
}
