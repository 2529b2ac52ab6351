package command

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// numbers inserts n documents whose ids begin at from.
func numbers(t *testing.T, conn *Conn, from, n int) bson.Raw {
	t.Helper()
	documents := make(bson.A, 0, n)
	for id := from; id < from+n; id++ {
		documents = append(documents, bson.D{{Key: "_id", Value: id}, {Key: "a", Value: id}, {Key: "b", Value: id % 7}})
	}
	return send(t, conn, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: documents}})
}

func createIndex(t *testing.T, conn *Conn, field string) bson.Raw {
	t.Helper()
	spec := bson.D{{Key: "key", Value: bson.D{{Key: field, Value: 1}}}, {Key: "name", Value: field}}
	return send(t, conn, "db", bson.D{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: bson.A{spec}}})
}

// TestBuildsAndWritersAtOnce has connections build indexes, two of them the same one, while others insert, update and delete. In
// the end each index has what the documents have.
func TestBuildsAndWritersAtOnce(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	numbers(t, c.conn, 0, 2000)
	c.each(6, func(i int, conn *Conn) {
		if i < 3 {
			if reply := createIndex(t, conn, []string{"a", "b", "b"}[i]); reply.Lookup("ok").Double() != 1 {
				t.Errorf("build %d: %v", i, reply)
			}
			return
		}
		for n := range 20 {
			id := 10_000*i + 10*n
			numbers(t, conn, id, 10)
			change := bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: id}}}, {Key: "u", Value: bson.D{{Key: "$inc", Value: bson.D{{Key: "a", Value: 1}, {Key: "b", Value: 1}}}}}}
			send(t, conn, "db", bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{change}}})
			gone := bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: id + 1}}}, {Key: "limit", Value: 1}}
			send(t, conn, "db", bson.D{{Key: "delete", Value: "c"}, {Key: "deletes", Value: bson.A{gone}}})
		}
	})
	reply := c.ask(t, "db", bson.D{{Key: "validate", Value: "c"}, {Key: "full", Value: true}})
	if !reply.Lookup("valid").Boolean() || reply.Lookup("nIndexes").Int32() != 3 {
		t.Errorf("validate says %v", reply)
	}
}

// TestDropDuringABuild drops the collection, or the index, while it is built. The build ends with an error or was there before;
// nothing of it is left.
func TestDropDuringABuild(t *testing.T) {
	t.Parallel()
	for _, drop := range []bson.D{
		{{Key: "drop", Value: "c"}},
		{{Key: "dropIndexes", Value: "c"}, {Key: "index", Value: "*"}},
		{{Key: "dropDatabase", Value: 1}},
	} {
		t.Run(fmt.Sprint(drop[0].Key), func(t *testing.T) {
			t.Parallel()
			c := newConversation(t)
			numbers(t, c.conn, 0, 3000)
			var built atomic.Bool
			c.each(2, func(i int, conn *Conn) {
				if i == 1 {
					for !built.Load() && len(c.server.store.Catalog().Collection("db", "c").Builds()) == 0 {
						runtime.Gosched()
					}
					if reply := send(t, conn, "db", slices.Clone(drop)); reply.Lookup("ok").Double() != 1 {
						t.Errorf("%v: %v", drop, reply)
					}
					return
				}
				reply := createIndex(t, conn, "a")
				built.Store(true)
				if code, _ := reply.Lookup("code").AsInt64OK(); reply.Lookup("ok").Double() != 1 && mongoerr.Code(code) != mongoerr.IndexBuildAborted {
					t.Errorf("the build ends with %v", reply)
				}
			})
			coll := c.server.store.Catalog().Collection("db", "c")
			switch {
			case coll == nil && drop[0].Key == "dropIndexes":
				t.Error("the collection is gone")
			case coll != nil && (len(coll.Builds()) != 0 || len(coll.Indexes) != 1):
				t.Errorf("left are %d indexes and %d builds", len(coll.Indexes), len(coll.Builds()))
			}
		})
	}
}
