package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

func begin(s *Store) *Txn { return Begin(s, s.Snapshot()) }

var testTxn = TxnID{LSID: doc("id", "session"), Session: []byte("0123456789abcdef"), Number: 1}

// put inserts or replaces a document in a transaction, as a command does.
func put(tb testing.TB, x *Txn, c *Collection, d bsonraw.Doc) error {
	tb.Helper()
	ctx := context.Background()
	if _, err := x.LatchDocs(ctx, c, idKey(d)); err != nil {
		return err
	}
	if _, err := x.LatchUnique(ctx, c, c.Indexed(d)); err != nil {
		return err
	}
	if err := x.CheckUnique(c, idKey(d), c.Indexed(d)); err != nil {
		return err
	}
	old, _, there, err := x.Get(nil, c, idKey(d))
	if err != nil {
		return err
	}
	w := x.NewWrite()
	if there {
		err = w.Update(c, idKey(d), old, c.Indexed(d), &oplog.Entry{Op: oplog.Update, NS: []byte(c.NS()), O: d, O2: doc("_id", 0)})
	} else {
		err = w.Insert(c, idKey(d), c.Indexed(d), insertEntry(c, d))
	}
	if err != nil {
		tb.Fatal(err)
	}
	_, err = w.Commit()
	return err
}

func ids(tb testing.TB, v View, c *Collection) string {
	tb.Helper()
	docs, err := v.Docs(c, Range{}, false)
	if err != nil {
		tb.Fatal(err)
	}
	var list []string
	for docs.Next() {
		list = append(list, docs.Doc().Lookup("_id").Shell())
	}
	if err := docs.Close(); err != nil {
		tb.Fatal(err)
	}
	return strings.Join(list, " ")
}

func TestTxnIsSeenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	insert(t, s, c, doc("_id", 1))
	x := begin(s)
	insert(t, s, c, doc("_id", 2)) // after the snapshot
	for _, id := range []int{3, 4} {
		if err := put(t, x, c, doc("_id", id)); err != nil {
			t.Fatal(err)
		}
	}
	if got := ids(t, x, c); got != "1 3 4" {
		t.Errorf("the transaction sees %s", got)
	}
	if got := ids(t, s, c); got != "1 2" {
		t.Errorf("others see %s", got)
	}
	moment, release := x.Pin()
	defer release()
	if err := put(t, x, c, doc("_id", 5)); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, moment, c); got != "1 3 4" {
		t.Errorf("a moment of the transaction has %s", got)
	}
	commit, err := x.Commit(testTxn)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, c); got != "1 2 3 4 5" {
		t.Errorf("after the commit there are %s", got)
	}
	if commit.First != commit.Last {
		t.Errorf("a small transaction has entries from %v to %v", commit.First, commit.Last)
	}
	if _, ts, _, err := s.Get(nil, c, idKey(doc("_id", 4))); ts != commit.Last || err != nil {
		t.Errorf("a document says that it was written at %v (%v), not %v", ts, err, commit.Last)
	}
	if n, err := s.Count(t.Context(), c); n != 5 || err != nil {
		t.Errorf("count %d, %v", n, err)
	}
	records, err := s.RetryRecords(testTxn.Session)
	if err != nil || len(records) != 1 || records[0].StmtID != CommittedTxn {
		t.Errorf("what is remembered of it: %v, %v", records, err)
	}
}

func TestTxnAborts(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	before := s.Applied()
	x := begin(s)
	if err := put(t, x, c, doc("_id", 1)); err != nil {
		t.Fatal(err)
	}
	x.Abort()
	if got := ids(t, s, c); got != "" || s.Applied() != before {
		t.Errorf("an aborted transaction left %s, at %v", got, s.Applied())
	}
	y := begin(s)
	defer y.Abort()
	if err := put(t, y, c, doc("_id", 1)); err != nil {
		t.Errorf("what an aborted transaction held stayed held: %v", err)
	}
}

