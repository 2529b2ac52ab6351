package command

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestTopCountsByKind(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	one := func(name string, v any, more ...bson.E) bson.D { return append(bson.D{{Key: name, Value: v}}, more...) }
	c.ask(t, "db", one("insert", "a", bson.E{Key: "documents", Value: bson.A{bson.D{}, bson.D{}}}))
	c.ask(t, "db", one("find", "a"))
	c.ask(t, "db", one("find", "a"))
	c.ask(t, "db", one("count", "a"))
	c.ask(t, "db", one("find", "nowhere"))
	totals := c.ask(t, "admin", one("top", 1)).Lookup("totals").Document()
	if !totals.Lookup("db.nowhere").IsZero() {
		t.Errorf("top tells of a collection that there is not: %v", totals)
	}
	for kind, want := range map[string]int32{"total": 4, "readLock": 3, "writeLock": 1, "queries": 2, "insert": 1, "update": 0, "commands": 1} {
		if got := totals.Lookup("db.a", kind, "count").Int32(); got != want {
			t.Errorf("top counts %d %s, want %d", got, kind, want)
		}
	}
	commands := c.ask(t, "admin", one("serverStatus", 1)).Lookup("metrics", "commands").Document()
	if got := commands.Lookup("find", "total").Int64(); got != 3 {
		t.Errorf("serverStatus counts %d finds, want 3", got)
	}
}

func TestListCommandsTellsOfAll(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	listed, err := c.ask(t, "db", bson.D{{Key: "listCommands", Value: 1}}).Lookup("commands").Document().Elements()
	if err != nil || len(listed) != len(table()) {
		t.Fatalf("%d commands are listed, want %d (%v)", len(listed), len(table()), err)
	}
	for _, e := range listed {
		if e.Value().Document().Lookup("help").StringValue() == "" {
			t.Errorf("%s has no help", e.Key())
		}
	}
}
