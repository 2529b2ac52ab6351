package store

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// describe renders findings, a line each.
func describe(f *Findings) string {
	lines := slices.Clone(f.Errors)
	for _, x := range f.Indexes {
		for _, e := range x.Missing {
			lines = append(lines, fmt.Sprintf("%s lacks %s", x.Index.Name, e.ID.Shell()))
		}
		for _, e := range x.Extra {
			lines = append(lines, fmt.Sprintf("%s has %s too much", x.Index.Name, e.ID.Shell()))
		}
		for _, e := range x.Errors {
			lines = append(lines, x.Index.Name+": "+e)
		}
	}
	if f.Valid() != (len(lines) == 0) {
		lines = append(lines, fmt.Sprintf("valid: %v", f.Valid()))
	}
	return strings.Join(lines, "; ")
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	one, two := doc("_id", 1, "a", 5), doc("_id", 2, "a", 6)
	for _, test := range []struct {
		name  string
		full  bool
		spoil func(s *Store, c *Collection) error
		want  string
	}{
		{"nothing", true, func(*Store, *Collection) error { return nil }, ""},
		{"an entry is missing", false, func(s *Store, c *Collection) error {
			return s.db.Delete(c.Indexes[1].entryKey(nil, indexKey(c, one), idKey(one)), pebble.NoSync)
		}, "a_1 lacks 1"},
		{"an entry says nothing", false, func(s *Store, c *Collection) error {
			return s.db.Set(c.Indexes[1].entryKey(nil, indexKey(c, one), idKey(one)), nil, pebble.NoSync)
		}, "a_1 lacks 1; a_1: an entry does not tell where its _id begins"},
		{"an entry too many", false, func(s *Store, c *Collection) error {
			return s.db.Set(c.Indexes[1].entryKey(nil, indexKey(c, two), idKey(one)), binary.BigEndian.AppendUint32(nil, uint32(len(idKey(one)))), pebble.NoSync)
		}, "a_1 has 1 too much"},
		{"an entry of nobody", false, func(s *Store, c *Collection) error {
			id := bsonraw.AppendKey(nil, bsonraw.Int32Value(9))
			return s.db.Set(c.Indexes[1].entryKey(nil, indexKey(c, two), id), binary.BigEndian.AppendUint32(nil, uint32(len(id))), pebble.NoSync)
		}, "a_1 has missing too much"},
		{"as many as there should be, but others", true, func(s *Store, c *Collection) error {
			if err := s.db.Delete(c.Indexes[1].entryKey(nil, indexKey(c, one), idKey(one)), pebble.NoSync); err != nil {
				return err
			}
			return s.db.Set(c.Indexes[1].entryKey(nil, indexKey(c, two), idKey(one)), binary.BigEndian.AppendUint32(nil, uint32(len(idKey(one)))), pebble.NoSync)
		}, "a_1 lacks 1; a_1 has 1 too much"},
		{"half a document", false, func(s *Store, c *Collection) error {
			key := append(numberedKey(kindDocument, c.ID), idKey(one)...)
			return s.db.Set(key, append(make([]byte, stampLen), one[:len(one)-3]...), pebble.NoSync)
		}, "a document is not well-formed: document says it has 21 bytes but has 18; a_1 has missing too much"},
		{"a document without its timestamp", false, func(s *Store, c *Collection) error {
			return s.db.Set(append(numberedKey(kindDocument, c.ID), idKey(one)...), []byte{1, 2}, pebble.NoSync)
		}, "a document has 2 bytes and no room for its timestamp; a_1 has missing too much"},
		{"a document in another's place", false, func(s *Store, c *Collection) error {
			key := append(numberedKey(kindDocument, c.ID), idKey(one)...)
			return s.db.Set(key, append(make([]byte, stampLen), two...), pebble.NoSync)
		}, "the document with the _id 2 is stored under another; a_1 lacks 2; a_1 has 2 too much"},
		{"arrays nobody knows of", false, func(s *Store, c *Collection) error {
			d := doc("_id", 1, "a", []int{5})
			return s.db.Set(append(numberedKey(kindDocument, c.ID), idKey(one)...), append(make([]byte, stampLen), d...), pebble.NoSync)
		}, "a_1: documents have arrays that the index does not know of, the one with the _id 1 for one"},
		{"a count that is wrong", false, func(s *Store, c *Collection) error {
			if _, err := s.Stats(t.Context(), c); err != nil {
				return err
			}
			c.tally.add(Stats{Docs: 1})
			return nil
		}, "3 documents of 42 bytes are counted, but there are 2 of 42 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{})
			c := collection(t, s, "c", indexSpec("a_1", "a", false))
			insert(t, s, c, one, two)
			c.tally.known.Store(false) // so that it is not wrong too
			if err := test.spoil(s, c); err != nil {
				t.Fatal(err)
			}
			f, err := Check(t.Context(), s, "db", "c", test.full, func(bsonraw.Doc) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(f); got != test.want {
				t.Errorf("findings: %q, want %q", got, test.want)
			}
		})
	}
}

// indexKey is the key of a document's only entry in the second index.
func indexKey(c *Collection, d bsonraw.Doc) []byte {
	keys, err := c.Indexes[1].keysOf(d)
	if err != nil || len(keys.keys) != 1 {
		panic(err)
	}
	return keys.keys[0]
}

func TestCheckFollowsTheOrderOfInsertion(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := capped(t, s, 1000, 2)
	for id := range 5 {
		insert(t, s, c, doc("_id", id, "a", "x"))
	}
	check := func() string {
		f, err := Check(t.Context(), s, "db", "capped", true, func(bsonraw.Doc) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return describe(f)
	}
	if got := check(); got != "" {
		t.Fatalf("findings: %q, want none", got)
	}
	if err := s.db.Delete(append(numberedKey(kindPlace, c.ID), idKey(doc("_id", 4))...), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if got, want := check(), "the document with the _id 4 is missing in the order of insertion"; got != want {
		t.Errorf("findings: %q, want %q", got, want)
	}
}
