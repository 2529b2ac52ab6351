package aggregation

import (
	"context"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// testEnvironment has collections and views in memory. It counts how often a collection is read.
type testEnvironment struct {
	collections map[string]bsonraw.Doc // arrays of documents
	views       map[string]Beneath
	indexed     string // a field with an index in every collection
	reads       map[string]int
	open        int // readers that are not closed
	written     map[string][]bsonraw.Doc
}

func newTestEnvironment() *testEnvironment {
	return &testEnvironment{
		collections: map[string]bsonraw.Doc{}, views: map[string]Beneath{}, reads: map[string]int{}, written: map[string][]bsonraw.Doc{},
	}
}

func (e *testEnvironment) Beneath(ns Namespace) (Beneath, error) {
	if v, ok := e.views[ns.Coll]; ok {
		return v, nil
	}
	return Beneath{Namespace: ns}, nil
}

func (e *testEnvironment) HasIndex(_ Namespace, field string, _ *collation.Collation) bool {
	return field == e.indexed
}

func (e *testEnvironment) IsUnique(_ Namespace, fields []string, _ *collation.Collation) bool {
	return slices.Equal(fields, []string{"_id"})
}

// testReader is a source that is counted until it is closed.
type testReader struct {
	Source
	env *testEnvironment
}

func (r *testReader) Close() error {
	r.env.open--
	return nil
}

func (e *testEnvironment) Read(ns Namespace, p *Pipeline) (Reader, error) {
	e.reads[ns.Coll]++
	e.open++
	return &testReader{Source: p.Run(newSource(e.collections[ns.Coll])), env: e}, nil
}

func (e *testEnvironment) Activity(*Activity) []bsonraw.Doc { return nil }

func (e *testEnvironment) Statistics(ns Namespace, of *Statistics) ([]bsonraw.Doc, error) {
	if !of.Count {
		return nil, mongoerr.New(mongoerr.NamespaceNotFound, "nothing is known of %s", ns)
	}
	doc, at := bsonraw.BeginDoc(nil)
	return []bsonraw.Doc{bsonraw.EndDoc(bsonraw.AppendInt32(doc, "count", int32(e.collections[ns.Coll].Len())), at)}, nil
}

func (e *testEnvironment) write(ctx context.Context, ns Namespace, src Source) error {
	return collect(ctx, src, func(doc bsonraw.Doc) error {
		e.written[ns.Coll] = append(e.written[ns.Coll], doc.Clone())
		return nil
	})
}

func (e *testEnvironment) Replace(ctx context.Context, ns Namespace, src Source) error {
	return e.write(ctx, ns, src)
}

func (e *testEnvironment) Merge(ctx context.Context, m *Merge, src Source) error {
	return e.write(ctx, m.To, src)
}
