package command

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// TestAPreparedIndexGuardsTransactions has a transaction run into an entry that another document shares already, and one that keeps its own.
func TestAPreparedIndexGuardsTransactions(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{
		bson.D{{Key: "_id", Value: 1}, {Key: "a", Value: 1}}, bson.D{{Key: "_id", Value: 2}, {Key: "a", Value: 1}},
	}}})
	c.ask(t, "db", bson.D{{Key: "createIndexes", Value: "c"}, {Key: "indexes", Value: bson.A{
		bson.D{{Key: "key", Value: bson.D{{Key: "a", Value: 1}}}, {Key: "name", Value: "a_1"}, {Key: "prepareUnique", Value: true}},
	}}})
	number := int64(0)
	inTransaction := func(cmd bson.D) bson.Raw {
		number++
		fields := bson.D{{Key: "lsid", Value: sessionDoc(1)}, {Key: "txnNumber", Value: number}, {Key: "autocommit", Value: false}}
		reply := send(t, c.conn, "db", append(append(cmd, fields...), bson.E{Key: "startTransaction", Value: true}))
		if reply.Lookup("ok").Double() == 1 && reply.Lookup("writeErrors").IsZero() {
			c.ask(t, "admin", append(bson.D{{Key: "commitTransaction", Value: 1}}, fields...))
		}
		return reply
	}
	taken := inTransaction(bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: 3}, {Key: "a", Value: 1}}}}})
	if code, _ := taken.Lookup("writeErrors", "0", "code").Int32OK(); code != 11000 {
		t.Errorf("an entry that is taken was answered with %v, want code 11000", taken)
	}
	own := inTransaction(bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{
		bson.D{{Key: "q", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "u", Value: bson.D{{Key: "$set", Value: bson.D{{Key: "b", Value: 1}}}}}},
	}}})
	if n, _ := own.Lookup("nModified").Int32OK(); n != 1 {
		t.Errorf("a document that keeps its entry was answered with %v", own)
	}
}
