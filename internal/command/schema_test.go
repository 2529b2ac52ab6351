package command

import (
	"fmt"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// each runs fn for 0 to n-1 at the same time, each with a connection of its own.
func (c *conversation) each(n int, fn func(i int, conn *Conn)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			conn := c.server.NewConn(ConnInfo{})
			defer conn.Close()
			fn(i, conn)
		})
	}
	wg.Wait()
}

// entries counts the commands that were logged by their names, and as dropTarget the renames that dropped a collection.
func (c *conversation) entries(t *testing.T) map[string]int {
	t.Helper()
	counts := map[string]int{}
	_, err := c.server.store.Scan(t.Context(), c.logged+1, func(e *oplog.Entry) (bool, error) {
		if it := e.O.Iter(); e.Op == oplog.Command && it.Next() {
			counts[string(it.Key())]++
			if !e.O.Lookup("dropTarget").IsMissing() {
				counts["dropTarget"]++
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

func TestManyWritersCreateACollectionOnce(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.each(8, func(i int, conn *Conn) {
		r := send(t, conn, "db", bson.D{
			{Key: "insert", Value: "a"},
			{Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: i}}}},
			{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}},
		})
		if r.Lookup("n").Int32() != 1 {
			t.Errorf("insert: %v", r)
		}
	})
	if n := c.entries(t)["create"]; n != 1 {
		t.Errorf("%d collections were created", n)
	}
	if n := c.ask(t, "db", bson.D{{Key: "count", Value: "a"}}).Lookup("n").Int32(); n != 8 {
		t.Errorf("%d documents, want 8", n)
	}
}

// TestWritesWhileTheSchemaChanges lets collections be renamed in a circle and indexed while documents are written to them.
func TestWritesWhileTheSchemaChanges(t *testing.T) {
	t.Parallel()
	const writers, documents, rounds = 4, 100, 30
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "create", Value: "a"}})
	c.each(writers+2, func(i int, conn *Conn) {
		switch i {
		case writers:
			for round := range rounds {
				from, to := fmt.Sprintf("db.%c", 'a'+round%3), fmt.Sprintf("db.%c", 'a'+(round+1)%3)
				send(t, conn, "admin", bson.D{{Key: "renameCollection", Value: from}, {Key: "to", Value: to}})
			}
		case writers + 1:
			for round := range rounds {
				name := string(rune('a' + round%3))
				send(t, conn, "db", bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: bson.A{
					bson.D{{Key: "key", Value: bson.D{{Key: "n", Value: 1}}}, {Key: "name", Value: "n_1"}},
				}}})
				send(t, conn, "db", bson.D{{Key: "dropIndexes", Value: name}, {Key: "index", Value: "n_1"}})
			}
		default:
			for n := range documents {
				r := send(t, conn, "db", bson.D{{Key: "insert", Value: string(rune('a' + n%3))}, {Key: "documents", Value: bson.A{
					bson.D{{Key: "_id", Value: i*documents + n}, {Key: "n", Value: n}},
				}}})
				if r.Lookup("n").Int32() != 1 {
					t.Errorf("insert: %v", r)
				}
			}
		}
	})
	total := int32(0)
	for _, name := range []string{"a", "b", "c"} {
		reply := c.ask(t, "db", bson.D{{Key: "count", Value: name}})
		total += reply.Lookup("n").Int32()
		c.ask(t, "db", bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: bson.A{
			bson.D{{Key: "key", Value: bson.D{{Key: "n", Value: 1}}}, {Key: "name", Value: "n_1"}},
		}}})
		indexed := c.ask(t, "db", bson.D{
			{Key: "find", Value: name},
			{Key: "filter", Value: bson.D{{Key: "n", Value: bson.D{{Key: "$gte", Value: 0}}}}},
			{Key: "hint", Value: "n_1"},
			{Key: "batchSize", Value: writers * documents},
		})
		batch, err := indexed.Lookup("cursor", "firstBatch").Array().Values()
		if err != nil {
			t.Fatal(err)
		}
		if len(batch) != int(reply.Lookup("n").Int32()) {
			t.Errorf("%s: the index has %d documents, the collection %d", name, len(batch), reply.Lookup("n").Int32())
		}
	}
	if total != writers*documents {
		t.Errorf("%d documents are left of %d", total, writers*documents)
	}
}

func TestDropsAndInsertsAtTheSameTime(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.each(6, func(i int, conn *Conn) {
		for n := range 30 {
			switch i {
			case 0:
				send(t, conn, "db", bson.D{{Key: "dropDatabase", Value: 1}})
			case 1:
				send(t, conn, "db", bson.D{{Key: "drop", Value: "a"}})
			case 2:
				r := send(t, conn, "admin", bson.D{{Key: "renameCollection", Value: "db.a"}, {Key: "to", Value: "db.b"}, {Key: "dropTarget", Value: true}})
				if code, failed := r.Lookup("code").Int32OK(); failed && code != int32(mongoerr.NamespaceNotFound) {
					t.Errorf("rename: %v", r)
				}
			default:
				r := send(t, conn, "db", bson.D{{Key: "insert", Value: "a"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: i*1000 + n}}}}})
				if r.Lookup("n").Int32() != 1 {
					t.Errorf("insert: %v", r)
				}
			}
		}
	})
	c.ask(t, "db", bson.D{{Key: "dropDatabase", Value: 1}, {Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}}}})
	counts := c.entries(t)
	if counts["create"] != counts["drop"]+counts["dropTarget"] {
		t.Errorf("what was created is not what was dropped: %v", counts)
	}
	if left := c.server.store.Catalog().Collections("db"); len(left) != 0 {
		t.Errorf("%d collections are left", len(left))
	}
}

func TestWhatIsRefusedIsNotThere(t *testing.T) {
	t.Parallel()
	for name := range unsupported {
		if lookup([]byte(name)) != nil {
			t.Errorf("%s is in the table of commands and among those that are refused", name)
		}
	}
	for alias, name := range aliases {
		if table()[name] == nil && unsupported[name] == "" {
			t.Errorf("%s is another spelling of %s, which there is not", alias, name)
		}
	}
}
