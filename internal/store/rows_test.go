package store

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// TestReadsByIDNeverGoBack has readers and writers meet at few documents, which share slots, with and without room for all. A document is
// never older than what was committed, or seen by a walk, before it was read.
func TestReadsByIDNeverGoBack(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		slots int
		limit int64
	}{{3, 1 << 20}, {64, 1 << 20}, {64, 300}} {
		s := open(t, Config{})
		s.rows = newRows(of.slots, of.limit)
		x := &versioned{t: t, s: s, c: collection(t, s, "c")}
		stop := make(chan struct{})
		var readers, writers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						x.read(rand.IntN(len(x.committed)))
						x.readBehindWalk()
					}
				}
			})
		}
		for range 3 {
			writers.Go(func() {
				for range 3000 {
					x.write(rand.IntN(len(x.committed)), rand.IntN(4) == 0)
				}
			})
		}
		writers.Wait()
		close(stop)
		readers.Wait()
	}
}

// versioned are documents {_id, v} whose v grows with every write. Of five versions one is that there is no document.
type versioned struct {
	t         *testing.T
	s         *Store
	c         *Collection
	committed [12]atomic.Int64
}

func isAbsent(version int64) bool { return version%5 == 0 }

func (x *versioned) write(id int, inTxn bool) {
	key := idKey(doc("_id", id))
	target := Target(x.s)
	var txn *Txn
	if inTxn {
		txn = Begin(x.s, x.s.Snapshot())
		defer txn.Abort()
		if _, err := txn.Collection(x.t.Context(), "db", "c"); err != nil {
			x.t.Error(err)
			return
		}
		target = txn
	}
	held, err := target.LatchDocs(x.t.Context(), x.c, key)
	if err != nil {
		if !inTxn { // of a transaction it may be a conflict
			x.t.Error(err)
		}
		return
	}
	defer held.Release()
	version := x.committed[id].Load() + 1
	old, now := doc("_id", id, "v", int(version-1)), doc("_id", id, "v", int(version))
	w := target.NewWrite()
	e := &oplog.Entry{Op: oplog.Update, NS: []byte("db.c"), O: now, O2: doc("_id", id)}
	switch {
	case isAbsent(version - 1):
		err = w.Insert(x.c, key, x.c.Indexed(now), insertEntry(x.c, now))
	case isAbsent(version):
		err = w.Delete(x.c, key, old, e)
	default:
		err = w.Update(x.c, key, old, x.c.Indexed(now), e)
	}
	if err != nil {
		x.t.Error(err)
	}
	if _, err := w.Commit(); err != nil {
		x.t.Error(err)
	}
	if txn != nil {
		if _, err := txn.Commit(TxnID{LSID: bsonraw.Empty, Session: []byte("session-of-sixteen")}); err != nil {
			x.t.Error(err)
		}
	}
	x.committed[id].Store(version)
}

// read reads a document, which must be of a version or later.
func (x *versioned) read(id int) { x.readSince(id, x.committed[id].Load()) }

func (x *versioned) readSince(id int, atLeast int64) {
	d, _, ok, err := x.s.Get(nil, x.c, idKey(doc("_id", id)))
	if err != nil {
		x.t.Error(err)
	}
	if !ok {
		return
	}
	if v := int64(d.Lookup("v").Int32()); v < atLeast || d.Lookup("_id").Int32() != int32(id) {
		x.t.Errorf("read %v of document %d, where version %d was committed before", d.Shell(), id, atLeast)
	}
}

func (x *versioned) readBehindWalk() {
	docs, err := x.s.Docs(x.c, Range{}, false)
	if err != nil {
		x.t.Error(err)
		return
	}
	for docs.Next() {
		x.readSince(int(docs.Doc().Lookup("_id").Int32()), int64(docs.Doc().Lookup("v").Int32()))
	}
	if err := docs.Close(); err != nil {
		x.t.Error(err)
	}
}

