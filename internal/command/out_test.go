package command

import (
	"context"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/store"
)

func TestWhatOutLeftBehindIsDroppedWhenTheServerStarts(t *testing.T) {
	t.Parallel()
	cfg := Config{ReplicaSet: "rs0", Store: store.Config{Dir: t.TempDir() + "/db"}}
	server, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn := server.NewConn(ConnInfo{ID: 1})
	send(t, conn, "db", bson.D{{Key: "create", Value: "kept"}})
	send(t, conn, "db", bson.D{{Key: "create", Value: "v"}, {Key: "viewOn", Value: "kept"}})
	op := &operation{ctx: context.Background(), server: server, view: server.store, target: server.store, generic: generic{db: "db"}, conn: conn}
	left := replacement{op: op, env: &environment{op: op}, name: "tmp.agg_out.x"}
	left.to.DB, left.to.Coll = "db", "o"
	if err := left.begin(); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if server, err = Open(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	conn = server.NewConn(ConnInfo{ID: 1})
	defer conn.Close()
	names := send(t, conn, "db", bson.D{{Key: "listCollections", Value: 1}, {Key: "nameOnly", Value: true}}).String()
	if strings.Contains(names, "tmp") || !strings.Contains(names, `"kept"`) || !strings.Contains(names, `"v"`) {
		t.Errorf("after the restart there are %s", names)
	}
}

// TestFailedMergeIsSeen: what a $merge wrote before it failed is an event at once, though nobody waits until it is durable.
func TestFailedMergeIsSeen(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "_id", Value: 2}}))
	c.ask(t, "db", insertOf("into", bson.D{{Key: "_id", Value: 2}}))
	id := send(t, c.conn, "db", bson.D{
		{Key: "aggregate", Value: "into"},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}},
		{Key: "cursor", Value: bson.D{}},
	}).Lookup("cursor", "id").Int64()
	reply := send(t, c.conn, "db", bson.D{
		{Key: "aggregate", Value: "c"},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$merge", Value: bson.D{{Key: "into", Value: "into"}, {Key: "whenMatched", Value: "fail"}}}}}},
		{Key: "cursor", Value: bson.D{}},
	})
	if code := reply.Lookup("code").Int32(); code != 11000 {
		t.Fatalf("$merge: %s", reply)
	}
	next := send(t, c.conn, "db", bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: "into"}, {Key: "maxTimeMS", Value: 5000}})
	if events, err := next.Lookup("cursor", "nextBatch").Array().Values(); err != nil || len(events) != 1 {
		t.Errorf("the stream has %s", next)
	}
}
