package command

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// series creates a time-series collection whose time is in t and whose meta field is m.
func (c *conversation) series(t *testing.T, name string, options ...bson.E) {
	t.Helper()
	fields := bson.D{{Key: "timeField", Value: "t"}, {Key: "metaField", Value: "m"}}
	c.ask(t, "db", append(bson.D{{Key: "create", Value: name}, {Key: "timeseries", Value: fields}}, options...))
}

// insertMeasured inserts measurements: n is their number, t their time, m the same for all.
func insertMeasured(t *testing.T, conn *Conn, coll string, at ...any) {
	t.Helper()
	documents := bson.A{}
	for i, v := range at {
		documents = append(documents, bson.D{{Key: "t", Value: v}, {Key: "m", Value: "a"}, {Key: "n", Value: i}})
	}
	reply := send(t, conn, "db", bson.D{{Key: "insert", Value: coll}, {Key: "documents", Value: documents}})
	if n := reply.Lookup("n"); n.Type != bson.TypeInt32 || int(n.Int32()) != len(at) {
		t.Errorf("insert of %d measurements: %v", len(at), reply)
	}
}

func TestMeasurementsExpire(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	now := time.Now()
	ago := func(d time.Duration) bson.DateTime { return bson.NewDateTimeFromTime(now.Add(-d)) }
	c.series(t, "c", bson.E{Key: "expireAfterSeconds", Value: 100})
	insertMeasured(t, c.conn, "c", ago(time.Hour), ago(0), ago(200*time.Second), ago(99*time.Second), ago(100*365*24*time.Hour))
	c.server.ttl.pass(c.server, now)
	if got := c.ids(t, "c"); !slices.Equal(got, []int32{1, 3}) {
		t.Errorf("left are %v", got)
	}
	c.ask(t, "db", bson.D{{Key: "collMod", Value: "c"}, {Key: "expireAfterSeconds", Value: "off"}})
	c.server.ttl.pass(c.server, now.Add(time.Hour))
	if got := c.ids(t, "c"); !slices.Equal(got, []int32{1, 3}) {
		t.Errorf("left are %v after nothing should expire", got)
	}
	c.ask(t, "db", bson.D{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: bson.A{bson.D{
		{Key: "key", Value: bson.D{{Key: "t", Value: 1}}},
		{Key: "name", Value: "of a"},
		{Key: "expireAfterSeconds", Value: 100},
		{Key: "partialFilterExpression", Value: bson.D{{Key: "m", Value: "a"}}},
	}}}})
	c.server.ttl.pass(c.server, now.Add(90*time.Second))
	if got := c.ids(t, "c"); !slices.Equal(got, []int32{1}) {
		t.Errorf("left are %v of the meta field that an index lets expire", got)
	}
}

// TestMeasurementsOutliveARestart closes a server and opens its folder again: what was measured is there, and goes on.
func TestMeasurementsOutliveARestart(t *testing.T) {
	t.Parallel()
	cfg := Config{ReplicaSet: "rs0"}
	cfg.Store.Dir = t.TempDir()
	at := []any{bson.DateTime(2000), bson.DateTime(-1), bson.DateTime(2000), bson.DateTime(1000)}
	for round := range 3 {
		server, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := &conversation{server: server}
		c.connect()
		if round == 0 {
			c.series(t, "c")
		}
		insertMeasured(t, c.conn, "c", at...)
		c.ask(t, "db", bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{bson.D{
			{Key: "q", Value: bson.D{}}, {Key: "u", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "m", Value: round}}}}}, {Key: "multi", Value: true},
		}}}})
		for filter, want := range map[string]int{`{}`: 4 * (round + 1), `{"t": {"$gt": {"$date": "1970-01-01T00:00:01Z"}}}`: 2 * (round + 1), `{"m": "a"}`: 0} {
			var query bson.D
			if err := bson.UnmarshalExtJSON([]byte(filter), false, &query); err != nil {
				t.Fatal(err)
			}
			reply := c.ask(t, "db", bson.D{{Key: "count", Value: "c"}, {Key: "query", Value: query}})
			if got := int(reply.Lookup("n").Int32()); got != want {
				t.Errorf("round %d: %s counts %d, want %d", round, filter, got, want)
			}
		}
		if reply := c.ask(t, "db", bson.D{{Key: "validate", Value: "system.buckets.c"}, {Key: "full", Value: true}}); !reply.Lookup("valid").Boolean() {
			t.Errorf("round %d: %v", round, reply)
		}
		c.conn.Close()
		if err := server.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyMeasureAtOnce has several clients insert measurements of the same time: none may take another's place.
func TestManyMeasureAtOnce(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.series(t, "c")
	const clients, each = 4, 300
	var working sync.WaitGroup
	for range clients {
		working.Go(func() {
			conn := c.server.NewConn(ConnInfo{ID: 2, Remote: "127.0.0.1:40001", Advertised: "127.0.0.1:27017"})
			defer conn.Close()
			for range each / 3 {
				insertMeasured(t, conn, "c", bson.DateTime(5), bson.DateTime(5), bson.DateTime(5))
			}
		})
	}
	working.Wait()
	if got := len(c.ids(t, "c")); got != clients*each {
		t.Errorf("there are %d measurements, want %d", got, clients*each)
	}
}

// TestMeasurementsDoNotReplaceOthers lays measurements where the next ones would be stored, as after a restart with a clock that has gone
// back.
func TestMeasurementsDoNotReplaceOthers(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.series(t, "c")
	st := c.server.store
	coll := st.Catalog().Measurements("db", "c")
	raw, err := bson.Marshal(bson.D{{Key: "t", Value: bson.DateTime(5)}, {Key: "n", Value: int32(-1)}})
	if err != nil {
		t.Fatal(err)
	}
	key := store.AppendNewKey(nil, st, coll, bsonraw.Doc(raw))
	prefix, number := key[:len(key)-8], binary.BigEndian.Uint64(key[len(key)-8:])
	const laid = 20
	tx := st.NewWrite()
	for i := range laid {
		at := binary.BigEndian.AppendUint64(slices.Clone(prefix), number+laid+uint64(i))
		entry := &oplog.Entry{Op: oplog.Insert, NS: []byte(coll.NS()), UUID: coll.UUID, HasUUID: true, O: raw, O2: bsonraw.Empty}
		if err := tx.Insert(coll, at, coll.Indexed(raw), entry); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	at := make([]any, 2*laid)
	for i := range at {
		at[i] = bson.DateTime(5)
	}
	insertMeasured(t, c.conn, "c", at...)
	if got := len(c.ids(t, "c")); got != 3*laid {
		t.Errorf("there are %d measurements, want %d", got, 3*laid)
	}
}
