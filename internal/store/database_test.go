package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestADatabaseOutlivesItsLastCollection until it is dropped, or the store is opened again.
func TestADatabaseOutlivesItsLastCollection(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	s := open(t, Config{Dir: "data", FS: disk})
	check := func(when string, want bool) {
		t.Helper()
		if got := s.Catalog().HasDatabase("db"); got != want {
			t.Errorf("%s there is a database: %v", when, got)
		}
	}
	drop := func(change func(*Change)) {
		t.Helper()
		ch := s.Change()
		change(ch)
		if _, err := ch.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	dropCollection := func() {
		t.Helper()
		c := s.Catalog().Collection("db", "c")
		drop(func(ch *Change) {
			if err := ch.Drop(c); err != nil {
				t.Fatal(err)
			}
			ch.Log(insertEntry(c, doc("drop", "c")))
		})
	}
	check("before all", false)
	collection(t, s, "c")
	check("with a collection", true)
	dropCollection()
	check("without the collection", true)
	drop(func(ch *Change) {
		ch.DropDatabase("db")
		ch.Log(insertEntry(&Collection{DB: "db", Name: "$cmd"}, doc("dropDatabase", 1)))
	})
	check("after it was dropped", false)
	collection(t, s, "c")
	dropCollection()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: "data", FS: disk})
	check("after a new start", false)
}
