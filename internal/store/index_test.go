package store

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sluicestream/sluice/internal/oplog"
)

// TestLargeArraysAreIndexed would take minutes if the entries of a document were compared each with each.
func TestLargeArraysAreIndexed(t *testing.T) {
	t.Parallel()
	const elements = 200_000
	s := open(t, Config{})
	c := collection(t, s, "c", indexSpec("a_1", "a", false))
	numbers := make([]int, elements)
	for i := range numbers {
		numbers[i] = (elements - i) / 2 // each twice
	}
	old, now := doc("_id", 1, "a", numbers), doc("_id", 1, "a", numbers[:elements/2])

	keys, err := c.Indexes[1].keysOf(old)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(keys.keys, bytes.Compare) || len(keys.keys) != elements/2+1 {
		t.Errorf("%d keys, want %d different ones, sorted", len(keys.keys), elements/2+1)
	}
	insert(t, s, c, old)
	w := s.NewWrite()
	if err := w.Update(c, idKey(now), old, c.Indexed(now), &oplog.Entry{Op: oplog.Update, NS: []byte(c.NS()), O: now, O2: doc("_id", 1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	entries, err := s.Entries(c.Indexes[1], Range{}, false)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for entries.Next() {
		n++
	}
	if err := entries.Close(); err != nil || n != elements/4+1 {
		t.Errorf("%d entries (%v), want %d", n, err, elements/4+1)
	}
}
