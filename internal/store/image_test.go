package store

import (
	"testing"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// imaged creates db.name with images enabled.
func imaged(tb testing.TB, s *Store, name string) *Collection {
	tb.Helper()
	c := *collection(tb, s, name)
	enabled, at := bsonraw.BeginDoc(nil)
	enabled = bsonraw.EndDoc(bsonraw.AppendBool(enabled, "enabled", true), at)
	c.SetOptions(doc("changeStreamPreAndPostImages", bsonraw.Doc(enabled)))
	ch := s.Change()
	if err := ch.Put(&c); err != nil {
		tb.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("collMod", name)})
	if _, err := ch.Commit(); err != nil {
		tb.Fatal(err)
	}
	return &c
}

func replace(tb testing.TB, s *Store, c *Collection, old, now bsonraw.Doc) Commit {
	tb.Helper()
	w := s.NewWrite()
	if err := w.Update(c, idKey(old), old, c.Indexed(now), insertEntry(c, now)); err != nil {
		tb.Fatal(err)
	}
	commit, err := w.Commit()
	if err != nil {
		tb.Fatal(err)
	}
	return commit
}

func remove(tb testing.TB, s *Store, c *Collection, old bsonraw.Doc) Commit {
	tb.Helper()
	w := s.NewWrite()
	if err := w.Delete(c, idKey(old), old, insertEntry(c, old)); err != nil {
		tb.Fatal(err)
	}
	commit, err := w.Commit()
	if err != nil {
		tb.Fatal(err)
	}
	return commit
}

// wantImage checks the image of a commit's first entry; nil means that there is none.
func wantImage(tb testing.TB, s *Store, c *Collection, ts oplog.Timestamp, want bsonraw.Doc) {
	tb.Helper()
	got, err := s.PreImage(tb.Context(), c.UUID, ts, 0)
	if err != nil || string(got) != string(want) {
		tb.Fatalf("image at %v is %v, %v; want %v", ts, got, err, want)
	}
}

func TestImagesAreTheDocumentsBeforeTheirOperations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c, plain := imaged(t, s, "c"), collection(t, s, "plain")
	one, two := doc("_id", 1, "a", 1), doc("_id", 1, "a", "another, of another length")
	inserted := insert(t, s, c, one)
	updated := replace(t, s, c, one, two)
	deleted := remove(t, s, c, two)
	insert(t, s, plain, one)
	unrecorded := replace(t, s, plain, one, two)
	check := func(s *Store) {
		wantImage(t, s, c, inserted.First, nil)
		wantImage(t, s, c, updated.First, one)
		wantImage(t, s, c, deleted.First, two)
		wantImage(t, s, plain, unrecorded.First, nil)
		if got, err := s.PreImage(t.Context(), c.UUID, updated.First, 1); got != nil || err != nil {
			t.Fatalf("the second operation of a commit that has one: %v, %v", got, err)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	check(s)
	if reopened := s.Catalog().Collection("db", "c"); !reopened.Images {
		t.Fatal("the collection lost its images")
	}
	ch := s.Change()
	if err := ch.Drop(s.Catalog().Collection("db", "c")); err != nil {
		t.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("drop", "c")})
	if _, err := ch.Commit(); err != nil {
		t.Fatal(err)
	}
	check(s) // they go with the oplog, not with the collection
}

func TestWritesOfOneCommitHaveTheirOwnImages(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := imaged(t, s, "c")
	w := s.NewWrite()
	const n = 300 // so that the lengths of documents need more than one byte
	for i := range n {
		old := doc("_id", i, "pad", string(make([]byte, i)))
		if err := w.Update(c, idKey(old), old, c.Indexed(doc("_id", i)), insertEntry(c, old)); err != nil {
			t.Fatal(err)
		}
	}
	commit, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		wantImage(t, s, c, commit.First+oplog.Timestamp(i), doc("_id", i, "pad", string(make([]byte, i))))
	}
}

func TestImagesGoWithTheOplog(t *testing.T) {
	t.Parallel()
	s := open(t, Config{OplogMaxBytes: 64 << 10, TailBytes: 4 << 10})
	c := imaged(t, s, "c")
	old := doc("_id", 0, "pad", string(make([]byte, 1000)))
	insert(t, s, c, old)
	first := replace(t, s, c, old, old)
	for i := 1; ; i++ {
		last := replace(t, s, c, old, old)
		if err := last.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantImage(t, s, c, last.First, old)
		_, err := s.Scan(t.Context(), first.First, func(*oplog.Entry) (bool, error) { return false, nil })
		if mongoerr.Is(err, mongoerr.ChangeStreamHistoryLost) {
			break
		}
		if err != nil || i == 10_000 {
			t.Fatalf("after %d writes: %v", i, err)
		}
	}
	wantImage(t, s, c, first.First, nil)
}

func TestExpiredImagesAreNotFoundAndThenDeleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := imaged(t, s, "c")
	old := doc("_id", 1)
	insert(t, s, c, old)
	commit := replace(t, s, c, old, doc("_id", 1, "a", 1))
	if err := s.SetImageExpiry(ImageExpiry{Seconds: 100, SetAt: commit.Last}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if e := s.ImageExpiry(); e.Seconds != 100 || e.SetAt != commit.Last {
		t.Fatalf("after a restart the expiry is %+v", e)
	}
	at := time.Unix(int64(commit.First.Seconds()), 0)
	for _, step := range []struct {
		after time.Duration
		want  bsonraw.Doc
	}{{100 * time.Second, old}, {101 * time.Second, nil}} {
		now := at.Add(step.after)
		got, err := s.preImage(commit.First, 0, now)
		if err != nil || string(got) != string(step.want) {
			t.Fatalf("after %v the image is %v, %v; want %v", step.after, got, err, step.want)
		}
		if err := s.deleteExpired(now); err != nil {
			t.Fatal(err)
		}
		if err := s.SetImageExpiry(ImageExpiry{}); err != nil {
			t.Fatal(err)
		}
		wantImage(t, s, c, commit.First, step.want)
		if err := s.SetImageExpiry(ImageExpiry{Seconds: 100, SetAt: commit.Last}); err != nil {
			t.Fatal(err)
		}
	}
}
