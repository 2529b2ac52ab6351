package command

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// endless is an expression that nobody sees the end of, which takes little memory.
func endless() bson.D {
	in := bson.D{{Key: "$max", Value: bson.A{"$$this", "$$value"}}}
	for range 4 {
		in = bson.D{{Key: "$reduce", Value: bson.D{
			{Key: "input", Value: bson.D{{Key: "$range", Value: bson.A{0, 30_000}}}}, {Key: "initialValue", Value: 0}, {Key: "in", Value: in},
		}}}
	}
	return in
}

// endlessCommands do something that takes years, each in another place.
func endlessCommands() map[string]bson.D {
	truth := bson.D{{Key: "$expr", Value: bson.D{{Key: "$ne", Value: bson.A{endless(), -1}}}}}
	pipeline := func(stages ...bson.D) bson.D {
		return bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: stages}, {Key: "cursor", Value: bson.D{}}}
	}
	unwind := bson.D{{Key: "$unwind", Value: "$a"}}
	again := bson.D{{Key: "$set", Value: bson.D{{Key: "a", Value: "$$ROOT.b"}}}}
	many := []bson.D{}
	for range 20 {
		many = append(many, again, unwind)
	}
	modify := func(field string, u any) bson.D {
		return bson.D{{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: bson.D{}}, {Key: field, Value: u}}}}}
	}
	return map[string]bson.D{
		"find":            {{Key: "find", Value: "c"}, {Key: "filter", Value: truth}},
		"projection":      {{Key: "find", Value: "c"}, {Key: "projection", Value: bson.D{{Key: "x", Value: endless()}}}},
		"let":             {{Key: "find", Value: "c"}, {Key: "let", Value: bson.D{{Key: "x", Value: bson.D{{Key: "$map", Value: bson.D{{Key: "input", Value: bson.A{1}}, {Key: "in", Value: endless()}}}}}}}},
		"count":           {{Key: "count", Value: "c"}, {Key: "query", Value: truth}},
		"distinct":        {{Key: "distinct", Value: "c"}, {Key: "key", Value: "a"}, {Key: "query", Value: truth}},
		"$unwind":         pipeline(append(many, bson.D{{Key: "$match", Value: bson.D{{Key: "a", Value: -1}}}})...),
		"$group":          pipeline(bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: endless()}}}}),
		"$replaceWith":    pipeline(bson.D{{Key: "$replaceWith", Value: bson.D{{Key: "x", Value: endless()}}}}),
		"update filter":   {{Key: "update", Value: "c"}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: truth}, {Key: "u", Value: bson.D{}}}}}},
		"update pipeline": modify("u", bson.A{bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: endless()}}}}}),
		"delete":          {{Key: "delete", Value: "c"}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: truth}, {Key: "limit", Value: 0}}}}},
		"findAndModify":   {{Key: "findAndModify", Value: "c"}, {Key: "update", Value: bson.D{}}, {Key: "fields", Value: bson.D{{Key: "x", Value: endless()}}}},
		"insert":          {{Key: "insert", Value: "strict"}, {Key: "documents", Value: bson.A{bson.D{{Key: "x", Value: 1}}}}},
	}
}

// withEndless makes a server whose commands of endlessCommands find something to do.
func withEndless(t *testing.T) *conversation {
	t.Helper()
	c := newConversation(t)
	numbers := make(bson.A, 100)
	for i := range numbers {
		numbers[i] = i
	}
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{{Key: "b", Value: numbers}}}}})
	c.ask(t, "db", bson.D{{Key: "create", Value: "strict"}, {Key: "validator", Value: bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{endless(), -1}}}}}}})
	return c
}

func TestTheTimeLimitEndsWhatTakesLong(t *testing.T) {
	t.Parallel()
	for name, cmd := range endlessCommands() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := withEndless(t)
			got := send(t, c.conn, "db", append(cmd, bson.E{Key: "maxTimeMS", Value: 20}))
			if code, _ := got.Lookup("code").Int32OK(); code != 50 {
				t.Errorf("answered with %v, want code 50", got)
			}
		})
	}
}

func TestKillOpEndsWhatTakesLong(t *testing.T) {
	t.Parallel()
	for name, cmd := range endlessCommands() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := withEndless(t)
			other := c.server.NewConn(ConnInfo{ID: 77})
			t.Cleanup(other.Close)
			body, err := bson.Marshal(append(cmd, bson.E{Key: "$db", Value: "db"}))
			if err != nil {
				t.Fatal(err)
			}
			reply := make(chan bson.Raw, 1)
			go func() {
				out, _ := other.Run(context.Background(), &Request{Body: body}, nil)
				reply <- bson.Raw(out)
			}()
			var shown bson.Raw
			for shown == nil {
				got := c.ask(t, "admin", bson.D{{Key: "currentOp", Value: 1}, {Key: "desc", Value: "conn77"}, {Key: "opid", Value: bson.D{{Key: "$exists", Value: true}}}})
				shown, _ = got.Lookup("inprog", "0").DocumentOK()
			}
			c.ask(t, "admin", bson.D{{Key: "killOp", Value: 1}, {Key: "op", Value: shown.Lookup("opid")}})
			if got := <-reply; got.Lookup("code").Int32() != 11601 {
				t.Errorf("answered with %v, want code 11601", got)
			}
		})
	}
}
