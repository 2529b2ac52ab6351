package store

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// measurement makes one of that time.
func measurement(at int64) bsonraw.Doc {
	dst, begin := bsonraw.BeginDoc(nil)
	return bsonraw.EndDoc(bsonraw.AppendDate(dst, "t", at), begin)
}

// seriesCollection creates a collection of measurements with further indexes.
func seriesCollection(t *testing.T, s *Store, specs ...bsonraw.Doc) *Collection {
	t.Helper()
	c := &Collection{DB: "db", Name: BucketsPrefix + "c", Shared: &Shared{}}
	c.SetOptions(doc("timeseries", doc("timeField", "t", "metaField", "m")))
	if c.Series == nil || *c.Series != (Series{"t", "m"}) {
		t.Fatalf("the option was read as %+v", c.Series)
	}
	ch := s.Change()
	c.ID = ch.NewID()
	for _, spec := range append([]bsonraw.Doc{c.Series.OrderSpec()}, specs...) {
		x, err := ch.NewIndex(spec)
		if err != nil {
			t.Fatal(err)
		}
		c.Indexes = append(c.Indexes, x)
	}
	if err := ch.Put(c); err != nil {
		t.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: doc("create", c.Name)})
	if _, err := ch.Commit(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeysOfMeasurementsAreInTheOrderOfTimeAndNeverTheSame(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir() + "/db"})
	c := seriesCollection(t, s)
	var last []byte
	for _, at := range []int64{-1 << 60, -1, 0, 0, 0, 1, 1 << 60} {
		key := AppendNewKey(nil, s, c, measurement(at))
		if bytes.Compare(key, last) <= 0 {
			t.Errorf("the key of %d is %x, after %x", at, key, last)
		}
		last = key
	}
	if list := c.Listed(); len(list) != 0 || c.IndexCount() != 0 {
		t.Errorf("%d indexes are shown, %d counted", len(list), c.IndexCount())
	}
}

func TestNumbersOfMeasurementsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/db"
	number := func(s *Store) uint64 {
		t.Helper()
		c := s.Catalog().Collection("db", BucketsPrefix+"c")
		if c == nil || c.Series == nil {
			t.Fatalf("the collection came back as %+v", c)
		}
		d := measurement(7)
		key := AppendNewKey(nil, s, c, d)
		w := s.NewWrite()
		if err := w.Insert(c, key, c.Indexed(d), insertEntry(c, d)); err != nil {
			t.Fatal(err)
		}
		if commit, err := w.Commit(); err != nil || commit.Wait(t.Context()) != nil {
			t.Fatal(err)
		}
		return binary.BigEndian.Uint64(key[len(key)-8:])
	}
	s := open(t, Config{Dir: dir})
	seriesCollection(t, s)
	before := number(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if after := number(s); after <= before {
		t.Errorf("a number is %d, and after a restart %d", before, after)
	}
}

func TestCheckFindsAMeasurementOfAnotherTime(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir() + "/db"})
	c := seriesCollection(t, s)
	d := measurement(7)
	key := AppendNewKey(nil, s, c, d)
	w := s.NewWrite()
	if err := w.Insert(c, key, c.Indexed(d), insertEntry(c, d)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	check := func() string {
		t.Helper()
		found, err := Check(t.Context(), s, c.DB, c.Name, true, func(bsonraw.Doc) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		return describe(found)
	}
	if got := check(); got != "" {
		t.Errorf("found %s where nothing is wrong", got)
	}
	at := append(numberedKey(kindDocument, c.ID), key...)
	if err := s.db.Set(at, append(make([]byte, stampLen), measurement(8)...), pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	if got, want := check(), "the measurement with the _id missing is stored under another time"; got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestOnlyTheViewOfASeriesIsOne(t *testing.T) {
	t.Parallel()
	options := doc("timeseries", doc("timeField", "t", "bucketMaxSpanSeconds", 3600), "collation", doc("locale", "fr"))
	v := NewSeriesView("db", "c", options)
	if !v.IsSeries() || v.On != "system.buckets.c" || v.Collation.Lookup("locale").Str() != "fr" {
		t.Errorf("the view is %+v", v)
	}
	other := *v
	other.Pipeline = emptyArray()
	if other.IsSeries() {
		t.Error("a view without the stage is one")
	}
	other = *v
	other.Name = "d"
	if other.IsSeries() {
		t.Error("a view of another name is one")
	}
	other = *v
	two := bsonraw.BeginArray(nil)
	two.Append(v.Pipeline.Lookup("0"))
	two.Append(doc("$match", doc("a", 1)).Value())
	if other.Pipeline = two.End(); other.IsSeries() {
		t.Error("a view with a further stage is one")
	}
}

// TestPowerFailureLosesNoMeasurement cuts the power again and again, each time in the state that the last failure has left: what was
// durable stays, nothing is replaced, and documents agree with the index.
func TestPowerFailureLosesNoMeasurement(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	cfg := Config{Dir: "folder/data", FS: disk}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := seriesCollection(t, s, indexSpec("m_1", "m", false))
	durable := int64(0)
	for failure := range 12 {
		for i := range 5 {
			d := measurement(int64(i % 2)) // of the same times again and again
			key := AppendNewKey(nil, s, c, d)
			if there, err := s.Has(c, key); there || err != nil {
				t.Fatalf("the key of a new measurement is another's: %v, %v", there, err)
			}
			w := s.NewWrite()
			if err := w.Insert(c, key, c.Indexed(d), insertEntry(c, d)); err != nil {
				t.Fatal(err)
			}
			commit, err := w.Commit()
			if err != nil {
				t.Fatal(err)
			}
			if i < 4 { // the last one may be lost
				if err := commit.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				durable++
			}
		}
		disk = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[failure%3], RNG: rand.New(rand.NewPCG(uint64(failure), 0))})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.FS = disk
		if s, err = Open(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		if c = s.Catalog().Collection("db", BucketsPrefix+"c"); c == nil || c.Series == nil {
			t.Fatal("the collection is gone")
		}
		found, err := Check(t.Context(), s, c.DB, c.Name, true, func(bsonraw.Doc) error { return nil })
		if err != nil || describe(found) != "" {
			t.Fatalf("after %d failures: %v, %s", failure+1, err, describe(found))
		}
		if found.Docs < durable {
			t.Fatalf("after %d failures there are %d measurements, and %d were durable", failure+1, found.Docs, durable)
		}
		durable = found.Docs
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
