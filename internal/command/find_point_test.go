package command

import (
	"bytes"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestFindByIDWithoutPlanSaysTheSame asks for documents by _id in the way that needs no plan, and in another way that has one: whatever is
// asked along with it, the replies are the same.
func TestFindByIDWithoutPlanSaysTheSame(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "create", Value: "folded"}, {Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 2}}}})
	c.ask(t, "db", bson.D{{Key: "create", Value: "capped"}, {Key: "capped", Value: true}, {Key: "size", Value: 1 << 20}})
	c.ask(t, "db", bson.D{{Key: "create", Value: "series"}, {Key: "timeseries", Value: bson.D{{Key: "timeField", Value: "t"}}}})
	c.ask(t, "db", bson.D{{Key: "create", Value: "view"}, {Key: "viewOn", Value: "c"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$match", Value: bson.D{{Key: "n", Value: 1}}}}}}})
	ids := bson.A{
		int32(1), int64(7), 1.5, "a", "A", true, bson.NewDateTimeFromTime(time.Unix(9, 0)),
		bson.ObjectID{1},
		bson.Binary{Data: []byte{1, 2}},
		bson.Timestamp{T: 5, I: 1},
		bson.D{{Key: "x", Value: 1}},
	}
	for _, coll := range []string{"c", "folded", "capped"} {
		for _, id := range ids {
			send(t, c.conn, "db", insertOf(coll, bson.D{{Key: "_id", Value: id}, {Key: "n", Value: 1}, {Key: "t", Value: "text"}}))
		}
	}
	c.ask(t, "db", insertOf("series", bson.D{{Key: "_id", Value: 1}, {Key: "t", Value: time.Unix(1, 0)}}, bson.D{{Key: "_id", Value: 1}, {Key: "t", Value: time.Unix(2, 0)}}))

	options := []bson.D{
		{},
		{{Key: "limit", Value: 1}, {Key: "singleBatch", Value: true}},
		{{Key: "limit", Value: 1}, {Key: "batchSize", Value: 1}},
		{{Key: "limit", Value: 1}, {Key: "batchSize", Value: 0}},
		{{Key: "batchSize", Value: 1}, {Key: "singleBatch", Value: true}},
		{{Key: "limit", Value: -1}},
		{{Key: "skip", Value: 1}},
		{{Key: "sort", Value: bson.D{{Key: "n", Value: 1}}}},
		{{Key: "sort", Value: bson.D{{Key: "n", Value: "up"}}}},
		{{Key: "sort", Value: bson.D{{Key: "$natural", Value: -1}}}},
		{{Key: "sort", Value: bson.D{}}, {Key: "projection", Value: bson.D{}}},
		{{Key: "projection", Value: bson.D{{Key: "n", Value: 1}}}},
		{{Key: "let", Value: bson.D{{Key: "x", Value: 1}}}},
		{{Key: "let", Value: bson.D{{Key: "X", Value: 1}}}},
		{{Key: "hint", Value: "_id_"}},
		{{Key: "hint", Value: "none"}},
		{{Key: "hint", Value: nil}},
		{{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 1}}}},
		{{Key: "collation", Value: bson.D{{Key: "locale", Value: "nowhere"}}}},
		{{Key: "min", Value: bson.D{{Key: "_id", Value: 0}}}, {Key: "hint", Value: "_id_"}},
		{{Key: "returnKey", Value: true}},
		{{Key: "showRecordId", Value: true}},
		{{Key: "tailable", Value: true}},
		{{Key: "awaitData", Value: true}},
		{{Key: "noCursorTimeout", Value: true}, {Key: "allowDiskUse", Value: true}},
		{{Key: "readConcern", Value: bson.D{{Key: "level", Value: "snapshot"}}}},
		{{Key: "readConcern", Value: bson.D{{Key: "level", Value: "majority"}}}},
		{{Key: "readConcern", Value: bson.D{{Key: "afterClusterTime", Value: bson.Timestamp{T: 1 << 31}}}}},
		{{Key: "collectionUUID", Value: bson.Binary{Subtype: 4, Data: make([]byte, 16)}}},
		{{Key: "filter", Value: bson.D{{Key: "n", Value: 2}}}},
		{{Key: "unknown", Value: 1}},
	}
	for _, coll := range []string{"c", "folded", "capped", "series", "view", "missing"} {
		for _, id := range append(append(bson.A{}, ids...), int32(2), "b", nil, bson.A{1}, bson.Regex{Pattern: "a"}) {
			for _, more := range options {
				of := func(filter bson.D) bson.Raw {
					return settledReply(t, send(t, c.conn, "db", append(bson.D{{Key: "find", Value: coll}, {Key: "filter", Value: filter}}, more...)))
				}
				plain, planned := of(bson.D{{Key: "_id", Value: id}}), of(bson.D{{Key: "$and", Value: bson.A{bson.D{{Key: "_id", Value: id}}}}})
				if !bytes.Equal(plain, planned) {
					t.Errorf("%s, _id %v, %v: got\n%v, with a plan\n%v", coll, id, more, plain, planned)
				}
			}
		}
	}
}

