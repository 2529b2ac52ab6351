package store

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestLargeCommitsAreWholeOrNotThere: commits many times as large as a file of the journal, and larger than what Pebble takes into a table in
// memory, are there when they are durable, and all or nothing of them before.
func TestLargeCommitsAreWholeOrNotThere(t *testing.T) {
	t.Parallel()
	const docs, size, fileBytes = 10, 1 << 20, 64 << 10
	for name, commit := range map[string]func(s *Store, c *Collection) Commit{
		"of a write": func(s *Store, c *Collection) Commit {
			w := s.NewWrite()
			for n := range docs {
				d := doc("_id", n, "a", n, "text", strings.Repeat("x", size))
				if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
					t.Error(err)
				}
			}
			commit, err := w.Commit()
			if err != nil {
				t.Error(err)
			}
			return commit
		},
		"of a transaction": func(s *Store, c *Collection) Commit {
			x := begin(s)
			for n := range docs {
				if err := put(t, x, c, doc("_id", n, "a", n, "text", strings.Repeat("x", size))); err != nil {
					t.Error(err)
				}
			}
			commit, err := x.Commit(testTxn)
			if err != nil {
				t.Error(err)
			}
			s.SyncSoon()
			return commit
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			disk := &gatedFS{FS: mem, arrived: make(chan struct{}), gate: make(chan struct{})}
			s := open(t, Config{Dir: "data", FS: disk})
			c := collection(t, s, "c", indexSpec("a_1", "a", false))
			if err := s.WaitDurable(t.Context(), s.Applied()); err != nil {
				t.Fatal(err)
			}
			s.commit.journal.limit = fileBytes
			disk.held.Store(true)
			large := commit(s, c)
			<-disk.arrived
			for _, percent := range []int{0, 50, 100} {
				if n := countLeft(t, mem, percent); n != 0 && n != docs {
					t.Errorf("with %d%% of what was not synced there are %d documents of %d", percent, n, docs)
				}
			}
			disk.gate <- struct{}{}
			if err := large.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := countLeft(t, mem, 0); n != docs {
				t.Errorf("there are %d documents of %d that were durable", n, docs)
			}
			if err := insert(t, s, c, doc("_id", docs, "a", docs)).Wait(t.Context()); err != nil { // in the next file
				t.Fatal(err)
			}
			if n := countLeft(t, mem, 0); n != docs+1 {
				t.Errorf("with the commit after it there are %d documents of %d that were durable", n, docs+1)
			}
		})
	}
}

// countLeft counts the documents, and the entries of their index, in what a power failure would leave.
func countLeft(t *testing.T, disk *vfs.MemFS, percent int) int {
	t.Helper()
	left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 2))})
	s, err := Open(t.Context(), Config{Dir: "data", FS: left})
	if err != nil {
		t.Error(err)
		return -1
	}
	defer s.Close()
	c := s.Catalog().Collection("db", "c")
	n, err := s.Count(t.Context(), c)
	if err != nil {
		t.Error(err)
	}
	if entries := countEntries(t, s, c.Indexes[1]); entries != int(n) {
		t.Errorf("%d documents have %d entries", n, entries)
	}
	return int(n)
}
