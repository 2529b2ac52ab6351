package store

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sluicestream/sluice/internal/mongoerr"
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

// TestTablesAheadOfTheJournalByATrim: of two trims without a commit between them the first is in the journal and both are in tables. Who
// asks for what the second has deleted is told so.
func TestTablesAheadOfTheJournalByATrim(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s := open(t, Config{Dir: "data", FS: disk})
	c := collection(t, s, "c")
	var commits []Commit
	for n := range 6 {
		commits = append(commits, insert(t, s, c, doc("_id", n)))
	}
	if err := s.WaitDurable(t.Context(), s.Applied()); err != nil {
		t.Fatal(err)
	}
	kept := 0
	s.trimmer.mu.marks = []mark{{commits[0].Last, 1}, {commits[3].Last, 1}}
	if err := errors.Join(s.trimmer.persist(&kept), s.trimmer.trim(commits[1].Last), s.trimmer.remove(commits[4].Last), s.Flush()); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Dir: "data", FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	for i, commit := range commits {
		_, err := again.Scan(t.Context(), commit.First, func(*oplog.Entry) (bool, error) { return true, nil })
		if lost := mongoerr.Is(err, mongoerr.ChangeStreamHistoryLost); lost != (i < 5) || err != nil && !lost {
			t.Errorf("a scan from entry %d of 6, of which the first 5 are gone: %v", i, err)
		}
	}
	if marks := again.trimmer.mu.marks; len(marks) > 0 {
		t.Errorf("there are marks of entries that are gone: %v", marks)
	}
}

// TestTablesAheadOfAJournalWithoutCommits: tables have a commit, and the journal has nothing but what came before the first.
func TestTablesAheadOfAJournalWithoutCommits(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s := open(t, Config{Dir: "data", FS: disk})
	collection(t, s, "c", indexSpec("a_1", "a", false))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: "data", FS: disk})
	c := s.Catalog().Collection("db", "c")
	x := c.Indexes[1]
	if err := errors.Join(x.noteArrays(s, []uint64{1}), s.commit.sync(), x.noteArrays(s, []uint64{2})); err != nil {
		t.Fatal(err)
	}
	w := s.NewWrite()
	w.Awaited = true
	d := doc("_id", 1, "a", 1)
	if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Dir: "data", FS: disk.CrashClone(vfs.CrashCloneCfg{})})
	if arrays := again.Catalog().Collection("db", "c").Indexes[1].Arrays(0); arrays != 3 {
		t.Errorf("the index knows of arrays at %b, want 11", arrays)
	}
	if again.Applied() != s.Applied() {
		t.Errorf("the newest commit is %v, want %v", again.Applied(), s.Applied())
	}
}
