package store

import (
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

var writeFormat = flag.String("write-format", "", "write the store of the format tests to this folder: once, when FormatVersion grows")

// fixtureSession is the session of the fixture's retryable write.
var fixtureSession = []byte("fixture-session!")

// fillFixture writes what every format has to keep: documents, entries of a compound and a multikey unique index, an update, a
// delete, a retry record.
func fillFixture(t *testing.T, s *Store) {
	c := collection(t, s, "c", indexSpec("a_1", "a", true))
	insert(t, s, c, doc("_id", 1, "a", []int{1, 2}, "text", "ä"), doc("_id", "two", "a", 3), doc("_id", 3, "a", 4))
	w := s.NewWrite()
	old, now := doc("_id", 3, "a", 4), doc("_id", 3, "a", 5)
	e := &oplog.Entry{Op: oplog.Update, NS: []byte("db.c"), UUID: c.UUID, HasUUID: true, O: now, O2: doc("_id", 3)}
	if err := w.Update(c, idKey(old), old, c.Indexed(now), e); err != nil {
		t.Fatal(err)
	}
	w.Retryable(fixtureSession, RetryRecord{TxnNumber: 7, StmtID: 2, Count: 1, Result: doc("n", 1)})
	two := doc("_id", "two", "a", 3)
	if err := w.Delete(c, idKey(two), two, &oplog.Entry{Op: oplog.Delete, NS: []byte("db.c"), O: doc("_id", "two")}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestEveryFormatOpens opens a copy of a store of each format that was ever released.
func TestEveryFormatOpens(t *testing.T) {
	t.Parallel()
	if *writeFormat != "" {
		s := open(t, Config{Dir: *writeFormat})
		fillFixture(t, s)
		return
	}
	stores, err := filepath.Glob("testdata/format-*")
	if err != nil || len(stores) != FormatVersion {
		t.Fatalf("stores of %d formats, want %d (%v)", len(stores), FormatVersion, err)
	}
	for _, from := range stores {
		t.Run(filepath.Base(from), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "db")
			if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
				t.Fatal(err)
			}
			checkFixture(t, open(t, Config{Dir: dir}))
		})
	}
}

func checkFixture(t *testing.T, s *Store) {
	c := s.Catalog().Collection("db", "c")
	if c == nil || c.Index("a_1") == nil || !c.Index("a_1").Multikey() {
		t.Fatal("the collection or its index is gone")
	}
	docs, err := s.Docs(c, Range{}, false)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for docs.Next() {
		got = append(got, docs.Doc().Shell())
	}
	if err := docs.Close(); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0] != `{ _id: 1, a: [ 1, 2 ], text: "ä" }` || got[1] != `{ _id: 3, a: 5 }` {
		t.Errorf("documents: %v", got)
	}
	for a, taken := range map[int]bool{1: true, 2: true, 3: false, 4: false, 5: true} {
		if err := s.CheckUnique(c, []byte("other"), c.Indexed(doc("_id", 9, "a", a))); mongoerr.Is(err, mongoerr.DuplicateKey) != taken {
			t.Errorf("unique entry %d: %v, taken should be %v", a, err, taken)
		}
	}
	records, err := s.RetryRecords(fixtureSession)
	if err != nil || len(records) != 1 || records[0].TxnNumber != 7 || records[0].StmtID != 2 {
		t.Errorf("retry records: %+v, %v", records, err)
	}
	var ops string
	_, err = s.Scan(context.Background(), 0, func(e *oplog.Entry) (bool, error) {
		ops += string(rune(e.Op))
		return true, bsonraw.Validate(e.Raw, bsonraw.MaxMessageDepth)
	})
	if err != nil || ops != "nciiiud" {
		t.Errorf("oplog: %q, %v", ops, err)
	}
}

// TestCopiesNothingElse keeps stray files, such as logs, out of the committed stores.
func TestCopiesNothingElse(t *testing.T) {
	t.Parallel()
	var total int64
	err := filepath.WalkDir("testdata", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		total += info.Size()
		return err
	})
	if err != nil || total > 64<<10*FormatVersion {
		t.Fatalf("the stores of all formats take %d bytes (%v)", total, err)
	}
}
