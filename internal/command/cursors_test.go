package command

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestTheTimeLimitOfACursorIsForAllItsBatches(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	documents := make(bson.A, 2000)
	for i := range documents {
		documents[i] = bson.D{}
	}
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: documents}})
	first := c.ask(t, "db", bson.D{{Key: "find", Value: "c"}, {Key: "batchSize", Value: 1}, {Key: "maxTimeMS", Value: 1_000_000}})
	id := first.Lookup("cursor", "id").Int64()
	more := bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: "c"}, {Key: "batchSize", Value: 1000}}
	c.ask(t, "db", append(more[:2:2], bson.E{Key: "batchSize", Value: 1}))
	cursor, err := c.server.cursors.take(id)
	if err != nil {
		t.Fatal(err)
	}
	if cursor.left <= 0 || cursor.left.Milliseconds() > 1_000_000 {
		t.Errorf("%v are left of 1000 s", cursor.left)
	}
	cursor.left = 1
	c.server.cursors.give(cursor)
	for _, want := range []int32{50, 43} {
		if got := send(t, c.conn, "db", more).Lookup("code").Int32(); got != want {
			t.Errorf("getMore after the time was over: code %d, want %d", got, want)
		}
	}
}

func TestIdleCursorsAreShownWithTheirSessions(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{}, bson.D{}}}})
	first := c.ask(t, "db", append(bson.D{{Key: "find", Value: "c"}, {Key: "batchSize", Value: 1}}, someSession(1)...))
	shown := c.ask(t, "admin", bson.D{{Key: "aggregate", Value: 1}, {Key: "cursor", Value: bson.D{}}, {Key: "pipeline", Value: bson.A{
		bson.D{{Key: "$currentOp", Value: bson.D{{Key: "idleCursors", Value: true}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "type", Value: "idleCursor"}}}},
	}}}).Lookup("cursor", "firstBatch", "0")
	if shown.IsZero() {
		t.Fatal("no idle cursor is shown")
	}
	got := shown.Document()
	if id := got.Lookup("cursor", "cursorId").Int64(); id != first.Lookup("cursor", "id").Int64() || got.Lookup("ns").StringValue() != "db.c" {
		t.Errorf("the cursor is shown as %v", got)
	}
	if _, id, ok := got.Lookup("lsid", "id").BinaryOK(); !ok || len(id) != uuidSize || id[uuidSize-1] != 1 {
		t.Errorf("its session is shown as %v", got.Lookup("lsid"))
	}
}
