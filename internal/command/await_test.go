package command

import (
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestAcknowledgedWriteIsInTheNextBatch: who has been told of a write finds it with the next getMore, however short that waits and
// however many streams are woken before.
func TestAcknowledgedWriteIsInTheNextBatch(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	open := func(conn *Conn) int64 {
		return send(t, conn, "db", bson.D{
			{Key: "aggregate", Value: "c"},
			{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}},
			{Key: "cursor", Value: bson.D{}},
		}).Lookup("cursor", "id").Int64()
	}
	more := func(conn *Conn, id int64, wait int) int {
		batch, err := send(t, conn, "db", bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: "c"}, {Key: "maxTimeMS", Value: wait}}).
			Lookup("cursor", "nextBatch").Array().Values()
		if err != nil {
			t.Errorf("getMore: %v", err)
		}
		return len(batch)
	}
	const writes = 100
	var others sync.WaitGroup
	for range 100 {
		conn := c.server.NewConn(ConnInfo{})
		id := open(conn)
		others.Go(func() {
			defer conn.Close()
			for seen := 0; seen < writes && !t.Failed(); {
				seen += more(conn, id, 400)
			}
		})
	}
	id := open(c.conn)
	for n := range writes {
		c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: n}}))
		if got := more(c.conn, id, 1); got != 1 {
			t.Errorf("after write %d: %d events", n, got)
		}
	}
	others.Wait()
}
