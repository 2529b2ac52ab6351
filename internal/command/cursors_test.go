package command

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/mongoerr"
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
	cursor, err := c.server.cursors.take(id, &running{})
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

func openStreamOn(t *testing.T, c *conversation, more ...bson.E) int64 {
	t.Helper()
	return c.ask(t, "db", append(bson.D{
		{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}}, {Key: "cursor", Value: bson.D{}},
	}, more...)).Lookup("cursor", "id").Int64()
}

func TestAGetMoreIsShownWithTheCommentOfItsCursor(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		own  bson.D
		want string
	}{
		{nil, "of the stream"},
		{bson.D{{Key: "comment", Value: "its own"}}, "its own"},
	} {
		c := newConversation(t)
		id := openStreamOn(t, c, bson.E{Key: "comment", Value: "of the stream"})
		other := c.server.NewConn(ConnInfo{ID: 77, Remote: "192.0.2.1:5"})
		t.Cleanup(other.Close)
		done := make(chan struct{})
		go func() {
			defer close(done)
			send(t, other, "db", append(bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: "c"}, {Key: "maxTimeMS", Value: 3_600_000}}, k.own...))
		}()
		var shown bson.Raw
		for shown == nil {
			shown, _ = c.ask(t, "admin", bson.D{{Key: "currentOp", Value: 1}, {Key: "cursor.cursorId", Value: id}}).Lookup("inprog", "0").DocumentOK()
		}
		if got := shown.Lookup("command", "comment").StringValue(); got != k.want {
			t.Errorf("the comment is shown as %q, want %q", got, k.want)
		}
		if got := shown.Lookup("cursor", "originatingCommand", "aggregate").StringValue(); got != "c" {
			t.Errorf("the command that opened the cursor is shown as %v", shown.Lookup("cursor", "originatingCommand"))
		}
		c.ask(t, "db", bson.D{{Key: "killCursors", Value: "c"}, {Key: "cursors", Value: bson.A{id}}})
		<-done
	}
}

// Only cursors that belong to no session, are not in use and were not opened with noCursorTimeout end when nobody uses them.
func TestIdleCursorsEnd(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{}, bson.D{}, bson.D{}}}})
	idle := openStreamOn(t, c)
	kept := map[string]int64{
		"a session's": openStreamOn(t, c, someSession(1)...),
		"noCursorTimeout": c.ask(t, "db", bson.D{{Key: "find", Value: "c"}, {Key: "batchSize", Value: 1}, {Key: "noCursorTimeout", Value: true}}).
			Lookup("cursor", "id").Int64(),
		"in use": openStreamOn(t, c),
	}
	if _, err := c.server.cursors.take(kept["in use"], &running{}); err != nil {
		t.Fatal(err)
	}
	c.ask(t, "admin", bson.D{{Key: "setParameter", Value: 1}, {Key: "cursorTimeoutMillis", Value: 60_000}})
	now := time.Now()
	if n := c.server.cursors.expire(now.Add(50 * time.Second)); n != 0 {
		t.Errorf("%d cursors ended before their time", n)
	}
	if n := c.server.cursors.expire(now.Add(70 * time.Second)); n != 1 {
		t.Errorf("%d cursors ended, want 1", n)
	}
	if _, err := c.server.cursors.take(idle, &running{}); !mongoerr.Is(err, mongoerr.CursorNotFound) {
		t.Errorf("the idle cursor: %v", err)
	}
	for which, id := range kept {
		if _, err := c.server.cursors.take(id, &running{}); mongoerr.Is(err, mongoerr.CursorNotFound) {
			t.Errorf("the cursor that is %s has ended", which)
		}
	}
}
