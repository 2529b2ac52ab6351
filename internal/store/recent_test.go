package store

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// What is said to be missing is missing, whoever inserts how, also before what was there when the store was opened.
func TestRecentKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var there sync.Map
	for round := range 3 {
		s, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		c := s.Catalog().Collection("db", "c")
		if c == nil {
			c = collection(t, s, "c")
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for n := range 1500 {
					insertRecent(t, s, c, (2-round)*1500+n+rand.IntN(64), rand.IntN(4), &there)
				}
			})
		}
		wg.Wait()
		there.Range(func(id, _ any) bool {
			if has, err := s.Has(c, idKey(doc("_id", id))); err != nil || !has {
				t.Errorf("round %d: %v is there, and is said to be missing: %v", round, id, err)
			}
			return true
		})
		if first := round == 0; c.recent.known != first {
			t.Errorf("round %d: known is %v", round, c.recent.known)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecentKeysAfterMany(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	var docs []bsonraw.Doc
	for i := range 2 * fewInserts {
		docs = append(docs, doc("_id", i))
	}
	insert(t, s, c, docs...)
	for _, id := range []int{2*fewInserts - 1, 2 * fewInserts} {
		if has, err := s.Has(c, idKey(doc("_id", id))); err != nil || has != (id < 2*fewInserts) {
			t.Errorf("Has(%d) = %v, %v", id, has, err)
		}
	}
}

// insertRecent inserts a document, in a transaction or not, or many, where they are not there yet.
func insertRecent(t *testing.T, s *Store, c *Collection, id, how int, there *sync.Map) {
	if how == 1 {
		insertRecentInTxn(t, s, c, id, there)
		return
	}
	docs := []bsonraw.Doc{doc("_id", id)}
	if how == 0 && id%20 == 0 {
		for i := range 2 * fewInserts {
			docs = append(docs, doc("_id", id+64+i))
		}
	}
	keys := make([][]byte, 0, len(docs))
	for _, d := range docs {
		keys = append(keys, idKey(d))
	}
	held, err := s.LatchDocs(t.Context(), c, keys...)
	if err != nil {
		t.Error(err)
		return
	}
	defer held.Release()
	w := s.NewWrite()
	for i, d := range docs {
		has, err := s.Has(c, keys[i])
		if err != nil {
			t.Error(err)
		}
		if _, inserted := there.Load(int(d.Lookup("_id").Int32())); inserted && !has {
			t.Errorf("%s is there, and is said to be missing", d.Shell())
		}
		if has {
			continue
		}
		if err := w.Insert(c, keys[i], c.Indexed(d), insertEntry(c, d)); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.Commit(); err != nil {
		t.Error(err)
	}
	for _, d := range docs {
		there.Store(int(d.Lookup("_id").Int32()), nil)
	}
}

func insertRecentInTxn(t *testing.T, s *Store, c *Collection, id int, there *sync.Map) {
	x := begin(s)
	defer x.Abort()
	d := doc("_id", id)
	if err := put(t, x, c, d); err != nil {
		return // somebody else has written it
	}
	if _, err := x.Commit(testTxn); err != nil {
		t.Error(err)
	}
	there.Store(id, nil)
}

// asked is a source that counts the iterators.
type asked struct {
	source
	times int
}

func (a *asked) NewIter(o *pebble.IterOptions) (iterator, error) {
	a.times++
	return a.source.NewIter(o)
}

// Where the store has greater keys it is asked less and less often: what is deleted between takes long to pass over.
func TestRecentKeysBelowOthers(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	c := collection(t, s, "c")
	db := &asked{source: s.reader.db}
	key := func(n int) []byte { return append(numberedKey(kindDocument, c.ID), idKey(doc("_id", n))...) }
	const most = 1 << 20
	if err := s.db.Set(key(most), nil, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	const groups = 1000
	for n := range groups {
		c.recent.addMany(key(n), db)
	}
	if db.times < 2 || db.times > 10 {
		t.Errorf("the store was asked %d times", db.times)
	}
	if c.recent.lacks(key(groups)) {
		t.Error("something is known, though there are greater keys")
	}
	for n := range groups {
		c.recent.addMany(key(most+n), db)
	}
	if !c.recent.lacks(key(most+groups)) || c.recent.lacks(key(most)) {
		t.Error("it is not known what is there")
	}
}
