package command

import (
	"context"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestCappedCollectionsStaySoundUnderWriters inserts, changes and removes documents of a capped collection from several connections.
// What is stored must agree with itself in the end.
func TestCappedCollectionsStaySoundUnderWriters(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "create", Value: "a"}, {Key: "capped", Value: true}, {Key: "size", Value: 4096}, {Key: "max", Value: 20}})
	c.ask(t, "db", bson.D{{Key: "createIndexes", Value: "a"}, {Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "n", Value: 1}}}, {Key: "name", Value: "n"}}}}})
	const writers, each = 4, 150
	var working sync.WaitGroup
	for w := range writers {
		conn := c.server.NewConn(ConnInfo{ID: int32(10 + w)})
		defer conn.Close()
		working.Go(func() {
			for i := range each {
				id := w*each + i
				write(t, conn, bson.D{{Key: "insert", Value: "a"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: id}, {Key: "n", Value: i}}}}})
				write(t, conn, bson.D{{Key: "update", Value: "a"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: id - 3}}}, {Key: "u", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: -i}}}}}}}}})
				if i%10 == 0 {
					write(t, conn, bson.D{{Key: "delete", Value: "a"}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: id}}}, {Key: "limit", Value: 1}}}}})
				}
			}
		})
	}
	working.Wait()
	found := c.ask(t, "db", bson.D{{Key: "validate", Value: "a"}, {Key: "full", Value: true}})
	if !found.Lookup("valid").Boolean() || found.Lookup("nrecords").Int32() > 20 {
		t.Errorf("validate: %v", found)
	}
}

// write runs a write that must succeed.
func write(t *testing.T, conn *Conn, cmd bson.D) {
	body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: "db"}))
	if err != nil {
		t.Error(err)
		return
	}
	out, _ := conn.Run(context.Background(), &Request{Body: body}, nil)
	if reply := bson.Raw(out); reply.Lookup("ok").Double() != 1 || !reply.Lookup("writeErrors").IsZero() {
		t.Errorf("%v: %v", cmd, reply)
	}
}
