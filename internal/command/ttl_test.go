package command

import (
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// ids returns the ids of a collection's documents, in their order.
func (c *conversation) ids(t *testing.T, coll string) []int32 {
	t.Helper()
	reply := c.ask(t, "db", bson.D{{Key: "find", Value: coll}, {Key: "sort", Value: bson.D{{Key: "n", Value: 1}}}, {Key: "batchSize", Value: 100_000}})
	batch, err := reply.Lookup("cursor", "firstBatch").Array().Values()
	if err != nil {
		t.Fatal(err)
	}
	var list []int32
	for _, v := range batch {
		list = append(list, v.Document().Lookup("n").Int32())
	}
	return list
}

// insertAges inserts documents: n is their number, at when they are from.
func (c *conversation) insertAges(t *testing.T, coll string, at ...any) {
	t.Helper()
	documents := bson.A{}
	for i, v := range at {
		documents = append(documents, bson.D{{Key: "_id", Value: i}, {Key: "n", Value: i}, {Key: "at", Value: v}})
	}
	c.ask(t, "db", bson.D{{Key: "insert", Value: coll}, {Key: "documents", Value: documents}})
}

func (c *conversation) index(t *testing.T, coll string, options ...bson.E) {
	t.Helper()
	spec := append(bson.D{{Key: "key", Value: bson.D{{Key: "at", Value: 1}}}, {Key: "name", Value: "at"}}, options...)
	c.ask(t, "db", bson.D{{Key: "createIndexes", Value: coll}, {Key: "indexes", Value: bson.A{spec}}})
}

func TestDocumentsExpire(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	ago := func(seconds int) bson.DateTime {
		return bson.NewDateTimeFromTime(now.Add(-time.Duration(seconds) * time.Second))
	}
	for name, test := range map[string]struct {
		options bson.D
		at      []any
		want    []int32
	}{
		"dates":   {bson.D{{Key: "expireAfterSeconds", Value: 100}}, []any{ago(200), ago(101), ago(100), ago(99), ago(-5)}, []int32{3, 4}},
		"at once": {bson.D{{Key: "expireAfterSeconds", Value: 0}}, []any{ago(1), ago(0), ago(-1)}, []int32{2}},
		"of several the earliest": {
			bson.D{{Key: "expireAfterSeconds", Value: 100}},
			[]any{bson.A{ago(0), ago(200)}, bson.A{ago(0), ago(1)}, bson.A{}, bson.A{"x", ago(300)}},
			[]int32{1, 2},
		},
		"what is no date stays": {
			bson.D{{Key: "expireAfterSeconds", Value: 100}},
			[]any{nil, 5, "x", bson.Timestamp{T: 1}, bson.D{{Key: "at", Value: ago(200)}}, ago(1 << 31), bson.DateTime(-1 << 60)},
			[]int32{0, 1, 2, 3, 4},
		},
		"partial": {
			bson.D{{Key: "expireAfterSeconds", Value: 100}, {Key: "partialFilterExpression", Value: bson.D{{Key: "n", Value: bson.D{{Key: "$gte", Value: 2}}}}}},
			[]any{ago(200), ago(200), ago(200), ago(50)},
			[]int32{0, 1, 3},
		},
		"hidden": {bson.D{{Key: "expireAfterSeconds", Value: 100}, {Key: "hidden", Value: true}}, []any{ago(200), ago(50)}, []int32{1}},
		"sparse": {bson.D{{Key: "expireAfterSeconds", Value: 100}, {Key: "sparse", Value: true}}, []any{ago(200), ago(50)}, []int32{1}},
		"never":  {nil, []any{ago(1 << 30)}, []int32{0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConversation(t)
			c.index(t, "c", test.options...)
			c.insertAges(t, "c", test.at...)
			c.server.ttl.pass(c.server, now)
			if got := c.ids(t, "c"); !slices.Equal(got, test.want) {
				t.Errorf("left are %v, want %v", got, test.want)
			}
		})
	}
}

func TestExpiredDocumentsAreEvents(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.index(t, "c", bson.E{Key: "expireAfterSeconds", Value: 100})
	now := time.Now()
	c.insertAges(t, "c", bson.NewDateTimeFromTime(now.Add(-time.Hour)), bson.NewDateTimeFromTime(now))
	watch := bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}
	opened := c.ask(t, "db", bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: watch}, {Key: "cursor", Value: bson.D{}}})
	c.server.ttl.pass(c.server, now)
	reply := c.ask(t, "db", bson.D{{Key: "getMore", Value: opened.Lookup("cursor", "id").Int64()}, {Key: "collection", Value: "c"}})
	batch, err := reply.Lookup("cursor", "nextBatch").Array().Values()
	if err != nil || len(batch) != 1 {
		t.Fatalf("events %v (%v), want one", batch, err)
	}
	event := batch[0].Document()
	if kind, id := event.Lookup("operationType").StringValue(), event.Lookup("documentKey", "_id").Int32(); kind != "delete" || id != 0 {
		t.Errorf("the event is %v", event)
	}
	if got := c.server.ttl.deleted.Load(); got != 1 {
		t.Errorf("%d documents are counted as deleted, want 1", got)
	}
}

