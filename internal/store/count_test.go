package store

import "testing"

// TestNewCollectionsAreNotCounted: of a collection that the store has seen from its beginning the Stats are known without a look at its
// documents, and they are those that a count finds.
func TestNewCollectionsAreNotCounted(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	insert(t, s, c, doc("_id", 1), doc("_id", 2), doc("_id", 3))
	remove(t, s, c, doc("_id", 2))
	if !c.tally.known.Load() {
		t.Error("the documents of a new collection would be counted")
	}
	told, err := s.Stats(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.reader.stats(t.Context(), c); err != nil || told != found || told.Docs != 2 {
		t.Errorf("told %v, found %v, %v", told, found, err)
	}
}
