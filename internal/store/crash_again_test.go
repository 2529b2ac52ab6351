package store

import (
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// versions are what documents hold: a number that grows with every write of the document.
type versions map[int]int

// crashing is a store under load of which the power fails again and again, also while it is opened.
type crashing struct {
	t       *testing.T
	random  *rand.Rand
	durable versions // that were waited for
}

const (
	crashKeys    = 16
	crashWriters = 4
	smallFile    = 4 << 10
	// writesOfOpening are more than most openings have, so that some are let be.
	writesOfOpening = 80
)

// TestPowerFailuresInARow: after each of many failures every document is as its last entry in the oplog says, and no older than a
// commit that was waited for. Journal files are so small that they are begun, given up and written over all the time, and Pebble
// writes tables at any moment.
func TestPowerFailuresInARow(t *testing.T) {
	t.Parallel()
	rounds := 10
	if testing.Short() {
		rounds = 3
	}
	for seed := range uint64(12) {
		c := &crashing{t: t, random: rand.New(rand.NewPCG(seed, 1)), durable: versions{}}
		disk := vfs.NewCrashableMem()
		for range rounds {
			if disk = c.round(disk); t.Failed() {
				t.Fatalf("with seed %d", seed)
			}
		}
	}
}

// fail gives what is on the disk when the power fails, with some share of what was not synced.
func (c *crashing) fail(disk *vfs.MemFS, shares ...int) *vfs.MemFS {
	percent := shares[c.random.IntN(len(shares))]
	return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(c.random.Uint64(), 0))})
}

// failsOnce has the power fail before one of the writes to a disk.
type failsOnce struct {
	mu    sync.Mutex
	calls int
	at    int
	fail  func() *vfs.MemFS
	left  *vfs.MemFS
}

func (f *failsOnce) String() string { return "power failure" }

func (f *failsOnce) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls++; f.calls == f.at {
		f.left = f.fail()
	}
	return nil
}

// opened returns what the failure has left, if it came, and prevents one that did not.
func (f *failsOnce) opened() *vfs.MemFS {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = 0
	return f.left
}

// round opens a store, has the power fail meanwhile, writes to it, and returns what a last failure leaves.
func (c *crashing) round(disk *vfs.MemFS) *vfs.MemFS {
	// Pebble needs the names of its manifest and of the marker that points to it kept in their order, as filesystems do.
	failure := &failsOnce{at: 1 + c.random.IntN(writesOfOpening), fail: func() *vfs.MemFS { return c.fail(disk, 0, 100) }}
	s, err := Open(c.t.Context(), Config{Dir: "data", FS: errorfs.Wrap(disk, failure)})
	if err != nil {
		c.t.Error(err)
		return disk
	}
	halfOpened := failure.opened()
	defer s.Close()
	s.commit.journal.limit = smallFile
	found := c.check(s)
	if halfOpened != nil {
		half, err := Open(c.t.Context(), Config{Dir: "data", FS: halfOpened})
		if err != nil {
			c.t.Error(err)
			return disk
		}
		defer half.Close()
		c.check(half)
	}
	return c.load(s, disk, found)
}

// load writes until the power fails.
func (c *crashing) load(s *Store, disk *vfs.MemFS, found versions) *vfs.MemFS {
	coll := s.Catalog().Collection("db", "c")
	if coll == nil {
		coll = collection(c.t, s, "c", indexSpec("a_1", "a", false))
		if err := s.WaitDurable(c.t.Context(), s.Applied()); err != nil {
			c.t.Error(err)
		}
	}
	var mu sync.Mutex
	durable := versions{}
	progress, stop := make(chan struct{}), make(chan struct{})
	var working sync.WaitGroup
	for w := range crashWriters {
		random := rand.New(rand.NewPCG(c.random.Uint64(), 0))
		mine := versions{}
		for key := w; key < crashKeys; key += crashWriters {
			mine[key] = found[key]
		}
		working.Go(func() {
			for {
				key := w + crashWriters*random.IntN(crashKeys/crashWriters)
				commit := c.write(s, coll, key, mine[key], random.IntN(2) == 0)
				mine[key]++
				if random.IntN(3) > 0 && commit.Wait(c.t.Context()) == nil {
					mu.Lock()
					durable[key] = mine[key]
					mu.Unlock()
				}
				select {
				case progress <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	for range c.random.IntN(200) {
		<-progress
		if c.random.IntN(20) == 0 {
			if err := s.Flush(); err != nil {
				c.t.Error(err)
			}
		}
	}
	mu.Lock()
	maps.Copy(c.durable, durable)
	mu.Unlock()
	left := c.fail(disk, 0, 0, 30, 70, 100)
	close(stop)
	working.Wait()
	c.checkSpares(s)
	return left
}

func (c *crashing) checkSpares(s *Store) {
	names, err := s.commit.journal.disk.List("data")
	if err != nil {
		c.t.Error(err)
	}
	n := 0
	for _, name := range names {
		if _, spare, ok := parseJournalName(name); ok && spare {
			n++
		}
	}
	if n > memTables {
		c.t.Errorf("there are %d spare files", n)
	}
}

func (c *crashing) write(s *Store, coll *Collection, key, version int, awaited bool) Commit {
	now := doc("_id", key, "a", version+1)
	e := &oplog.Entry{Op: oplog.Insert, NS: []byte(coll.NS()), UUID: coll.UUID, HasUUID: true, O: now, O2: doc("_id", key)}
	w := s.NewWrite()
	w.Awaited = awaited
	var err error
	if version == 0 {
		err = w.Insert(coll, idKey(now), coll.Indexed(now), e)
	} else {
		e.Op = oplog.Update
		err = w.Update(coll, idKey(now), doc("_id", key, "a", version), coll.Indexed(now), e)
	}
	if err != nil {
		c.t.Error(err)
	}
	commit, err := w.Commit()
	if err != nil {
		c.t.Error(err)
	}
	if awaited && version%2 == 0 {
		s.SyncSoon()
	}
	return commit
}

// check returns what documents hold.
func (c *crashing) check(s *Store) versions {
	logged, found := versions{}, versions{}
	if _, err := s.Scan(c.t.Context(), 1, func(e *oplog.Entry) (bool, error) {
		if e.Op == oplog.Insert || e.Op == oplog.Update {
			key, version := version(e.O)
			if version != logged[key]+1 {
				c.t.Errorf("version %d of document %d follows %d in the oplog", version, key, logged[key])
			}
			logged[key] = version
		}
		return true, nil
	}); err != nil {
		c.t.Error(err)
	}
	if coll := s.Catalog().Collection("db", "c"); coll != nil {
		c.read(s, coll, found)
	}
	for key := range crashKeys {
		if found[key] != logged[key] || found[key] < c.durable[key] {
			c.t.Errorf("document %d has version %d, in the oplog %d; %d was durable", key, found[key], logged[key], c.durable[key])
		}
	}
	return found
}

func (c *crashing) read(s *Store, coll *Collection, found versions) {
	docs, err := s.Docs(coll, Range{}, false)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer docs.Close()
	for docs.Next() {
		key, version := version(docs.Doc())
		found[key] = version
	}
	if n := countEntries(c.t, s, coll.Indexes[1]); n != len(found) {
		c.t.Errorf("%d entries in the index for %d documents", n, len(found))
	}
}

func version(d bsonraw.Doc) (key, version int) {
	return int(d.Lookup("_id").Int32()), int(d.Lookup("a").Int32())
}
