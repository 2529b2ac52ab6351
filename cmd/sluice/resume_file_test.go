package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/enginetest"
)

// TestResumeFileContinues stops and starts watch while changes come: none is missed, none comes twice.
func TestResumeFileContinues(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s target) {
		file := filepath.Join(t.TempDir(), "position")
		args := []string{s.uri, "--json", "--db", s.db.Name(), "--coll", "orders", "--resume-file", file}
		orders := s.db.Collection("orders")
		var seen []int64
		next := int64(0)
		write := func() {
			next++
			insert(t, orders, byID(next))
		}
		// The first run sees nothing, and its position counts nevertheless.
		watching(t, nil, args...).stopCleanly(t)
		for range 3 {
			write() // while nobody watches
			r := watching(t, nil, args...)
			write()
			lines := r.stdout.awaitLines(t, 2)
			r.stopCleanly(t)
			seen = append(seen, eventIDs(t, lines)...)
		}
		if want := []int64{1, 2, 3, 4, 5, 6}; !slices.Equal(seen, want) {
			t.Errorf("events of %v, want %v", seen, want)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v (%v), want 0600: a token contains a document's key", info.Mode(), err)
		}
		entries, err := os.ReadDir(filepath.Dir(file))
		if err != nil || len(entries) != 1 {
			t.Errorf("%d files (%v), want no other than the resume file", len(entries), err)
		}
	})
}

// TestResumeFileOutlivesInvalidate drops the collection: the next run goes on with what comes under its name.
func TestResumeFileOutlivesInvalidate(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s target) {
		args := []string{s.uri, "--json", "--db", s.db.Name(), "--coll", "orders", "--resume-file", filepath.Join(t.TempDir(), "position")}
		orders := s.db.Collection("orders")
		r := watching(t, nil, args...)
		insert(t, orders, byID(1))
		if err := orders.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.expectCode(t, exitDone)
		insert(t, orders, byID(2))
		r = watching(t, nil, args...)
		if got := eventIDs(t, r.stdout.awaitLines(t, 1)); got[0] != 2 {
			t.Errorf("event of %v, want 2", got)
		}
		r.stopCleanly(t)
	})
}

func TestResumeFileIsReplacedAsAWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, link := filepath.Join(dir, "position"), filepath.Join(dir, "link")
	first, second := tokenOf(t, "8201"), tokenOf(t, "8202")
	f, err := openResumeFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !f.saved.IsZero() {
		t.Errorf("a file that is not there holds %s", f.saved)
	}
	if err := f.save(first); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path) // sees the old content to its end
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if f, err = openResumeFile(link); err != nil || f.saved != first {
		t.Fatalf("the link's file holds %s (%v), want %s", f.saved, err, first)
	}
	if err := f.save(second); err != nil {
		t.Fatal(err)
	}
	old := make([]byte, 64)
	n, err := reader.Read(old)
	if got := string(old[:n]); err != nil || got != `{"_data":"8201"}`+"\n" {
		t.Errorf("a reader saw %q (%v)", got, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v (%v)", info.Mode(), err)
	}
	if f, err = openResumeFile(path); err != nil || f.saved != second {
		t.Errorf("the file holds %s (%v), want %s", f.saved, err, second)
	}
}

func TestResumeFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := openResumeFile(filepath.Join(dir, "position"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := f.save(tokenOf(t, "8201")); err == nil || !strings.Contains(err.Error(), "save the position") {
		t.Errorf("error %v", err)
	}
}

func tokenOf(t testing.TB, data string) sluice.Token {
	t.Helper()
	var f tokenFlag
	if err := f.UnmarshalText([]byte(data)); err != nil {
		t.Fatal(err)
	}
	return f.Token
}

// recordingKeeper passes on what it is to keep.
type recordingKeeper struct{ saved chan sluice.Token }

func (k recordingKeeper) save(position sluice.Token) error {
	k.saved <- position
	return nil
}

// TestIdlePositionIsSaved writes to another collection than the one that is watched.
func TestIdlePositionIsSaved(t *testing.T) {
	t.Parallel()
	db := enginetest.Start(t).Database(t)
	stream, err := sluice.Watch[bson.Raw](t.Context(), db.Collection("watched"), nil, &sluice.Options{MaxAwaitTime: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	ctx, stop := context.WithCancel(within(t))
	defer stop()
	k := recordingKeeper{make(chan sluice.Token)}
	f := &follower{stream: stream, render: renderJSON, out: newTranscript(), keeper: k, idle: time.Millisecond}
	ended := make(chan error, 1)
	go func() {
		ended <- f.run(ctx)
		close(k.saved)
	}()
	opened := <-k.saved
	insert(t, db.Collection("other"), byID(1))
	for position := range k.saved {
		if position != opened {
			stop()
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if within(t).Err() != nil {
		t.Error("the position did not move")
	}
}

// TestPositionStopsAtThePrintedEvent fails in the middle of a batch.
func TestPositionStopsAtThePrintedEvent(t *testing.T) {
	t.Parallel()
	coll := enginetest.Start(t).Database(t).Collection("orders")
	stream, err := sluice.Watch[bson.Raw](t.Context(), coll, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if _, err := coll.InsertMany(t.Context(), []bson.D{byID(1), byID(2), byID(3)}); err != nil {
		t.Fatal(err)
	}
	file, err := openResumeFile(filepath.Join(t.TempDir(), "position"))
	if err != nil {
		t.Fatal(err)
	}
	printed := []event{}
	f := &follower{stream: stream, keeper: file, idle: time.Minute, out: failingAfter(2), render: func(e event) ([]byte, error) {
		printed = append(printed, e)
		return renderJSON(e)
	}}
	if err := f.run(within(t)); err == nil {
		t.Fatal("no error")
	}
	if len(printed) != 3 || file.saved != printed[1].Token() {
		t.Errorf("saved %s after %d events, want the second's token", file.saved, len(printed))
	}
}

// failingAfter returns a writer that fails after n writes.
func failingAfter(n int) *countdown { return &countdown{n} }

type countdown struct{ left int }

func (c *countdown) Write(p []byte) (int, error) {
	if c.left--; c.left < 0 {
		return 0, os.ErrClosed
	}
	return len(p), nil
}
