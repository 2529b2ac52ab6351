package command

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/store"
)

// The oplog is trimmed while streams run: one that keeps up sees everything, one that falls behind learns that its position is gone, as does
// whoever resumes from there, and nobody else is disturbed.
func TestStreamsWhileTheOplogIsTrimmed(t *testing.T) {
	t.Parallel()
	server, err := Open(context.Background(), Config{ReplicaSet: "rs0", Store: store.Config{OplogMaxBytes: 64 << 10, TailBytes: 4 << 10}})
	if err != nil {
		t.Fatal(err)
	}
	c := &conversation{server: server, logged: server.store.Applied()}
	c.connect()
	t.Cleanup(func() {
		c.conn.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	open := func(options bson.D, batchSize int) bson.Raw {
		return send(t, c.conn, "db", bson.D{
			{Key: "aggregate", Value: "c"},
			{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: options}}}},
			{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: batchSize}}},
		})
	}
	more := func(id int64) bson.Raw {
		return send(t, c.conn, "db", bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: "c"}, {Key: "maxTimeMS", Value: 1}})
	}
	behind := open(bson.D{}, 100)
	token := behind.Lookup("cursor", "postBatchResumeToken")
	current := open(bson.D{}, 100).Lookup("cursor", "id").Int64()
	pad := strings.Repeat("x", 1000)
	written, seen := 0, 0
	for {
		c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: written}, {Key: "pad", Value: pad}}))
		written++
		reply := more(current)
		batch, err := reply.Lookup("cursor", "nextBatch").Array().Values()
		if err != nil {
			t.Fatalf("the stream that keeps up: %v", reply)
		}
		for _, e := range batch {
			if got := int(e.Document().Lookup("documentKey", "_id").Int32()); got != seen {
				t.Fatalf("document %d comes, want %d", got, seen)
			}
			seen++
		}
		if written%50 == 0 && codeOf(send(t, c.conn, "db", resumed(token, 100))) == 286 {
			break
		}
		if written == 10_000 {
			t.Fatal("the oplog is not trimmed")
		}
	}
	if seen != written {
		t.Errorf("the stream that keeps up has seen %d of %d", seen, written)
	}
	wantLost(t, "the stream that fell behind", more(behind.Lookup("cursor", "id").Int64()))
	wantLost(t, "resumed from its position", send(t, c.conn, "db", resumed(token, 100)))
	// A first batch of nothing reads nothing, and finds nothing missing.
	late := send(t, c.conn, "db", resumed(token, 0))
	wantLost(t, "resumed without a first batch", more(late.Lookup("cursor", "id").Int64()))
	wantLost(t, "at a time that is gone", open(bson.D{{Key: "startAtOperationTime", Value: bson.Timestamp{T: 1, I: 1}}}, 100))
}

func resumed(token bson.RawValue, batchSize int) bson.D {
	return bson.D{
		{Key: "aggregate", Value: "c"},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{{Key: "resumeAfter", Value: token}}}}}},
		{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: batchSize}}},
	}
}

func wantLost(t *testing.T, what string, reply bson.Raw) {
	t.Helper()
	label, _ := reply.Lookup("errorLabels", "0").StringValueOK()
	if codeOf(reply) != 286 || label != "NonResumableChangeStreamError" {
		t.Errorf("%s: %v", what, reply)
	}
}

// codeOf is a reply's code, 0 for none.
func codeOf(reply bson.Raw) int32 {
	code, _ := reply.Lookup("code").AsInt64OK()
	return int32(code)
}
