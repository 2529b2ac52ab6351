package command

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// A collectionUUID without a value is none, as that of a driver that always sends the argument.
func TestCollectionUUIDWithoutValueIsNone(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	for _, none := range []any{nil, bson.Undefined{}} {
		for _, cmd := range []bson.D{
			insertOf("c", bson.D{}),
			{{Key: "find", Value: "c"}},
			{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{}}, {Key: "cursor", Value: bson.D{}}},
		} {
			c.ask(t, "db", append(cmd, bson.E{Key: "collectionUUID", Value: none}))
		}
	}
}
