package store

import (
	"testing"

	"github.com/sluicestream/sluice/internal/oplog"
)

// Commits go on between the two steps of a trim, so what is cut may be more than what was stored.
func TestMarksThatAreCutBeforeTheyAreStored(t *testing.T) {
	t.Parallel()
	trim := trimmer{store: open(t, Config{}), maxBytes: 10}
	kept := 1
	for ts := range oplog.Timestamp(5) {
		trim.mu.marks = append(trim.mu.marks, mark{ts + 1, 5})
		trim.mu.sum += 5
	}
	if cut := trim.cut(&kept); cut != 3 {
		t.Errorf("cut up to %d, want 3: two marks of 5 bytes are within the limit", cut)
	}
	if err := trim.persist(&kept); err != nil {
		t.Fatal(err)
	}
	stored := 0
	if err := trim.store.each(kindMark, func([]byte, []byte) error { stored++; return nil }); err != nil {
		t.Fatal(err)
	}
	if stored != 2 || kept != 2 {
		t.Errorf("%d marks are stored, %d are taken for stored, want the two that are left", stored, kept)
	}
}
