package store

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// gatedFS is a filesystem on which syncs of the journal can be held up. It counts them.
type gatedFS struct {
	vfs.FS
	syncs   atomic.Int32
	held    atomic.Bool
	arrived chan struct{} // a sync that is held up has come
	gate    chan struct{} // and goes on
}

type gatedFile struct {
	vfs.File
	fs *gatedFS
}

func (f *gatedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	if err != nil || !strings.HasPrefix(filepath.Base(name), "journal-") {
		return file, err
	}
	return gatedFile{file, f}, nil
}

func (f gatedFile) SyncData() error {
	f.fs.syncs.Add(1)
	if f.fs.held.CompareAndSwap(true, false) {
		f.fs.arrived <- struct{}{}
		<-f.fs.gate
	}
	return f.File.SyncData()
}

func TestCommitsShareASync(t *testing.T) {
	t.Parallel()
	disk := &gatedFS{FS: vfs.NewMem(), arrived: make(chan struct{}), gate: make(chan struct{})}
	s := open(t, Config{Dir: "data", FS: disk})
	c := collection(t, s, "c")
	if err := s.WaitDurable(t.Context(), s.Applied()); err != nil {
		t.Fatal(err)
	}

	disk.held.Store(true)
	before := disk.syncs.Load()
	first := insert(t, s, c, doc("_id", 0))
	<-disk.arrived
	var last Commit
	for n := range 100 { // while the disk is busy with the first
		last = insert(t, s, c, doc("_id", n+1))
	}
	if durable := s.Durable(); durable >= first.First {
		t.Errorf("%v is durable, and the sync of %v is not over", durable, first.First)
	}
	disk.gate <- struct{}{}
	if err := last.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := disk.syncs.Load() - before; n != 2 {
		t.Errorf("101 commits took %d syncs, want one for the first and one for all others", n)
	}
	if n, err := s.Count(t.Context(), c); n != 101 || err != nil {
		t.Errorf("there are %d documents, %v", n, err)
	}
}
