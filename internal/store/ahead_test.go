package store

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sluicestream/sluice/internal/oplog"
)

// update replaces a document, and leaves it to others to make that durable.
func update(t *testing.T, s *Store, c *Collection, old, now []byte) {
	t.Helper()
	w := s.NewWrite()
	w.Awaited = true
	e := &oplog.Entry{Op: oplog.Update, NS: []byte(c.NS()), UUID: c.UUID, HasUUID: true, O: now, O2: doc("_id", 1)}
	if err := w.Update(c, idKey(old), old, c.Indexed(now), e); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestTablesAheadOfTheJournal: Pebble may have written a commit to tables that the journal does not have yet when the power fails. What
// the journal has from before that commit must not be put over it.
func TestTablesAheadOfTheJournal(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s := open(t, Config{Dir: "data", FS: disk})
	c := collection(t, s, "c", indexSpec("a_1", "a", false))
	before, now := doc("_id", 1, "a", 1), doc("_id", 1, "a", 2)
	if err := insert(t, s, c, before).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	update(t, s, c, before, now)
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Dir: "data", FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	c = again.Catalog().Collection("db", "c")
	got, ts, _, err := again.Get(nil, c, idKey(before))
	if err != nil || string(got) != string(now) || ts != again.Applied() {
		t.Errorf("the document is %v of %v, %v; its update is in the oplog at %v", got, ts, err, again.Applied())
	}
	if n := countEntries(t, again, c.Indexes[1]); n != 1 {
		t.Errorf("the index has %d entries, want 1", n)
	}
}