func TestTxnConflicts(t *testing.T) {
	t.Parallel()
	one, unique := doc("_id", 1, "a", 1), indexSpec("a", "a", true)
	for _, k := range []struct {
		name  string
		other func(t *testing.T, s *Store, c *Collection) // after the snapshot
		doc   bsonraw.Doc
		want  mongoerr.Code
	}{
		{"nothing happened", func(*testing.T, *Store, *Collection) {}, doc("_id", 1, "a", 2), 0},
		{"inserted since", func(t *testing.T, s *Store, c *Collection) { insert(t, s, c, doc("_id", 2, "a", 2)) }, doc("_id", 2, "a", 3), mongoerr.WriteConflict},
		{"deleted since", func(t *testing.T, s *Store, c *Collection) { unput(t, s, c, one) }, doc("_id", 1, "a", 2), mongoerr.WriteConflict},
		{"deleted by another transaction since", func(t *testing.T, s *Store, c *Collection) {
			y := begin(s)
			unput(t, y, c, one)
			if _, err := y.Commit(testTxn); err != nil {
				t.Fatal(err)
			}
		}, doc("_id", 1, "a", 2), mongoerr.WriteConflict},
		{"another deleted since", func(t *testing.T, s *Store, c *Collection) { unput(t, s, c, one) }, doc("_id", 2, "a", 2), 0},
		{"written again since", func(t *testing.T, s *Store, c *Collection) { unput(t, s, c, one); insert(t, s, c, one) }, doc("_id", 1, "a", 2), mongoerr.WriteConflict},
		{"an entry taken since", func(t *testing.T, s *Store, c *Collection) { insert(t, s, c, doc("_id", 2, "a", 2)) }, doc("_id", 3, "a", 2), mongoerr.WriteConflict},
		{"an entry freed since", func(t *testing.T, s *Store, c *Collection) { unput(t, s, c, one) }, doc("_id", 3, "a", 1), mongoerr.WriteConflict},
		{"an entry taken before", func(*testing.T, *Store, *Collection) {}, doc("_id", 3, "a", 1), mongoerr.DuplicateKey},
		{"another document changed", func(t *testing.T, s *Store, c *Collection) { insert(t, s, c, doc("_id", 9, "a", 9)) }, doc("_id", 1, "a", 2), 0},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{})
			c := collection(t, s, "c", unique)
			insert(t, s, c, one)
			x := begin(s)
			defer x.Abort()
			k.other(t, s, c)
			err := put(t, x, c, k.doc)
			if k.want == 0 && err != nil || k.want != 0 && !mongoerr.Is(err, k.want) {
				t.Errorf("got %v, want code %d", err, k.want)
			}
		})
	}
}