// TestFullBatchOfOneIDIsTheLast asks for one _id and one document a batch: the cursor does not stay open, whether the find has a plan or not,
// but where the _id is asked for in another way.
func TestFullBatchOfOneIDIsTheLast(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "create", Value: "clustered"}, {Key: "clusteredIndex", Value: bson.D{
		{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "unique", Value: true},
	}}})
	byID := bson.D{{Key: "_id", Value: 1}}
	for _, coll := range []string{"plain", "clustered"} {
		c.ask(t, "db", insertOf(coll, byID))
	}
	for _, test := range []struct {
		name, coll string
		filter     bson.D
		more       bson.D
		open       bool
	}{
		{"no plan", "plain", byID, nil, false},
		{"a plan", "plain", byID, bson.D{{Key: "sort", Value: bson.D{{Key: "n", Value: 1}}}}, false},
		{"a hint", "plain", byID, bson.D{{Key: "hint", Value: "_id_"}}, true},
		{"an operator", "plain", bson.D{{Key: "_id", Value: bson.D{{Key: "$eq", Value: 1}}}}, nil, true},
		{"clustered", "clustered", byID, nil, true},
		{"a batch of nothing", "plain", byID, bson.D{{Key: "batchSize", Value: 0}}, true},
		{"a batch of nothing without a collection", "missing", byID, bson.D{{Key: "batchSize", Value: 0}}, false},
	} {
		command := bson.D{{Key: "find", Value: test.coll}, {Key: "filter", Value: test.filter}}
		if test.more == nil || test.more[0].Key != "batchSize" {
			command = append(command, bson.E{Key: "batchSize", Value: 1})
		}
		reply := c.ask(t, "db", append(command, test.more...))
		if open := reply.Lookup("cursor", "id").Int64() != 0; open != test.open {
			t.Errorf("%s: the cursor is open: %v, want %v", test.name, open, test.open)
		}
	}
}

// settledReply is a reply without what is another in each: the cursor's number.
func settledReply(t *testing.T, reply bson.Raw) bson.Raw {
	t.Helper()
	var d bson.D
	if err := bson.Unmarshal(reply, &d); err != nil {
		t.Fatal(err)
	}
	for i := range d {
		cursor, ok := d[i].Value.(bson.D)
		if !ok || d[i].Key != "cursor" {
			continue
		}
		for j := range cursor {
			if cursor[j].Key == "id" && cursor[j].Value != int64(0) {
				cursor[j].Value = "open"
			}
		}
	}
	out, err := bson.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFindByIDInTransactions sees what the transaction has written, and nothing that others have.
func TestFindByIDInTransactions(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 1}}))
	s := newSession(t, c, 1)
	find := func(id int) bson.D {
		return bson.D{{Key: "find", Value: "c"}, {Key: "filter", Value: bson.D{{Key: "_id", Value: id}}}}
	}
	count := func(reply bson.Raw) int {
		list, err := s.must(reply).Lookup("cursor", "firstBatch").Array().Values()
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := count(s.begin(find(1))); n != 1 {
		t.Errorf("%d documents at first", n)
	}
	c.ask(t, "db", insertOf("c", bson.D{{Key: "_id", Value: 2}}))
	if n := count(s.run(find(2))); n != 0 {
		t.Error("a document is there that was inserted after the transaction began")
	}
	s.must(s.run(insertOf("c", bson.D{{Key: "_id", Value: 3}})))
	if n := count(s.run(find(3))); n != 1 {
		t.Error("the transaction's own document is not there")
	}
	s.must(s.commit())
}
