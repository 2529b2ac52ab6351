package store

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// capped creates a capped collection with an index on a.
func capped(tb testing.TB, s *Store, size, most int) *Collection {
	tb.Helper()
	c := collection(tb, s, "capped", indexSpec("a_1", "a", false))
	ch := s.Change()
	next := *c
	next.SetOptions(doc("capped", 1, "size", size, "max", most))
	next.Order = NewOrder(ch.NewID())
	if err := ch.Put(&next); err != nil {
		tb.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("collMod", "capped")})
	if _, err := ch.Commit(); err != nil {
		tb.Fatal(err)
	}
	return &next
}

// ordered returns the _ids in the order of insertion, and checks that everything else agrees with it.
func ordered(t *testing.T, s *Store, c *Collection) []int {
	t.Helper()
	var ids []int
	bytes := int64(0)
	entries, err := s.Entries(c.Order, Range{}, false)
	if err != nil {
		t.Fatal(err)
	}
	for entries.Next() {
		d, _, ok, err := s.Get(nil, c, entries.IDKey())
		if err != nil || !ok {
			t.Fatalf("the order has an entry without a document: %v", err)
		}
		bytes += int64(len(d))
		ids = append(ids, int(d.Lookup("_id").Int32()))
	}
	if err := entries.Close(); err != nil {
		t.Fatal(err)
	}
	stats, err := s.Stats(t.Context(), c)
	if err != nil || stats.Docs != int64(len(ids)) || stats.Bytes != bytes {
		t.Fatalf("stats are %+v %v, want %d documents of %d bytes", stats, err, len(ids), bytes)
	}
	for _, prefix := range [][]byte{numberedKey(kindIndex, c.Indexes[1].ID), numberedKey(kindPlace, c.ID), numberedKey(kindDocument, c.ID)} {
		if n := keysWith(t, s, prefix); n != len(ids) {
			t.Fatalf("%d keys with %x for %d documents", n, prefix, len(ids))
		}
	}
	return ids
}

// keysWith counts the keys with a prefix.
func keysWith(t *testing.T, s *Store, prefix []byte) (n int) {
	t.Helper()
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		t.Fatal(err)
	}
	for it.First(); it.Valid(); it.Next() {
		n++
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestCappedCollectionsKeepTheNewest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		s, err := Open(t.Context(), Config{Dir: "db", FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		c := capped(t, s, 300, rapid.SampledFrom([]int{0, 4}).Draw(rt, "most"))
		var model []bsonraw.Doc
		total := func() (n int64) {
			for _, d := range model {
				n += int64(len(d))
			}
			return n
		}
		for id := range rapid.IntRange(1, 40).Draw(rt, "operations") {
			at := 0
			if len(model) > 0 {
				at = rapid.IntRange(0, len(model)-1).Draw(rt, "at")
			}
			text := strings.Repeat("x", rapid.SampledFrom([]int{1, 40, 80, 400}).Draw(rt, "length"))
			switch kind := rapid.IntRange(0, 9).Draw(rt, "kind"); {
			case kind == 0 && len(model) > 0:
				remove(t, s, c, model[at])
				model = slices.Delete(model, at, at+1)
			case kind == 1 && len(model) > 0:
				now := doc("_id", int(model[at].Lookup("_id").Int32()), "a", text)
				replace(t, s, c, model[at], now)
				model[at] = now
			case kind == 2:
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = Open(t.Context(), Config{Dir: "db", FS: fs}); err != nil {
					t.Fatal(err)
				}
				c = s.Catalog().Collection("db", "capped")
			default:
				d := doc("_id", 1000-id, "a", text)
				insert(t, s, c, d)
				model = append(model, d)
				for len(model) > 1 && c.Cap.exceeds(Stats{int64(len(model)), total()}) {
					model = model[1:]
				}
			}
			var want []int
			for _, d := range model {
				want = append(want, int(d.Lookup("_id").Int32()))
			}
			if got := ordered(t, s, c); !slices.Equal(got, want) {
				rt.Fatalf("documents in order: %v, want %v", got, want)
			}
		}
	})
}

func TestDroppedCappedCollectionLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := capped(t, s, 1000, 0)
	insert(t, s, c, doc("_id", 1, "a", "x"))
	ch := s.Change()
	if err := ch.Drop(c); err != nil {
		t.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("drop", "capped")})
	if _, err := ch.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range [][]byte{{kindIndex}, {kindPlace}, {kindDocument}, {kindCatalog}} {
		if n := keysWith(t, s, prefix); n != 0 {
			t.Errorf("%d keys with %x are left", n, prefix)
		}
	}
}
