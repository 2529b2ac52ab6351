package store

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

var errBroken = errors.New("the disk is broken")

// breakingDisk counts what changes files of the journal, and syncs of their folder after that. It fails at a call, or from it on.
// Pebble's own syncs of the folder are not touched: where they fail it panics.
type breakingDisk struct {
	mu     sync.Mutex
	calls  int
	named  bool // the name of a file has changed, and the folder was not synced since
	at     int
	onward bool
}

func (d *breakingDisk) String() string { return "breaking disk" }

func (d *breakingDisk) MaybeError(op errorfs.Op) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	journal := strings.Contains(op.Path, "journal-")
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || !journal && !(op.Path == "data" && d.named) {
		return nil
	}
	d.named = journal && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpRename || op.Kind == errorfs.OpRemove)
	d.calls++
	if d.calls == d.at || d.onward && d.calls > d.at {
		return errBroken
	}
	return nil
}

// workOn opens a store on a disk that may break, and writes to it through several files of the journal until something fails. It returns
// how many documents are durable.
func workOn(t *testing.T, disk *vfs.MemFS, breaking *breakingDisk) (durable int) {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: "data", FS: errorfs.Wrap(disk, breaking)})
	if err != nil {
		if !errors.Is(err, errBroken) {
			t.Error(err)
		}
		return 0
	}
	s.commit.journal.limit = 1 << 10
	defer func() {
		if err := s.Close(); err != nil && !errors.Is(err, errBroken) {
			t.Error(err)
		}
	}()
	c := s.Catalog().Collection("db", "c")
	for n := range 20 {
		d := doc("_id", n, "text", strings.Repeat("x", 100))
		w := s.NewWrite()
		if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
			t.Error(err)
		}
		commit, err := w.Commit()
		if err == nil {
			err = commit.Wait(t.Context())
		}
		if err != nil {
			if s.Err() == nil {
				t.Errorf("%v, and the store goes on", err)
			}
			return n
		}
		if n%10 == 9 {
			_ = s.Flush() // fails where the disk does
		}
	}
	return 20
}

// TestJournalOnADiskThatBreaks has each call that changes the journal fail in turn. Nothing hangs, nothing is acknowledged that is not there
// when the disk is well again, and Close returns.
func TestJournalOnADiskThatBreaks(t *testing.T) {
	t.Parallel()
	for _, onward := range []bool{false, true} {
		for at := 1; ; at++ {
			disk := vfs.NewCrashableMem()
			s, err := Open(t.Context(), Config{Dir: "data", FS: disk})
			if err != nil {
				t.Fatal(err)
			}
			collection(t, s, "c")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			breaking := &breakingDisk{at: at, onward: onward}
			durable := workOn(t, disk, breaking)
			for _, left := range []*vfs.MemFS{disk, disk.CrashClone(vfs.CrashCloneCfg{})} {
				again := open(t, Config{Dir: "data", FS: left})
				n, err := again.Count(t.Context(), again.Catalog().Collection("db", "c"))
				if err != nil || n < int64(durable) || n > int64(durable)+1 {
					t.Errorf("call %d failed: there are %d documents, %v, and %d were durable", at, n, err, durable)
				}
			}
			if t.Failed() || breaking.calls < at {
				break
			}
		}
	}
}

// failingOnce is a file of which one write to the disk fails.
type failingOnce struct {
	vfs.File
	failed bool
}

func (f *failingOnce) SyncData() error {
	if !f.failed {
		f.failed = true
		return errBroken
	}
	return f.File.SyncData()
}

// TestJournalWritesNothingAfterAFailure: a later record would stand behind a gap, or what was lost would be taken for synced.
func TestJournalWritesNothingAfterAFailure(t *testing.T) {
	t.Parallel()
	j, _ := mustOpenJournal(t, vfs.NewMem())
	j.file.File = &failingOnce{File: j.file.File}
	for range 2 {
		if err := j.append([]byte("one"), 1); err != nil {
			t.Fatal(err)
		}
		if err := j.sync(); !errors.Is(err, errBroken) {
			t.Errorf("a sync gives %v, want %v", err, errBroken)
		}
	}
	if err := j.sync(); !errors.Is(err, errBroken) {
		t.Errorf("a sync of nothing gives %v, want %v", err, errBroken)
	}
}