// TestRowsOfWhatIsReadTwice are kept as long as there is room, and are as the last commit left them.
func TestRowsOfWhatIsReadTwice(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	old, now := doc("_id", 1, "a", 1), doc("_id", 1, "a", 2)
	insert(t, s, c, old)
	key := idKey(old)
	stored := append(appendNumbered(nil, kindDocument, c.ID), key...)
	kept := func() bool { return s.rows.at(stored).seen.of(stored) != nil }
	for i, want := range []bool{false, true, true} {
		if _, _, ok, err := s.Get(nil, c, key); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if kept() != want {
			t.Errorf("after read %d: kept is %v", i+1, kept())
		}
	}
	update(t, s, c, old, now)
	if d, _, ok, err := s.Get(nil, c, key); !ok || err != nil || !kept() || string(d) != string(now) {
		t.Errorf("after an update: %v, %v, kept %v: %v", d, ok, kept(), err)
	}
	mid, last := doc("_id", 1, "a", 3), doc("_id", 1, "a", 4)
	w := s.NewWrite()
	for _, by := range [][2]bsonraw.Doc{{now, mid}, {mid, last}} {
		e := &oplog.Entry{Op: oplog.Update, NS: []byte("db.c"), O: by[1], O2: doc("_id", 1)}
		if err := w.Update(c, key, by[0], c.Indexed(by[1]), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if d, _, ok, err := s.Get(nil, c, key); !ok || err != nil || string(d) != string(last) {
		t.Errorf("after two updates at once: %v, %v: %v", d, ok, err)
	}
	late := s.rows.at(stored)
	w = s.NewWrite()
	if err := w.Delete(c, key, last, &oplog.Entry{Op: oplog.Delete, NS: []byte("db.c"), O: doc("_id", 1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a reader that found the document before
		s.rows.keep(late, stored, append(make([]byte, stampLen), last...))
	}
	if d, _, ok, err := s.Get(nil, c, key); ok || err != nil || kept() {
		t.Errorf("after a delete: %v, %v, kept %v", d, err, kept())
	}
}

// TestRowsHaveALimit in bytes, all together and each.
func TestRowsHaveALimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	r := newRows(1024, limit)
	for i := range 2000 {
		key := appendNumbered(nil, kindDocument, uint32(i))
		for range 2 {
			r.keep(r.at(key), key, make([]byte, 50))
		}
		if n := r.bytes.Load(); n > limit {
			t.Fatalf("%d bytes", n)
		}
	}
	var sum int64
	for i := range r.slots {
		sum += r.slots[i].Load().size()
	}
	if sum != r.bytes.Load() || sum < limit/2 {
		t.Errorf("there are %d bytes, counted were %d", sum, r.bytes.Load())
	}
	key := appendNumbered(nil, kindDocument, 1)
	for range 2 {
		r.keep(r.at(key), key, make([]byte, largestRow))
	}
	if r.at(key).seen.of(key) != nil {
		t.Error("a large document is kept")
	}
}

// TestRowsThatShareASlot has one commit change a document once and another one twice, with one slot for both.
func TestRowsThatShareASlot(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	s.rows = newRows(1, 1<<20)
	c := collection(t, s, "c")
	one, other := doc("_id", 1, "a", 1), doc("_id", 2, "a", 1)
	insert(t, s, c, one, other)
	for range 2 {
		if _, _, ok, err := s.Get(nil, c, idKey(other)); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	mid, last := doc("_id", 2, "a", 2), doc("_id", 2, "a", 3)
	w := s.NewWrite()
	for _, by := range [][2]bsonraw.Doc{{one, doc("_id", 1, "a", 2)}, {other, mid}, {mid, last}} {
		e := &oplog.Entry{Op: oplog.Update, NS: []byte("db.c"), O: by[1], O2: by[0]}
		if err := w.Update(c, idKey(by[0]), by[0], c.Indexed(by[1]), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if d, _, ok, err := s.Get(nil, c, idKey(other)); !ok || err != nil || string(d) != string(last) {
		t.Errorf("read %v, %v: %v", d.Shell(), ok, err)
	}
}
