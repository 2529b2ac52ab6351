package store

import (
	"fmt"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
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

// TestTrimLeavesNewRetryRecords: sessions go on to write while the records of what they wrote before are trimmed. The new ones, which have
// taken their places, stay.
func TestTrimLeavesNewRetryRecords(t *testing.T) {
	t.Parallel()
	const sessions = 3000
	s := open(t, Config{})
	c := collection(t, s, "c")
	write := func(i, number int) oplog.Timestamp {
		w := s.NewWrite()
		w.Awaited = true
		d := doc("_id", i+number*sessions)
		if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
			t.Error(err)
		}
		w.Retryable(testSession(i), RetryRecord{TxnNumber: int64(number), Count: 1, Result: bsonraw.Empty})
		commit, err := w.Commit()
		if err != nil {
			t.Error(err)
		}
		return commit.Last
	}
	var old oplog.Timestamp
	for i := range sessions {
		old = write(i, 0)
	}
	trimmed := make(chan error, 1)
	go func() { trimmed <- s.trimmer.remove(old) }()
	for i := range sessions {
		write(i, 1)
	}
	if err := <-trimmed; err != nil {
		t.Fatal(err)
	}
	lost := 0
	for i := range sessions {
		records, err := s.RetryRecords(testSession(i))
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != 1 || records[0].TxnNumber != 1 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("the new records of %d sessions are gone", lost)
	}
}

func testSession(i int) []byte { return fmt.Appendf(nil, "session %08d", i) }
