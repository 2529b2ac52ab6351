package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store that is closed with the test.
func open(tb testing.TB, cfg Config) *Store {
	tb.Helper()
	s, err := Open(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// collection creates db.name with indexes on the given key patterns besides the one on _id.
func collection(tb testing.TB, s *Store, name string, specs ...bsonraw.Doc) *Collection {
	tb.Helper()
	ch := s.Change()
	c := &Collection{ID: ch.NewID(), DB: "db", Name: name, Options: bsonraw.Empty, Shared: NewShared()}
	binary.BigEndian.PutUint32(c.UUID[:], c.ID)
	for _, spec := range append([]bsonraw.Doc{indexSpec("_id_", "_id", false)}, specs...) {
		x, err := ch.NewIndex(spec)
		if err != nil {
			tb.Fatal(err)
		}
		c.Indexes = append(c.Indexes, x)
	}
	if err := ch.Put(c); err != nil {
		tb.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("create", name)})
	if _, err := ch.Commit(); err != nil {
		tb.Fatal(err)
	}
	return c
}

func indexSpec(name, field string, unique bool) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	dst = bsonraw.AppendDoc(dst, "key", doc(field, 1))
	dst = bsonraw.AppendString(dst, "name", name)
	if unique {
		dst = bsonraw.AppendBool(dst, "unique", true)
	}
	return bsonraw.EndDoc(dst, at)
}

// doc makes a document of names and values in turn.
func doc(fields ...any) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	for i := 0; i < len(fields); i += 2 {
		name := fields[i].(string)
		switch v := fields[i+1].(type) {
		case int:
			dst = bsonraw.AppendInt32(dst, name, int32(v))
		case string:
			dst = bsonraw.AppendString(dst, name, v)
		case []int:
			dst = bsonraw.AppendHeader(dst, bsonraw.TypeArray, name)
			array := bsonraw.BeginArray(dst)
			for _, n := range v {
				array.Append(bsonraw.Int32Value(int32(n)))
			}
			dst = array.End()
		case bsonraw.Doc:
			dst = bsonraw.AppendDoc(dst, name, v)
		default:
			panic(fmt.Sprintf("doc: %T", v))
		}
	}
	return bsonraw.EndDoc(dst, at)
}

func idKey(d bsonraw.Doc) []byte { return bsonraw.AppendKey(nil, d.Lookup("_id")) }

func insertEntry(c *Collection, d bsonraw.Doc) *oplog.Entry {
	return &oplog.Entry{Op: oplog.Insert, NS: []byte(c.NS()), UUID: c.UUID, HasUUID: true, O: d, O2: doc("_id", 0)}
}

func insert(tb testing.TB, s *Store, c *Collection, docs ...bsonraw.Doc) Commit {
	tb.Helper()
	w := s.NewWrite()
	for _, d := range docs {
		if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
			tb.Fatal(err)
		}
	}
	commit, err := w.Commit()
	if err != nil {
		tb.Fatal(err)
	}
	return commit
}