func unput(tb testing.TB, s Target, c *Collection, d bsonraw.Doc) {
	tb.Helper()
	w := s.NewWrite()
	if err := w.Delete(c, idKey(d), d, &oplog.Entry{Op: oplog.Delete, NS: []byte(c.NS()), O: doc("_id", 0)}); err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// An entry that the transaction has freed itself is no conflict.
func TestTxnMovesUniqueEntries(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c", indexSpec("a", "a", true))
	insert(t, s, c, doc("_id", 1, "a", 1), doc("_id", 2, "a", 2))
	x := begin(s)
	for _, d := range []bsonraw.Doc{doc("_id", 1, "a", 3), doc("_id", 2, "a", 1), doc("_id", 1, "a", 2)} {
		if err := put(t, x, c, d); err != nil {
			t.Fatalf("%s: %v", d.Shell(), err)
		}
	}
	if err := put(t, x, c, doc("_id", 3, "a", 1)); !mongoerr.Is(err, mongoerr.DuplicateKey) {
		t.Errorf("an entry of the transaction itself: %v", err)
	}
	if _, err := x.Commit(testTxn); err != nil {
		t.Fatal(err)
	}
	if n := countEntries(t, s, c.Indexes[1]); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

func TestTxnMeetsLatches(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	key := idKey(doc("_id", 1))
	x, y := begin(s), begin(s)
	defer y.Abort()
	if err := put(t, x, c, doc("_id", 1)); err != nil {
		t.Fatal(err)
	}
	if err := put(t, y, c, doc("_id", 1)); !mongoerr.Is(err, mongoerr.WriteConflict) {
		t.Errorf("what another transaction has latched: %v", err)
	}
	got := make(chan error)
	go func() {
		held, err := s.LatchDocs(context.Background(), c, key)
		held.Release()
		got <- err
	}()
	if _, err := x.Commit(testTxn); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("a single write that waited: %v", err)
	}
	held, err := s.LatchDocs(t.Context(), c, key)
	if err != nil {
		t.Fatal(err)
	}
	z := begin(s)
	defer z.Abort()
	if err := put(t, z, c, doc("_id", 1)); !mongoerr.Is(err, mongoerr.WriteConflict) {
		t.Errorf("what a single write holds for long: %v", err)
	}
	held.Release()
	if err := put(t, z, c, doc("_id", 1)); err != nil {
		t.Errorf("what nobody holds any more: %v", err)
	}
}

// Operations that are too many for one entry are divided; together they are one transaction at one time.
func TestTxnInParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	c := collection(t, s, "c")
	c.Images = true
	x := begin(s)
	large := strings.Repeat("x", 6<<20)
	for i := range 7 {
		if err := put(t, x, c, doc("_id", i, "large", large)); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(t, x, c, doc("_id", 0)); err != nil {
		t.Fatal(err)
	}
	commit, err := x.Commit(testTxn)
	if err != nil {
		t.Fatal(err)
	}
	if err := commit.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	ops, number := int32(0), int32(0)
	_, err = s.Scan(t.Context(), commit.First, func(e *oplog.Entry) (bool, error) {
		if e.Part.Number != number || e.Part.FirstOp != ops || e.Time() != commit.Last || len(e.Raw) > 16<<20 {
			t.Errorf("part %+v of %d bytes at %v belongs to %v", e.Part, len(e.Raw), e.TS, e.Time())
		}
		prev := oplog.Timestamp(e.Raw.Lookup("prevOpTime").Doc().Lookup("ts").Int64())
		if want := e.TS - 1; number > 0 && prev != want || number == 0 && prev != 0 {
			t.Errorf("part %d says that the one before was at %v", number, prev)
		}
		number++
		ops += int32(e.O.Lookup("applyOps").Doc().Len())
		return true, nil
	})
	if err != nil || number != int32(commit.Last-commit.First)+1 || number < 3 || ops != 8 {
		t.Errorf("%d operations in %d parts, %v", ops, number, err)
	}
	image, err := s.PreImage(t.Context(), c.UUID, commit.Last, 7)
	if err != nil || len(image) < len(large) {
		t.Errorf("the image before operation 7 has %d bytes, %v", len(image), err)
	}
	if _, ts, _, err := s.Get(nil, c, idKey(doc("_id", 5))); ts != commit.Last || err != nil {
		t.Errorf("a document of a part says that it was written at %v, %v", ts, err)
	}
}

func TestTxnCreatesCollections(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	create := func(x *Txn) *Collection {
		ch := x.Change()
		c := &Collection{ID: ch.NewID(), DB: "db", Name: "new", Options: bsonraw.Empty, Shared: NewShared()}
		index, err := ch.NewIndex(indexSpec("_id_", "_id", false))
		if err != nil {
			t.Fatal(err)
		}
		c.Indexes = []*Index{index}
		ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("create", "new")})
		if err := ch.Put(c); err != nil {
			t.Fatal(err)
		}
		if _, err := ch.Commit(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	x, y := begin(s), begin(s)
	c := create(x)
	create(y)
	if err := put(t, x, c, doc("_id", 1)); err != nil {
		t.Fatal(err)
	}
	if x.Catalog().Collection("db", "new") == nil || s.Catalog().Collection("db", "new") != nil {
		t.Error("the transaction alone sees its collection before the commit")
	}
	if _, err := x.Commit(testTxn); err != nil {
		t.Fatal(err)
	}
	if s.Catalog().Collection("db", "new") != c || ids(t, s, c) != "1" {
		t.Error("the collection is not there after the commit")
	}
	if _, err := y.Commit(testTxn); !mongoerr.Is(err, mongoerr.WriteConflict) {
		t.Errorf("the second to create it: %v", err)
	}
}

// Transactions that move amounts between accounts never change the sum, whoever looks, and whoever fails tries again.
func TestTxnsAreIsolated(t *testing.T) {
	t.Parallel()
	const accounts, movers, moves = 5, 4, 60
	s := open(t, Config{})
	c := collection(t, s, "c")
	for i := range accounts {
		insert(t, s, c, doc("_id", i, "n", 100))
	}
	sum := func(v View) (total int) {
		for i := range accounts {
			d, _, _, err := v.Get(nil, c, idKey(doc("_id", i)))
			if err != nil {
				t.Error(err)
			}
			total += int(d.Lookup("n").Int32())
		}
		return total
	}
	move := func(x *Txn, from, to int) error {
		for id, by := range map[int]int{from: -1, to: 1} {
			d, _, _, err := x.Get(nil, c, idKey(doc("_id", id)))
			if err != nil {
				return err
			}
			if err := put(t, x, c, doc("_id", id, "n", int(d.Lookup("n").Int32())+by)); err != nil {
				return err
			}
		}
		return nil
	}
	var group sync.WaitGroup
	for m := range movers {
		group.Go(func() {
			for i := 0; i < moves; {
				x := begin(s)
				if got := sum(x); got != accounts*100 {
					t.Errorf("a transaction sees a sum of %d", got)
				}
				err := move(x, (m+i)%accounts, (m+i+1)%accounts)
				if err == nil {
					_, err = x.Commit(TxnID{LSID: testTxn.LSID, Session: fmt.Appendf(nil, "session %08d", m), Number: int64(i)})
				} else {
					x.Abort()
				}
				switch {
				case err == nil:
					i++
				case !mongoerr.Is(err, mongoerr.WriteConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if got := sum(s); got != accounts*100 {
		t.Errorf("the sum is %d in the end", got)
	}
}

// A transaction has the indexes of its snapshot: it reads with those that are still there, and cannot keep those that came since.
func TestTxnAndIndexesThatCameSince(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c", indexSpec("a", "a", false))
	insert(t, s, c, doc("_id", 1, "a", 1, "b", 1))
	x := begin(s)
	defer x.Abort()
	b := startBuild(t, s, c, indexSpec("b", "b", false))
	b.fill()
	if err := b.finish(); err != nil {
		t.Fatal(err)
	}
	insert(t, s, s.Catalog().Collection("db", "c"), doc("_id", 2))
	seen, err := x.Collection(t.Context(), "db", "c")
	if err != nil {
		t.Fatal(err)
	}
	if seen.Index("a") == nil || seen.Index("b") != nil || ids(t, x, seen) != "1" {
		t.Errorf("the transaction sees %d indexes and the documents %s", len(seen.Indexes), ids(t, x, seen))
	}
	if err := put(t, x, seen, doc("_id", 1, "a", 2)); !mongoerr.Is(err, mongoerr.WriteConflict) {
		t.Errorf("a write without the index that came since: %v", err)
	}
	y := begin(s)
	defer y.Abort()
	if seen, err = y.Collection(t.Context(), "db", "c"); err != nil || seen.Index("b") == nil {
		t.Fatalf("a transaction that began later: %v", err)
	}
	if err := put(t, y, seen, doc("_id", 1, "a", 2)); err != nil {
		t.Error(err)
	}
}