func TestClusteredDocumentsExpire(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	now := time.Now()
	c.ask(t, "db", bson.D{
		{Key: "create", Value: "c"},
		{Key: "clusteredIndex", Value: bson.D{{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "unique", Value: true}}},
		{Key: "expireAfterSeconds", Value: 100},
	})
	documents := bson.A{}
	for i, id := range []any{bson.NewDateTimeFromTime(now.Add(-time.Hour)), bson.NewDateTimeFromTime(now), 5, "x"} {
		documents = append(documents, bson.D{{Key: "_id", Value: id}, {Key: "n", Value: i}})
	}
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: documents}})
	c.server.ttl.pass(c.server, now)
	if got := c.ids(t, "c"); !slices.Equal(got, []int32{1, 2, 3}) {
		t.Errorf("left are %v", got)
	}
	c.ask(t, "db", bson.D{{Key: "collMod", Value: "c"}, {Key: "expireAfterSeconds", Value: "off"}})
	c.server.ttl.pass(c.server, now.Add(time.Hour))
	c.ask(t, "db", bson.D{{Key: "collMod", Value: "c"}, {Key: "expireAfterSeconds", Value: 7200}})
	c.server.ttl.pass(c.server, now.Add(time.Hour))
	if got := c.ids(t, "c"); !slices.Equal(got, []int32{1, 2, 3}) {
		t.Errorf("left are %v after nothing should expire", got)
	}
	c.server.ttl.pass(c.server, now.Add(3*time.Hour))
	if got := c.ids(t, "c"); !slices.Equal(got, []int32{2, 3}) {
		t.Errorf("left are %v in the end", got)
	}
}

func TestManyDocumentsExpireAndOneIsHeld(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.index(t, "c", bson.E{Key: "expireAfterSeconds", Value: 100})
	now := time.Now()
	at := make([]any, 2*ttlBatch+1)
	for i := range at {
		at[i] = bson.NewDateTimeFromTime(now.Add(-time.Hour))
	}
	c.insertAges(t, "c", at...)
	coll := c.server.store.Catalog().Collection("db", "c")
	held, err := c.server.store.LatchDocs(t.Context(), coll, coll.AppendIDKey(nil, bsonraw.Int32Value(7)))
	if err != nil {
		t.Fatal(err)
	}
	c.server.ttl.pass(c.server, now)
	if got := c.ids(t, "c"); !slices.Equal(got, []int32{7}) {
		t.Errorf("left are %d documents, want the one that is held", len(got))
	}
	held.Release()
	c.server.ttl.pass(c.server, now)
	if got := c.ids(t, "c"); len(got) != 0 {
		t.Errorf("left are %v", got)
	}
}

func TestTheDeleterRunsByItself(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.index(t, "c", bson.E{Key: "expireAfterSeconds", Value: 0})
	watch := bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}
	opened := c.ask(t, "db", bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: watch}, {Key: "cursor", Value: bson.D{}}})
	c.insertAges(t, "c", bson.NewDateTimeFromTime(time.Now()))
	c.server.ttl.setSleep(time.Millisecond)
	for {
		reply := c.ask(t, "db", bson.D{{Key: "getMore", Value: opened.Lookup("cursor", "id").Int64()}, {Key: "collection", Value: "c"}, {Key: "maxTimeMS", Value: 10_000}})
		batch, err := reply.Lookup("cursor", "nextBatch").Array().Values()
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range batch {
			if event.Document().Lookup("operationType").StringValue() == "delete" {
				return
			}
		}
	}
}