func scanAll(tb testing.TB, s *Store, from oplog.Timestamp) []oplog.Timestamp {
	tb.Helper()
	var seen []oplog.Timestamp
	_, err := s.Scan(context.Background(), from, func(e *oplog.Entry) (bool, error) {
		seen = append(seen, e.TS)
		return true, nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return seen
}

func TestCommitIsReadAtOnceAndSeenInTheOplogWhenDurable(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	d := doc("_id", 1, "a", "x")
	commit := insert(t, s, c, d)
	got, ts, ok, err := s.Get(nil, c, idKey(d))
	if err != nil || !ok || string(got) != string(d) || ts != commit.First {
		t.Fatalf("Get = %v %v %v %v, want the document at %v", got, ts, ok, err, commit.First)
	}
	if err := commit.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := scanAll(t, s, commit.First)
	if len(seen) != 1 || seen[0] != commit.First {
		t.Fatalf("oplog from %v has %v", commit.First, seen)
	}
}

func TestReopenedStoreHasEverythingAndGoesOnInTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := collection(t, s, "c", indexSpec("a_1", "a", true))
	before := insert(t, s, c, doc("_id", 1, "a", 1), doc("_id", 2, "a", []int{2, 3}))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	c = s.Catalog().Collection("db", "c")
	if c == nil || !c.Index("a_1").Multikey() {
		t.Fatalf("catalog lost the collection, its index or that it is multikey: %+v", c)
	}
	if err := s.CheckUnique(c, []byte("other"), c.Indexed(doc("_id", 9, "a", 3))); !mongoerr.Is(err, mongoerr.DuplicateKey) {
		t.Fatalf("unique entry of an array element is not found: %v", err)
	}
	if n, err := s.Count(t.Context(), c); n != 2 || err != nil {
		t.Fatalf("Count = %d, %v", n, err)
	}
	if commit := insert(t, s, c, doc("_id", 3)); commit.First <= before.Last {
		t.Fatalf("time went back: %v after %v", commit.First, before.Last)
	}
	if s.Term() != 2 {
		t.Fatalf("Term = %d", s.Term())
	}
}

func TestStoreInUseSaysSo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	_, err := Open(t.Context(), Config{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "has it open") {
		t.Errorf("opened a second time: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: dir})
}

func TestOplogHasEveryCommitInOrderUnderConcurrentWriters(t *testing.T) {
	t.Parallel()
	s := open(t, Config{TailBytes: 16 << 10})
	c := collection(t, s, "c")
	start := s.Applied()
	const writers, each = 16, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				d := doc("_id", w*each+i)
				if err := insert(t, s, c, d).Wait(context.Background()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	reader := make(chan []oplog.Timestamp)
	go func() {
		var seen []oplog.Timestamp
		at, wait := start, NewWait()
		for len(seen) < writers*each {
			s.Waves().Enter(wait, at)
			<-wait.Turn()
			s.Waves().Leave(wait)
			end, err := s.Scan(context.Background(), at+1, func(e *oplog.Entry) (bool, error) {
				seen = append(seen, e.TS)
				return len(seen)%7 != 0, nil
			})
			if err != nil {
				t.Error(err)
				break
			}
			at = end
		}
		reader <- seen
	}()
	wg.Wait()
	live, stored := <-reader, scanAll(t, s, start+1)
	if len(live) != writers*each || len(stored) != writers*each {
		t.Fatalf("live reader saw %d entries, a later one %d, want %d", len(live), len(stored), writers*each)
	}
	for i := range live {
		if live[i] != stored[i] || i > 0 && live[i] <= live[i-1] {
			t.Fatalf("entry %d: live %v, stored %v, before it %v", i, live[i], stored[i], live[max(i-1, 0)])
		}
	}
	if n := s.tail.mu.bytes; n > 16<<10 {
		t.Fatalf("tail holds %d bytes, over its limit", n)
	}
}

func TestTrimmedOplogSaysThatHistoryIsLost(t *testing.T) {
	t.Parallel()
	s := open(t, Config{OplogMaxBytes: 64 << 10, TailBytes: 4 << 10})
	c := collection(t, s, "c")
	first := insert(t, s, c, doc("_id", 0))
	for i := 1; ; i++ {
		if err := insert(t, s, c, doc("_id", i, "pad", string(make([]byte, 1000)))).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := s.Scan(t.Context(), first.First, func(*oplog.Entry) (bool, error) { return false, nil })
		if mongoerr.Is(err, mongoerr.ChangeStreamHistoryLost) {
			break
		}
		if err != nil || i == 10_000 {
			t.Fatalf("after %d writes: %v", i, err)
		}
	}
	if seen := scanAll(t, s, s.Applied()); len(seen) != 1 {
		t.Fatalf("the newest entry is gone: %v", seen)
	}
}

func TestLatchesExcludeAndEndWithTheirContext(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	var inside, entered atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				held, err := s.LatchDocs(context.Background(), c, []byte("a"), []byte("b"))
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) != 1 {
					t.Error("two hold the same latch")
				}
				entered.Add(1)
				inside.Add(-1)
				held.Release()
			}
		})
	}
	wg.Wait()
	held, err := s.LatchDocs(t.Context(), c, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := s.LatchDocs(ctx, c, []byte("b"), []byte("a"))
		failed <- err
	}()
	cancel()
	if err := <-failed; !mongoerr.Is(err, mongoerr.Interrupted) {
		t.Fatalf("waiting for a latch under a canceled context: %v", err)
	}
	held.Release()
	both, err := s.LatchDocs(t.Context(), c, []byte("a"), []byte("b"))
	if err != nil {
		t.Fatal(err)
	}
	both.Release()
}

func TestRetryRecordsAreThoseOfTheNewestTransactionNumber(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	session := []byte("0123456789abcdef")
	for i, r := range []RetryRecord{
		{TxnNumber: 1, StmtID: 0, Count: 1, Result: doc("n", 1)},
		{TxnNumber: 1, StmtID: 1, Count: 5, Result: doc("n", 1)},
		{TxnNumber: 2, StmtID: 0, Count: 1, Result: doc("n", 7)},
	} {
		w := s.NewWrite()
		d := doc("_id", i)
		if err := w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d)); err != nil {
			t.Fatal(err)
		}
		w.Retryable(session, r)
		if _, err := w.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.RetryRecords(session)
	if err != nil || len(got) != 1 || got[0].TxnNumber != 2 || string(got[0].Result) != string(doc("n", 7)) {
		t.Fatalf("RetryRecords = %+v, %v", got, err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.commit.set(formatKey, binary.BigEndian.AppendUint64(nil, FormatVersion+1)), s.commit.sync()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); err == nil {
		t.Fatal("a store of a newer format was opened")
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func BenchmarkInsert(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := open(b, Config{Dir: b.TempDir()})
			c := collection(b, s, "c")
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for {
						i := next.Add(1)
						if i > int64(b.N) {
							return
						}
						d := doc("_id", int(i), "pad", string(make([]byte, 280)))
						if err := insert(b, s, c, d).Wait(context.Background()); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
