package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// failsAlways has the power fail, or the process end, before every write to a disk, and keeps what that would leave.
type failsAlways struct {
	mu      sync.Mutex
	disk    *vfs.MemFS
	percent int // of what was not synced that stays
	left    []*vfs.MemFS
}

func (f *failsAlways) String() string { return "power failures" }

func (f *failsAlways) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.left = append(f.left, f.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: f.percent, RNG: rand.New(rand.NewPCG(1, 2))}))
	}
	return nil
}

// TestEveryFormatOpensAfterAnOpeningThatEnded: a store of any format, with its opening by this version ended at any write by a power
// failure, or by the end of the process, which loses nothing, has everything when it is opened again.
func TestEveryFormatOpensAfterAnOpeningThatEnded(t *testing.T) {
	t.Parallel()
	stores, err := filepath.Glob("testdata/format-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range stores {
		for _, percent := range []int{0, 100} {
			t.Run(fmt.Sprint(filepath.Base(from), " ", percent), func(t *testing.T) {
				t.Parallel()
				disk := vfs.NewCrashableMem()
				if _, err := vfs.Clone(vfs.Default, disk, from, "data", vfs.CloneSync); err != nil {
					t.Fatal(err)
				}
				if err := syncFolder(disk, ""); err != nil {
					t.Fatal(err)
				}
				failures := &failsAlways{disk: disk, percent: percent}
				s, err := Open(t.Context(), Config{Dir: "data", FS: errorfs.Wrap(disk, failures)})
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if n := len(failures.left); n < 20 {
					t.Errorf("an opening has %d writes, fewer than it must have", n)
				}
				for i, left := range failures.left {
					checkLeft(t, left)
					if t.Failed() {
						t.Fatalf("after an opening that ended at write %d of %d", i+1, len(failures.left))
					}
				}
			})
		}
	}
}

func checkLeft(t *testing.T, left vfs.FS) {
	s, err := Open(t.Context(), Config{Dir: "data", FS: left})
	if err != nil {
		t.Error(err)
		return
	}
	checkFixture(t, s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
