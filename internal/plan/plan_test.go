package plan_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
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
	st, err := store.Open(context.Background(), store.Config{IndexRules: plan.CompileIndexRules})
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
		x, err := ch.NewIndex(marshal(tb, spec))
		if err != nil {
			tb.Fatal(err)
		}
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
	if err := w.Insert(f.coll, bsonraw.AppendKey(nil, d.Lookup("_id")), f.coll.Indexed(d), e); err != nil {
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

func query(tb testing.TB, d bson.D, by *collation.Collation) *filter.Filter {
	tb.Helper()
	var none *expression.Scope
	f, err := filter.Compile(marshal(tb, d), filter.Options{Scope: none.WithCollation(by)})
	if err != nil {
		tb.Fatalf("compile %v: %v", d, err)
	}
	return f
}

func order(tb testing.TB, d bson.D, by *collation.Collation) *ordering.Ordering {
	tb.Helper()
	if d == nil {
		return nil
	}
	o, err := ordering.Compile(marshal(tb, d), by)
	if err != nil {
		tb.Fatalf("compile %v: %v", d, err)
	}
	return o
}

func names(p *plan.Plan) string {
	var list []string
	for _, x := range p.Indexes() {
		list = append(list, x.Name)
	}
	return strings.Join(list, " ")
}

// looks walks a plan to its end and counts the documents that it looks at.
func (f *fixture) looks(tb testing.TB, p *plan.Plan) int {
	tb.Helper()
	w := p.Open(f.st)
	var err error
	for err == nil {
		_, err = w.Next(context.Background())
	}
	if closed := w.Close(); closed != nil || !errors.Is(err, io.EOF) {
		tb.Fatal(err, closed)
	}
	return w.Looked()
}
