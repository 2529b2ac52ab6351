package store

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sluicestream/sluice/internal/oplog"
)

// TestPowerFailureLosesNothingThatWasDurable takes what a disk would hold at any moment under load: what was synced, and any
// part of what was not. A store opened from it has every commit that was waited for, and every document exactly when it has
// its oplog entry.
func TestPowerFailureLosesNothingThatWasDurable(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s := open(t, Config{Dir: "folder/data", FS: disk})
	c := collection(t, s, "c", indexSpec("a_1", "a", false))
	if err := s.WaitDurable(t.Context(), s.Applied()); err != nil {
		t.Fatal(err)
	}

	var mu sync.Mutex
	var durable []int
	const writers, failures, between = 4, 20, 25 // documents between two failures
	progress, stop := make(chan struct{}), make(chan struct{})
	var working sync.WaitGroup
	for w := range writers {
		working.Go(func() {
			for n := w; ; n += writers {
				select {
				case <-stop:
					return
				default:
				}
				if err := insert(t, s, c, doc("_id", n, "a", -n)).Wait(t.Context()); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				durable = append(durable, n)
				mu.Unlock()
				select {
				case progress <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range failures {
		for range between {
			<-progress
		}
		mu.Lock()
		before := slices.Clone(durable)
		mu.Unlock()
		percent := []int{0, 30, 70, 100}[i%4]
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(random.Uint64(), 0))})
		checkAfterPowerFailure(t, left, before)
	}
	close(stop)
	working.Wait()
}

func checkAfterPowerFailure(t *testing.T, disk vfs.FS, durable []int) {
	t.Helper()
	s, err := Open(t.Context(), Config{Dir: "folder/data", FS: disk})
	if err != nil {
		t.Errorf("after %d durable documents: %v", len(durable), err)
		return
	}
	defer s.Close()
	c := s.Catalog().Collection("db", "c")
	if c == nil {
		t.Error("the collection is gone")
		return
	}
	var logged, stored []int
	if _, err := s.Scan(t.Context(), 1, func(e *oplog.Entry) (bool, error) {
		if e.Op == oplog.Insert {
			logged = append(logged, int(e.O.Lookup("_id").Int32()))
		}
		return true, nil
	}); err != nil {
		t.Error(err)
	}
	docs, err := s.Docs(c, Range{}, false)
	if err != nil {
		t.Fatal(err)
	}
	for docs.Next() {
		stored = append(stored, int(docs.Doc().Lookup("_id").Int32()))
	}
	if err := docs.Close(); err != nil {
		t.Error(err)
	}
	slices.Sort(logged)
	if indexed := countEntries(t, s, c.Indexes[1]); !slices.Equal(logged, stored) || indexed != len(stored) {
		t.Errorf("%d documents, %d in the oplog, %d in the index", len(stored), len(logged), indexed)
	}
	for _, n := range durable {
		if _, ok := slices.BinarySearch(stored, n); !ok {
			t.Errorf("document %d was durable and is gone", n)
			return
		}
	}
}
