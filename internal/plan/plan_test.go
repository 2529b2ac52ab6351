package plan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a store with one collection.
type fixture struct {
	st   *store.Store
	coll *store.Collection
}

func newFixture(tb testing.TB, indexes ...bson.D) *fixture {
	tb.Helper()
	st, err := store.Open(context.Background(), store.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	ch := st.Change()
	c := &store.Collection{ID: ch.NewID(), DB: "db", Name: "c", Options: bsonraw.Empty, Shared: &store.Shared{}}
	specs := append([]bson.D{{{Key: "key", Value: bson.D{{Key: "_id", Value: 1}}}, {Key: "name", Value: "_id_"}}}, indexes...)
	for _, spec := range specs {
		x, err := store.NewIndex(marshal(tb, spec))
		if err != nil {
			tb.Fatal(err)
		}
		x.ID = ch.NewID()
		c.Indexes = append(c.Indexes, x)
	}
	if err := ch.Put(c); err != nil {
		tb.Fatal(err)
	}
	ch.Log(&oplog.Entry{Op: oplog.Command, NS: []byte("db.$cmd"), O: bsonraw.Empty})
	if _, err := ch.Commit(); err != nil {
		tb.Fatal(err)
	}
	return &fixture{st, c}
}

func index(name string, key bson.D, options ...bson.E) bson.D {
	return append(bson.D{{Key: "key", Value: key}, {Key: "name", Value: name}}, options...)
}

func marshal(tb testing.TB, v any) bsonraw.Doc {
	tb.Helper()
	b, err := bson.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func (f *fixture) insert(tb testing.TB, d bsonraw.Doc) {
	tb.Helper()
	w := f.st.NewWrite()
	e := &oplog.Entry{Op: oplog.Insert, NS: []byte("db.c"), O: d, O2: bsonraw.Empty}
	if err := w.Insert(f.coll, bsonraw.AppendKey(nil, d.Lookup("_id")), d, e); err != nil {
		w.Discard() // a document with two arrays in one compound index cannot be stored
		return
	}
	if _, err := w.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// run walks a plan, pausing after every pause documents, and returns the documents' _ids.
func (f *fixture) run(tb testing.TB, p *plan.Plan, pause int) []string {
	tb.Helper()
	w := p.Open(f.st)
	var ids []string
	for {
		d, err := w.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tb.Fatal(err)
		}
		ids = append(ids, d.Lookup("_id").Shell())
		if len(ids)%pause == 0 {
			if err := w.Pause(); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return ids
}

// values are what documents and filters are made of: few enough that they meet, of many classes.
var values = []any{
	nil, 0, 1, 2, 2.5, int64(3), -1, "", "a", "b", true, false,
	bson.D{},
	bson.D{{Key: "x", Value: 1}},
	bson.A{},
	bson.A{1},
	bson.A{1, 3},
	bson.A{nil, "a"},
	bson.A{bson.A{1}},
	bson.MinKey{},
	bson.MaxKey{},
	bson.A{bson.D{{Key: "x", Value: 1}}, bson.D{{Key: "x", Value: bson.A{2, 3}}}},
	bson.D{{Key: "x", Value: bson.A{1, 2}}},
	bson.D{{Key: "x", Value: nil}},
}

var fields = []string{"a", "b", "c", "a.x", "b.x"}

func genDoc(t *rapid.T, id int) bson.D {
	d := bson.D{{Key: "_id", Value: id}}
	for _, name := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "has "+name) {
			d = append(d, bson.E{Key: name, Value: rapid.SampledFrom(values).Draw(t, name)})
		}
	}
	return d
}

func genFilter(t *rapid.T) bson.D {
	var d bson.D
	for range rapid.IntRange(1, 3).Draw(t, "conditions") {
		field := rapid.SampledFrom(fields).Draw(t, "field")
		value := rapid.SampledFrom(values).Draw(t, "value")
		op := rapid.SampledFrom([]string{"", "$eq", "$gt", "$gte", "$lt", "$lte", "$in", "$exists", "$ne", "$elemMatch"}).Draw(t, "op")
		condition := value
		switch op {
		case "":
		case "$in":
			condition = bson.D{{Key: op, Value: bson.A{value, rapid.SampledFrom(values).Draw(t, "other")}}}
		case "$exists":
			condition = bson.D{{Key: op, Value: true}}
		case "$elemMatch":
			condition = bson.D{{Key: op, Value: bson.D{{Key: "$gte", Value: 1}, {Key: "$lt", Value: 3}}}}
		default:
			condition = bson.D{{Key: op, Value: value}}
		}
		d = append(d, bson.E{Key: "$and", Value: bson.A{bson.D{{Key: field, Value: condition}}}})
	}
	all := bson.A{}
	for _, e := range d {
		all = append(all, e.Value.(bson.A)...)
	}
	return bson.D{{Key: "$and", Value: all}}
}

var testIndexes = []bson.D{
	index("a", bson.D{{Key: "a", Value: 1}}),
	index("b_desc_a", bson.D{{Key: "b", Value: -1}, {Key: "a", Value: 1}}),
	index("c_sparse", bson.D{{Key: "c", Value: 1}}, bson.E{Key: "sparse", Value: true}),
	index("a.x_c", bson.D{{Key: "a.x", Value: 1}, {Key: "c", Value: -1}}),
	index("a_b", bson.D{{Key: "a", Value: 1}, {Key: "b", Value: -1}}),
}

func TestEveryIndexFindsWhatAScanFinds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, testIndexes...)
		for id := range rapid.IntRange(1, 25).Draw(rt, "documents") {
			f.insert(t, marshal(t, genDoc(rt, id)))
		}
		query := marshal(t, genFilter(rt))
		compiled, err := filter.Compile(query, filter.Options{})
		if err != nil {
			rt.Skip(err)
		}
		scan := &store.Collection{ID: f.coll.ID, DB: "db", Name: "c", Shared: f.coll.Shared}
		want := f.run(t, plan.Choose(scan, compiled, nil, nil), 1000)
		for _, hint := range append([]*store.Index{nil}, f.coll.Indexes...) {
			p := plan.Choose(f.coll, compiled, nil, hint)
			got := f.run(t, p, 3)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				rt.Fatalf("filter %s by index %v: got %v, a scan gives %v", query.Shell(), name(p), got, want)
			}
		}
	})
}

func TestSortedPlansGiveTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, testIndexes...)
		for id := range rapid.IntRange(1, 25).Draw(rt, "documents") {
			f.insert(t, marshal(t, genDoc(rt, id)))
		}
		spec := bson.D{}
		for _, field := range rapid.SampledFrom([][]string{{"a"}, {"_id"}, {"b", "a"}, {"a", "b"}, {"c"}, {"a.x", "c"}}).Draw(rt, "sort") {
			spec = append(spec, bson.E{Key: field, Value: rapid.SampledFrom([]int{1, -1}).Draw(rt, "direction")})
		}
		order, err := ordering.Compile(marshal(t, spec), nil)
		if err != nil {
			t.Fatal(err)
		}
		query := marshal(t, genFilter(rt))
		compiled, err := filter.Compile(query, filter.Options{})
		if err != nil {
			rt.Skip(err)
		}
		p := plan.Choose(f.coll, compiled, order, nil)
		if !p.Sorted {
			rt.Skip("no index gives this order")
		}
		w := p.Open(f.st)
		defer w.Close()
		var last []byte
		for {
			d, err := w.Next(context.Background())
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			key, err := order.AppendKey(nil, d)
			if err != nil {
				t.Fatal(err)
			}
			if string(key) < string(last) {
				rt.Fatalf("filter %s sorted by %v with index %s: %s is out of order", query.Shell(), spec, name(p), d.Shell())
			}
			last = key
		}
	})
}

func TestPlansUseIndexes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, testIndexes...)
	for id := range 100 {
		f.insert(t, marshal(t, bson.D{{Key: "_id", Value: id}, {Key: "a", Value: id % 10}, {Key: "b", Value: id % 7}, {Key: "c", Value: id}}))
	}
	for _, test := range []struct {
		filter, sort bson.D
		index        string
		looks        int
	}{
		{bson.D{{Key: "_id", Value: 5}}, nil, "_id_", 1},
		{bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: 90}}}}, nil, "_id_", 10},
		{bson.D{{Key: "a", Value: 3}}, nil, "a", 10},
		{bson.D{{Key: "a", Value: bson.D{{Key: "$in", Value: bson.A{1, 2}}}}}, nil, "a", 20},
		{bson.D{{Key: "a", Value: 3}, {Key: "b", Value: 3}}, nil, "b_desc_a", 2},
		{bson.D{{Key: "c", Value: bson.D{{Key: "$gt", Value: 95}}}}, nil, "c_sparse", 4},
		{bson.D{}, bson.D{{Key: "a", Value: -1}}, "a", 100},
		{bson.D{{Key: "a", Value: 4}}, bson.D{{Key: "b", Value: 1}}, "a_b", 10},
		{bson.D{{Key: "z", Value: 1}}, nil, "", 100},
	} {
		compiled, err := filter.Compile(marshal(t, test.filter), filter.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var order *ordering.Ordering
		if test.sort != nil {
			if order, err = ordering.Compile(marshal(t, test.sort), nil); err != nil {
				t.Fatal(err)
			}
		}
		p := plan.Choose(f.coll, compiled, order, nil)
		w := p.Open(f.st)
		for err == nil {
			_, err = w.Next(t.Context())
		}
		if closed := w.Close(); closed != nil || !errors.Is(err, io.EOF) {
			t.Fatal(err, closed)
		}
		// The call that finds the end counts too.
		if got := fmt.Sprint(name(p), " ", w.Looked()-1); got != fmt.Sprint(test.index, " ", test.looks) && got != fmt.Sprint(test.index, " ", test.looks-1) {
			t.Errorf("filter %v sort %v: index and documents looked at: %s, want %s %d", test.filter, test.sort, got, test.index, test.looks)
		}
	}
}

func name(p *plan.Plan) string {
	if p.Index == nil {
		return ""
	}
	return p.Index.Name
}
