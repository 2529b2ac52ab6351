package store

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

// TestEveryCommitBecomesDurable: whoever waits or does not, and whose wait is given up, also where it was to lead.
func TestEveryCommitBecomesDurable(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: "data", FS: vfs.NewMem()})
	c := collection(t, s, "c")
	const writers, commits = 8, 300
	var working sync.WaitGroup
	for w := range writers {
		random := rand.New(rand.NewPCG(uint64(w), 5))
		working.Go(func() {
			for n := range commits {
				tx := s.NewWrite()
				d := doc("_id", w*commits+n)
				if err := tx.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
					t.Error(err)
				}
				waits := random.IntN(3) > 0
				tx.Awaited = waits
				commit, err := tx.Commit()
				if err != nil {
					t.Error(err)
				}
				if !waits {
					continue
				}
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(2) == 0 {
					go cancel()
				}
				if err := commit.Wait(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	working.Wait()
	x := NewWait()
	for s.Waves().Newest() < s.Applied() {
		s.Waves().Enter(x, s.Waves().Newest())
		select {
		case <-x.Turn():
		case <-time.After(time.Minute):
			t.Fatalf("%v is not durable, of all that was written up to %v", s.Durable(), s.Applied())
		}
		s.Waves().Leave(x)
	}
}
