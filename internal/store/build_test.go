package store

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// building is a collection on which indexes are built.
type building struct {
	tb testing.TB
	s  *Store
	c  *Collection
	b  *Build
}

// startBuild begins to build indexes with specifications.
func startBuild(tb testing.TB, s *Store, c *Collection, specs ...bsonraw.Doc) *building {
	tb.Helper()
	ch := s.Change()
	var indexes []*Index
	for _, spec := range specs {
		x, err := ch.NewIndex(spec)
		if err != nil {
			tb.Fatal(err)
		}
		indexes = append(indexes, x)
	}
	ch.Discard()
	if err := c.Lock.Lock(context.Background()); err != nil {
		tb.Fatal(err)
	}
	defer c.Lock.Unlock()
	return &building{tb, s, c, s.StartBuild(c, [16]byte{1}, indexes)}
}

func (b *building) fill() {
	b.tb.Helper()
	if err := b.b.Fill(context.Background()); err != nil {
		b.tb.Fatal(err)
	}
}

// finish ends the build and puts the indexes into the catalog, or returns the error.
func (b *building) finish() error {
	b.tb.Helper()
	if err := b.c.Lock.Lock(context.Background()); err != nil {
		b.tb.Fatal(err)
	}
	defer b.c.Lock.Unlock()
	if err := b.b.Finish(context.Background()); err != nil {
		if err := b.b.Close(false); err != nil {
			b.tb.Fatal(err)
		}
		return err
	}
	ch := b.s.Change()
	next := *b.c
	next.Indexes = slices.Concat(b.c.Indexes, b.b.Indexes)
	if err := ch.Put(&next); err != nil {
		b.tb.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("createIndexes", "c")})
	if _, err := ch.Commit(); err != nil {
		b.tb.Fatal(err)
	}
	return b.b.Close(true)
}

// put stores a document, whatever was there; without fields it deletes it. The error is that of an index.
func (b *building) put(id int, fields ...any) error {
	b.tb.Helper()
	if err := b.c.Lock.RLock(context.Background()); err != nil {
		b.tb.Fatal(err)
	}
	defer b.c.Lock.RUnlock()
	c := b.s.Catalog().Collection("db", "c")
	d := doc(append([]any{"_id", id}, fields...)...)
	held, err := b.s.LatchDocs(context.Background(), c, idKey(d))
	if err != nil {
		b.tb.Fatal(err)
	}
	defer held.Release()
	old, _, ok, err := b.s.Get(nil, c, idKey(d))
	if err != nil {
		b.tb.Fatal(err)
	}
	w := b.s.NewWrite()
	switch e := insertEntry(c, d); {
	case fields == nil && !ok:
	case fields == nil:
		err = w.Delete(c, idKey(d), old, e)
	case ok:
		err = w.Update(c, idKey(d), old, c.Indexed(d), e)
	default:
		err = w.Insert(c, idKey(d), c.Indexed(d), e)
	}
	if err != nil {
		w.Discard()
		return err
	}
	if _, err := w.Commit(); err != nil {
		b.tb.Fatal(err)
	}
	return nil
}

func (b *building) mustPut(id int, fields ...any) {
	b.tb.Helper()
	if err := b.put(id, fields...); err != nil {
		b.tb.Fatal(err)
	}
}

// checkEntries compares the entries of the built indexes with those that the documents should have.
func (b *building) checkEntries() {
	b.tb.Helper()
	for _, x := range b.b.Indexes {
		var want, got []string
		docs, err := b.s.Docs(b.c, Range{}, false)
		if err != nil {
			b.tb.Fatal(err)
		}
		for docs.Next() {
			keys, err := x.keysOf(docs.Doc())
			if err != nil {
				b.tb.Fatal(err)
			}
			for _, k := range keys.keys {
				want = append(want, string(k)+string(docs.IDKey()))
			}
		}
		it, err := b.s.Entries(x, Range{}, false)
		if err != nil {
			b.tb.Fatal(err)
		}
		for it.Next() {
			got = append(got, string(it.Key()))
		}
		if docs.Close() != nil || it.Close() != nil {
			b.tb.Fatal("a walk failed")
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			b.tb.Errorf("index %s has %d entries, want %d: %q %q", x.Name, len(got), len(want), got, want)
		}
	}
	for _, kind := range []byte{kindBuildLog} {
		if err := b.s.each(kind, func(key, _ []byte) error { b.tb.Errorf("left in the log: %x", key); return nil }); err != nil {
			b.tb.Fatal(err)
		}
	}
}

func TestBuildSeesWhatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c", indexSpec("z_1", "z", false))
	for i := range 50 {
		insert(t, s, c, doc("_id", i, "a", i))
	}
	b := startBuild(t, s, c, indexSpec("a_1", "a", false), indexSpec("u_1", "u", true))
	b.mustPut(1, "a", 100, "u", 1)
	b.mustPut(2)
	b.mustPut(60, "a", []int{1, 2, 3}, "u", 2)
	b.mustPut(60, "a", []int{2, 4}, "u", 3)
	b.mustPut(61, "u", 4)
	b.mustPut(61)
	for i := range 50 {
		b.mustPut(i, "a", i, "u", 100+i)
	}
	b.fill()
	b.mustPut(3, "a", 7, "u", 103)
	b.mustPut(4)
	b.mustPut(62, "a", 7, "u", 104)
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	b.checkEntries()
	if !b.b.Indexes[0].Multikey() || len(c.Builds()) != 0 {
		t.Error("the index does not know of its arrays, or the build has not ended")
	}
	select {
	case <-b.b.Done():
	default:
		t.Error("those who wait for the build were not told")
	}
}

func TestBuildUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	for i := range 3000 {
		insert(t, s, c, doc("_id", i, "a", i%100))
	}
	b := startBuild(t, s, c, indexSpec("a_1", "a", false), indexSpec("b_1", "b", false))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for {
				select {
				case <-stop:
					return
				default:
				}
				switch id := r.IntN(4000); r.IntN(3) {
				case 0:
					b.mustPut(id)
				case 1:
					b.mustPut(id, "a", []int{r.IntN(9), r.IntN(9)}, "b", r.IntN(5))
				default:
					b.mustPut(id, "a", r.IntN(100))
				}
			}
		})
	}
	b.fill()
	err := b.finish()
	close(stop)
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	b.checkEntries()
}

func TestBuildJudgesUniquenessAtItsEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		during, after func(b *building)
		want          mongoerr.Code
	}{
		"twice from the beginning":     {want: mongoerr.DuplicateKey},
		"mended before the scan":       {during: func(b *building) { b.mustPut(2, "a", 9) }},
		"mended after the scan":        {after: func(b *building) { b.mustPut(2, "a", 9) }},
		"deleted after the scan":       {after: func(b *building) { b.mustPut(2) }},
		"mended, and another":          {during: func(b *building) { b.mustPut(2, "a", 9); b.mustPut(3, "a", 9) }, want: mongoerr.DuplicateKey},
		"mended, and another, later":   {after: func(b *building) { b.mustPut(2, "a", 8); b.mustPut(3, "a", 9); b.mustPut(4, "a", 9) }, want: mongoerr.DuplicateKey},
		"exchanged":                    {after: func(b *building) { b.mustPut(2, "a", 5); b.mustPut(3, "a", 1); b.mustPut(1, "a", 3) }},
		"one that comes with an array": {during: func(b *building) { b.mustPut(2, "a", []int{7, 3}) }, want: mongoerr.DuplicateKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{})
			c := collection(t, s, "c")
			insert(t, s, c, doc("_id", 1, "a", 1), doc("_id", 2, "a", 1), doc("_id", 3, "a", 3))
			b := startBuild(t, s, c, indexSpec("a_1", "a", true))
			if test.during != nil {
				test.during(b)
			}
			b.fill()
			if test.after != nil {
				test.after(b)
			}
			err := b.finish()
			if test.want == 0 && err != nil || test.want != 0 && !mongoerr.Is(err, test.want) {
				t.Fatalf("the build ended with %v, want code %d", err, test.want)
			}
			if err == nil {
				b.checkEntries()
			} else if err := s.each(kindIndex, func(key, _ []byte) error { t.Errorf("left behind: %x", key); return nil }); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBuildMeetsDocumentsThatCannotBeIndexed(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	spec := func() bsonraw.Doc {
		dst, at := bsonraw.BeginDoc(nil)
		dst = bsonraw.AppendDoc(dst, "key", doc("a", 1, "b", 1))
		dst = bsonraw.AppendString(dst, "name", "ab")
		return bsonraw.EndDoc(dst, at)
	}()
	insert(t, s, c, doc("_id", 1, "a", []int{1}, "b", []int{1}), doc("_id", 2, "a", 1))
	b := startBuild(t, s, c, spec, indexSpec("a_1", "a", false))
	if err := b.put(3, "a", []int{1}, "b", []int{1}); !mongoerr.Is(err, cannotIndexParallelArrays) {
		t.Errorf("a document that the index cannot hold is written: %v", err)
	}
	if err := b.b.Fill(context.Background()); !mongoerr.Is(err, cannotIndexParallelArrays) {
		t.Errorf("the build goes on with a document that it cannot hold: %v", err)
	}
	if err := b.b.Close(false); err != nil {
		t.Fatal(err)
	}
	b = startBuild(t, s, c, spec, indexSpec("a_1", "a", false))
	b.mustPut(1, "a", []int{1}, "b", 1)
	b.fill()
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	b.checkEntries()
}

func TestBuildEndsWhenItIsKilled(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	insert(t, s, c, doc("_id", 1, "a", 1))
	b := startBuild(t, s, c, indexSpec("a_1", "a", false))
	ch := s.Change()
	if err := ch.Drop(c); err != nil {
		t.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("drop", "c")})
	if _, err := ch.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := b.b.Fill(context.Background()); !mongoerr.Is(err, mongoerr.IndexBuildAborted) {
		t.Errorf("the build of a dropped collection ended with %v", err)
	}
	if err := b.b.Close(false); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	c = collection(t, s, "c")
	b = startBuild(t, s, c, indexSpec("a_1", "a", false))
	if err := b.b.Fill(ended); !mongoerr.Is(err, mongoerr.Interrupted) {
		t.Errorf("an interrupted build ended with %v", err)
	}
	if err := b.b.Close(false); err != nil {
		t.Fatal(err)
	}
}

func TestUnfinishedBuildsAreForgotten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := collection(t, s, "c", indexSpec("z_1", "z", false))
	insert(t, s, c, doc("_id", 1, "a", []int{1, 2}, "z", 1))
	b := startBuild(t, s, c, indexSpec("a_1", "a", false))
	b.fill()
	b.mustPut(2, "a", 5)
	id := b.b.Indexes[0].ID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	for _, kind := range []byte{kindBuildLog, kindIndex, kindMultikey} {
		err := s.each(kind, func(key, _ []byte) error {
			if kind == kindBuildLog || key[4] == byte(id) {
				t.Errorf("left behind: %x", key)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c = s.Catalog().Collection("db", "c")
	b = startBuild(t, s, c, indexSpec("a_1", "a", false))
	b.fill()
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	b.checkEntries()
}
