package command

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func entriesOf(t *testing.T, cursor bson.Raw, batch string) []string {
	t.Helper()
	values, err := cursor.Lookup("cursor", batch).Array().Values()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, v := range values {
		list = append(list, v.Document().Lookup("op").StringValue()+" "+v.Document().Lookup("ns").StringValue())
	}
	return list
}

func TestOplogIsReadAsACollection(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: 1}}))
	reply := c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: 2}}))
	seconds, increment := reply.Lookup("operationTime").Timestamp()
	at := bson.Timestamp{T: seconds, I: increment}
	find := func(more ...bson.E) bson.Raw {
		return c.ask(t, "local", append(bson.D{{Key: "find", Value: "oplog.rs"}}, more...))
	}
	filter := func(operator string) bson.E {
		return bson.E{Key: "filter", Value: bson.D{{Key: "ts", Value: bson.D{{Key: operator, Value: at}}}}}
	}
	for _, k := range []struct {
		name string
		with []bson.E
		want []string
	}{
		{"everything", nil, []string{"n ", "c db.$cmd", "i db.c", "i db.c"}},
		{"from a time on", []bson.E{filter("$gte")}, []string{"i db.c"}},
		{"after a time", []bson.E{filter("$gt")}, nil},
		{"before a time", []bson.E{filter("$lt")}, []string{"n ", "c db.$cmd", "i db.c"}},
		{"at a time", []bson.E{{Key: "filter", Value: bson.D{{Key: "ts", Value: at}}}}, []string{"i db.c"}},
		{"backwards", []bson.E{{Key: "sort", Value: bson.D{{Key: "$natural", Value: -1}}}, {Key: "limit", Value: 1}}, []string{"i db.c"}},
	} {
		got := entriesOf(t, find(k.with...), "firstBatch")
		if len(got) != len(k.want) {
			t.Errorf("%s: %q, want %q", k.name, got, k.want)
			continue
		}
		for i := range got {
			if got[i] != k.want[i] {
				t.Errorf("%s: %q, want %q", k.name, got, k.want)
			}
		}
	}
	tail := find(filter("$gte"), bson.E{Key: "tailable", Value: true}, bson.E{Key: "awaitData", Value: true})
	id := tail.Lookup("cursor", "id").Int64()
	c.ask(t, "db", bson.D{{Key: "delete", Value: "c"}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "limit", Value: 1}}}}})
	next := c.ask(t, "local", bson.D{{Key: "getMore", Value: id}, {Key: "collection", Value: "oplog.rs"}, {Key: "maxTimeMS", Value: 30_000}})
	if got := entriesOf(t, next, "nextBatch"); len(got) != 1 || got[0] != "d db.c" || next.Lookup("cursor", "id").Int64() != id {
		t.Errorf("the tail gave %q: %v", got, next)
	}
	for command, code := range map[string]int32{"insert": 73, "update": 73, "delete": 73, "createIndexes": 73, "collMod": 73, "drop": 5255000} {
		body := bson.D{{Key: command, Value: "oplog.rs"}}
		switch command {
		case "insert":
			body = insertOf("oplog.rs", bson.D{})
		case "update":
			body = append(body, bson.E{Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: bson.D{}}, {Key: "u", Value: bson.D{}}}}})
		case "delete":
			body = append(body, bson.E{Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: bson.D{}}, {Key: "limit", Value: 0}}}})
		case "createIndexes":
			body = append(body, bson.E{Key: "indexes", Value: bson.A{bson.D{{Key: "key", Value: bson.D{{Key: "a", Value: 1}}}, {Key: "name", Value: "a"}}}})
		}
		if reply := send(t, c.conn, "local", body); reply.Lookup("code").AsInt64() != int64(code) {
			t.Errorf("%s: %v, want code %d", command, reply, code)
		}
	}
}
