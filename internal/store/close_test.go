package store

import (
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// insertUnawaited commits a document whose maker says that it is going to wait, and does not.
func insertUnawaited(t *testing.T, s *Store, c *Collection, n int) Commit {
	t.Helper()
	w := s.NewWrite()
	w.Awaited = true
	d := doc("_id", n)
	if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
		t.Fatal(err)
	}
	commit, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

// mustClose closes a store, which must not hang.
func mustClose(t *testing.T, s *Store) {
	t.Helper()
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Close hangs")
	}
}

// TestCloseMakesDurableWhatNobodyWaitsFor: whoever was to sync it, the goroutine or one who does not come.
func TestCloseMakesDurableWhatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	for name, pending := range map[string]func(t *testing.T, s *Store, disk *gatedFS, c *Collection){
		"awaited by nobody": func(t *testing.T, s *Store, _ *gatedFS, c *Collection) {
			for n := range 10 {
				insertUnawaited(t, s, c, n)
			}
		},
		"left to the goroutine": func(t *testing.T, s *Store, _ *gatedFS, c *Collection) {
			for n := range 10 {
				insert(t, s, c, doc("_id", n))
			}
		},
		"behind a sync": func(t *testing.T, s *Store, disk *gatedFS, c *Collection) {
			disk.held.Store(true)
			insert(t, s, c, doc("_id", 0))
			<-disk.arrived
			for n := range 9 {
				insertUnawaited(t, s, c, n+1)
			}
			go func() { disk.gate <- struct{}{} }()
		},
		"without an entry too": func(t *testing.T, s *Store, _ *gatedFS, c *Collection) {
			for n := range 10 {
				insertUnawaited(t, s, c, n)
			}
			if err := s.commit.set(metaKey("test"), []byte("12345678")); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			left := vfs.NewCrashableMem()
			disk := &gatedFS{FS: left, arrived: make(chan struct{}), gate: make(chan struct{})}
			s := open(t, Config{Dir: "data", FS: disk})
			c := collection(t, s, "c")
			if err := s.WaitDurable(t.Context(), s.Applied()); err != nil {
				t.Fatal(err)
			}
			pending(t, s, disk, c)
			mustClose(t, s)
			if s.Durable() != s.Applied() {
				t.Errorf("%v is durable of %v", s.Durable(), s.Applied())
			}
			again := open(t, Config{Dir: "data", FS: left.CrashClone(vfs.CrashCloneCfg{})})
			if n, err := again.Count(t.Context(), again.Catalog().Collection("db", "c")); n != 10 || err != nil {
				t.Errorf("there are %d documents, %v", n, err)
			}
			if value, err := again.meta(metaKey("test")); err != nil || strings.HasPrefix(name, "without") != (value != 0) {
				t.Errorf("what has no entry is %x, %v", value, err)
			}
		})
	}
}

func TestCommitAfterCloseIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: "data", FS: vfs.NewMem()})
	c := collection(t, s, "c")
	w := s.NewWrite()
	d := doc("_id", 1)
	if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	applied := s.Applied()
	_, err := w.Commit()
	if err == nil || !strings.Contains(err.Error(), "closed") || strings.Contains(err.Error(), "failed") {
		t.Errorf("a commit after Close: %v", err)
	}
	if err := s.SetImageExpiry(ImageExpiry{Seconds: 1}); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a setting after Close: %v", err)
	}
	if s.Applied() != applied || s.Err() != nil {
		t.Errorf("after a commit that came too late %v is applied, %v: it is no failure of the storage", s.Applied(), s.Err())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
