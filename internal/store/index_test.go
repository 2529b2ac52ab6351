package store

import (
	"bytes"
	"slices"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
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
	if n := countEntries(t, s, c.Indexes[1]); n != elements/4+1 {
		t.Errorf("%d entries, want %d", n, elements/4+1)
	}
}

// countEntries is how many entries an index has.
func countEntries(t *testing.T, s *Store, x *Index) (n int) {
	t.Helper()
	entries, err := s.Entries(x, Range{}, false)
	if err != nil {
		t.Fatal(err)
	}
	for entries.Next() {
		n++
	}
	if err := entries.Close(); err != nil {
		t.Error(err)
	}
	return n
}

// A text that is not UTF-8 cannot be shown in a reply: its bytes are, in hexadecimal digits.
func TestDuplicateKeyOfBrokenText(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c", indexSpec("a", "a", true))
	for text, want := range map[string]string{
		"ok ä €":       `{ keyPattern: { a: 1 }, keyValue: { a: "ok ä €" } }`,
		"\xff\xfe":     `{ keyPattern: { a: 1 }, keyValue: { a: "fffe" }, hexEncoded: [ true ] }`,
		"x\xc0\x80":    `{ keyPattern: { a: 1 }, keyValue: { a: "78c080" }, hexEncoded: [ true ] }`,
		"\xed\xa0":     `{ keyPattern: { a: 1 }, keyValue: { a: "eda0" }, hexEncoded: [ true ] }`,
		"\xed\x60\x80": `{ keyPattern: { a: 1 }, keyValue: { a: "ed6080" }, hexEncoded: [ true ] }`,
	} {
		err := DuplicateKey(c, c.Indexes[1], doc("_id", 1, "a", text), nil)
		if got := extraOf(err).Shell(); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	half := extraOf(DuplicateKey(c, c.Indexes[1], doc("_id", 1, "a", "\xed\xa0\x80"), nil))
	if v := half.Lookup("hexEncoded"); !v.IsMissing() {
		t.Errorf("half of a surrogate pair, which MongoDB takes for a character, is in hexadecimal digits: %s", half.Shell())
	}
}

// extraOf is what an error has beside its code and text.
func extraOf(err error) bsonraw.Doc {
	d, at := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(append(d, mongoerr.From(err).Extra...), at)
}
