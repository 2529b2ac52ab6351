package store

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"pgregory.net/rapid"
)

// An overlay gives what a map would that began as its base and took the same writes.
func TestOverlayIsItsBaseAndItsWrites(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	run := byte(0)
	rapid.Check(t, func(t *rapid.T) {
		run++ // each run has keys of its own in the one store
		prefix := []byte{0xf0, run}
		key := rapid.Custom(func(t *rapid.T) []byte {
			return append(bytes.Clone(prefix), rapid.SliceOfN(rapid.ByteRange(0, 3), 0, 3).Draw(t, "key")...)
		})
		want := map[string]string{}
		for range rapid.IntRange(0, 20).Draw(t, "stored") {
			k := key.Draw(t, "stored key")
			want[string(k)] = "stored"
			if err := s.db.Set(k, []byte("stored"), pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if err := s.db.DeleteRange(prefix, after(prefix), pebble.NoSync); err != nil {
				t.Fatal(err)
			}
		}()
		o := newOverlay(s.reader.db)
		for range rapid.IntRange(0, 20).Draw(t, "writes") {
			k := key.Draw(t, "written key")
			if rapid.Bool().Draw(t, "deletes") {
				delete(want, string(k))
				o.tree.Set(overlaid{key: k, deleted: true})
			} else {
				want[string(k)] = "written"
				o.tree.Set(overlaid{key: k, value: []byte("written")})
			}
		}
		checkOverlay(t, o, want, key.Draw(t, "lower"), key.Draw(t, "upper"))
	})
}

func checkOverlay(t *rapid.T, o *overlay, want map[string]string, lower, upper []byte) {
	for k, v := range want {
		value, closer, err := o.Get([]byte(k))
		if err != nil || string(value) != v {
			t.Fatalf("Get(%x) gave %q, %v; want %q", k, value, err, v)
		}
		_ = closer.Close()
	}
	if _, _, err := o.Get([]byte{0xf0, lower[1], 9}); !errors.Is(err, pebble.ErrNotFound) {
		t.Fatalf("Get of what is not there gave %v", err)
	}
	if bytes.Compare(lower, upper) > 0 {
		lower, upper = upper, lower
	}
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if k >= string(lower) && k < string(upper) {
			keys = append(keys, k)
		}
	}
	it, err := o.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	var forwards, backwards []string
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil || string(value) != want[string(it.Key())] {
			t.Fatalf("%x has %q, %v", it.Key(), value, err)
		}
		forwards = append(forwards, string(it.Key()))
	}
	for ok := it.Last(); ok; ok = it.Prev() {
		backwards = append(backwards, string(it.Key()))
	}
	slices.Reverse(backwards)
	if !slices.Equal(forwards, keys) || !slices.Equal(backwards, keys) {
		t.Fatalf("between %x and %x:\nforwards  %x\nbackwards %x\nwant      %x", lower, upper, forwards, backwards, keys)
	}
	if len(keys) > 0 && (!it.SeekGE([]byte(keys[len(keys)/2])) || string(it.Key()) != keys[len(keys)/2]) {
		t.Fatalf("SeekGE(%x) stands at %x", keys[len(keys)/2], it.Key())
	}
	if it.Error() != nil {
		t.Fatal(it.Error())
	}
}
