package command

import (
	"context"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// exhaust sends a request that takes many replies.
func exhaust(t *testing.T, c *Conn, db string, cmd bson.D) (bson.Raw, Then) {
	t.Helper()
	body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: db}))
	if err != nil {
		t.Fatal(err)
	}
	reply, then := c.Run(context.Background(), &Request{Body: body, Exhaust: true}, nil)
	return bson.Raw(reply), then
}

func watching(version bson.RawValue, wait time.Duration) bson.D {
	return bson.D{{Key: "hello", Value: 1}, {Key: "topologyVersion", Value: version}, {Key: "maxAwaitTimeMS", Value: wait.Milliseconds()}}
}

func TestHelloWaitsForAnotherTopology(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	known := c.ask(t, "admin", bson.D{{Key: "hello", Value: 1}}).Lookup("topologyVersion")
	begun := time.Now()
	c.ask(t, "admin", watching(known, 20*time.Millisecond))
	if waited := time.Since(begun); waited < 20*time.Millisecond {
		t.Errorf("it waited %v, want 20 ms", waited)
	}
	other := bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: mustMarshal(t, bson.D{
		{Key: "processId", Value: bson.NewObjectID()}, {Key: "counter", Value: int64(9)},
	})}
	c.ask(t, "admin", watching(other, time.Hour)) // of another start: answered at once
}

func mustMarshal(t *testing.T, d bson.D) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestHelloGoesOnUntilTheServerIsAboutToStop(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	known := c.ask(t, "admin", bson.D{{Key: "hello", Value: 1}}).Lookup("topologyVersion")
	reply, then := exhaust(t, c.conn, "admin", watching(known, time.Millisecond))
	for range 3 {
		if then != ThenMore || !reply.Lookup("topologyVersion").Equal(known) {
			t.Fatalf("%v, then %v, want more", reply, then)
		}
		var raw []byte
		raw, then = c.conn.More(context.Background(), nil, nil)
		reply = raw
	}
	waiting := make(chan bson.Raw)
	if _, then = exhaust(t, c.conn, "admin", watching(known, 0)); then != ThenMore {
		t.Fatalf("then %v, want more", then)
	}
	go func() {
		raw, _ := c.conn.Run(context.Background(), &Request{Body: bsonraw.Doc(mustMarshal(t, append(watching(known, time.Hour), bson.E{Key: "$db", Value: "admin"})))}, nil)
		waiting <- raw
	}()
	c.server.Quiesce()
	reply = <-waiting
	if code := reply.Lookup("code").Int32(); code != 91 {
		t.Errorf("the hello was answered with %v, want code 91", reply)
	}
	if counter := reply.Lookup("topologyVersion", "counter").Int64(); counter <= known.Document().Lookup("counter").Int64() {
		t.Errorf("the error carries the version %d, want a later one", counter)
	}
	if reply := send(t, c.conn, "admin", bson.D{{Key: "hello", Value: 1}}); reply.Lookup("code").Int32() != 91 {
		t.Errorf("a later hello was answered with %v, want code 91", reply)
	}
	c.ask(t, "admin", bson.D{{Key: "ping", Value: 1}})
}

func TestGetMoreGoesOnToTheEnd(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{
		bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "_id", Value: 2}}, bson.D{{Key: "_id", Value: 3}}, bson.D{{Key: "_id", Value: 4}}, bson.D{{Key: "_id", Value: 5}},
	}}})
	first, then := exhaust(t, c.conn, "db", bson.D{{Key: "find", Value: "c"}, {Key: "batchSize", Value: 1}})
	if then != ThenWait {
		t.Fatalf("find: then %v, want the next request", then)
	}
	reply, then := exhaust(t, c.conn, "db", bson.D{{Key: "getMore", Value: first.Lookup("cursor", "id")}, {Key: "collection", Value: "c"}, {Key: "batchSize", Value: 2}})
	var got []int32
	for {
		batch, err := reply.Lookup("cursor", "nextBatch").Array().Values()
		if err != nil {
			t.Fatalf("%v: %v", reply, err)
		}
		for _, v := range batch {
			got = append(got, v.Document().Lookup("_id").Int32())
		}
		if then != ThenMore {
			break
		}
		var raw []byte
		raw, then = c.conn.More(context.Background(), nil, nil)
		reply = raw
	}
	if len(got) != 4 || got[3] != 5 {
		t.Errorf("got %v, want 2 to 5", got)
	}
	if _, then := exhaust(t, c.conn, "db", bson.D{{Key: "getMore", Value: int64(5)}, {Key: "collection", Value: "c"}}); then != ThenWait {
		t.Errorf("after an error: then %v", then)
	}
}
