package command

import (
	"runtime"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestACopyIsLockedWhenItIsThere: whoever finds a copy and gets its lock finds it complete: nobody writes to it, or drops it, before.
func TestACopyIsLockedWhenItIsThere(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", insertOf("a", bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "_id", Value: 2}}))
	other := c.server.NewConn(ConnInfo{ID: 2})
	defer other.Close()
	for range 300 {
		copied := make(chan bson.Raw, 1)
		go func() {
			copied <- send(t, other, "db", bson.D{{Key: "cloneCollectionAsCapped", Value: "a"}, {Key: "toCollection", Value: "b"}, {Key: "size", Value: 4096}})
		}()
		made := c.server.store.Catalog().Collection("db", "b")
		for ; made == nil; made = c.server.store.Catalog().Collection("db", "b") {
			runtime.Gosched()
		}
		if err := made.Lock.RLock(t.Context()); err != nil {
			t.Fatal(err)
		}
		n, err := c.server.store.Count(t.Context(), made)
		made.Lock.RUnlock()
		if reply := <-copied; n != 2 || err != nil || reply.Lookup("ok").Double() != 1 {
			t.Fatalf("a copy that can be locked has %d documents of 2, %v: %s", n, err, reply)
		}
		c.ask(t, "db", bson.D{{Key: "drop", Value: "b"}})
	}
}
