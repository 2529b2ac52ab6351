package command

import (
	"errors"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// environment is what lies around the pipeline of a cursor. It reads in the view in which the cursor was opened, on behalf of the
// operation that reads from the cursor at the moment.
type environment struct {
	op     *operation // nil between two batches
	view   store.View
	exact  bool         // the read concern is "snapshot"
	walks  []*plan.Walk // those that are open
	bypass bool         // bypassDocumentValidation
	last   store.Commit // of what stages wrote
}

var _ aggregation.Environment = (*environment)(nil)

func newEnvironment(op *operation) *environment {
	return &environment{op: op, view: op.view, exact: wantsSnapshot(op)}
}

// pause lets go of what the walks hold of the store.
func (e *environment) pause() error {
	var failed error
	for _, w := range e.walks {
		failed = errors.Join(failed, w.Pause())
	}
	return failed
}

// close ends the walks. What could go wrong in them was seen while reading.
func (e *environment) close() {
	for _, w := range e.walks {
		_ = w.Close()
	}
	e.walks = nil
}

// collection looks a collection up; nil when there is none.
func (e *environment) collection(ns aggregation.Namespace) (*store.Collection, error) {
	if e.op.transaction != nil {
		return e.op.transaction.data.Collection(e.op.ctx, ns.DB, ns.Coll)
	}
	return e.view.Catalog().Collection(ns.DB, ns.Coll), nil
}

// Beneath returns what a name stands for.
func (e *environment) Beneath(ns aggregation.Namespace) (aggregation.Beneath, error) {
	b, err := lookBeneath(e.view.Catalog(), ns.DB, ns.Coll)
	return aggregation.Beneath{
		Namespace: aggregation.Namespace{DB: ns.DB, Coll: b.coll}, View: b.isView(), Pipeline: b.pipeline, Collation: b.by,
	}, err
}

// HasIndex reports whether equality on a field, with a string as with anything else, is asked of an index.
func (e *environment) HasIndex(ns aggregation.Namespace, field string, by *collation.Collation) bool {
	c, err := e.collection(ns)
	if err != nil || c == nil {
		return true // there is nothing to read
	}
	spec, at := bsonraw.BeginDoc(nil)
	spec = bsonraw.EndDoc(bsonraw.AppendString(spec, field, "a"), at)
	var none *expression.Scope
	f, err := filter.Compile(spec, filter.Options{Scope: none.WithCollation(by)})
	return err == nil && len(plan.Choose(c, plan.Query{Filter: f}).Indexes()) > 0
}

// IsUnique reports whether a unique index has exactly these fields, all documents, and the collation.
func (e *environment) IsUnique(ns aggregation.Namespace, fields []string, by *collation.Collation) bool {
	c, err := e.collection(ns)
	if err != nil || c == nil {
		return err == nil && slices.Equal(fields, []string{"_id"})
	}
	return slices.ContainsFunc(c.Indexes, func(x *store.Index) bool { return makesUnique(c, x, fields, by) })
}

func makesUnique(c *store.Collection, x *store.Index, fields []string, by *collation.Collation) bool {
	if !x.Unique || len(x.Fields) != len(fields) {
		return false
	}
	for _, f := range x.Fields {
		if !slices.Contains(fields, f.Path) {
			return false
		}
	}
	if x.IsID() {
		own, err := defaultCollation(c)
		return err == nil && own.Same(by)
	}
	rules := plan.RulesOf(x)
	return rules.Partial == nil && rules.Collation.Same(by)
}

// Read returns what a pipeline makes of the documents of a collection.
func (e *environment) Read(ns aggregation.Namespace, p *aggregation.Pipeline) (aggregation.Reader, error) {
	c, err := e.collection(ns)
	if err == nil && e.exact {
		err = refuseSnapshotOf(c)
	}
	if err != nil {
		return nil, err
	}
	return e.read(c, p, bsonraw.Value{})
}

// read is Read with a hint, of a collection that may be nil.
func (e *environment) read(c *store.Collection, p *aggregation.Pipeline, hint bsonraw.Value) (*openPipeline, error) {
	if c == nil {
		return &openPipeline{Source: p.Run(emptySource{}), env: e}, nil
	}
	q := plan.Query{Filter: p.LeadingFilter()}
	var err error
	if q.Filter == nil {
		if q.Filter, err = filter.Compile(bsonraw.Empty, filter.Options{}); err != nil {
			return nil, err
		}
	}
	if q.Hint, err = planHint(c, hint); err != nil {
		return nil, err
	}
	q.Order, q.Limit, q.Beyond = p.LeadingOrdering()
	chosen := plan.Choose(c, q)
	noteScan(e.op, c, chosen, false)
	walk := chosen.Open(e.view)
	e.walks = append(e.walks, walk)
	rest := p.Without(true, q.Order != nil && chosen.Sorted)
	return &openPipeline{Source: rest.Run(walkSource{walk}), env: e, walk: walk}, nil
}

// openPipeline is a pipeline over a walk.
type openPipeline struct {
	aggregation.Source
	env  *environment
	walk *plan.Walk // nil without a collection
}

// Close ends the walk.
func (r *openPipeline) Close() error {
	if r.walk == nil {
		return nil
	}
	r.env.walks = slices.DeleteFunc(r.env.walks, func(w *plan.Walk) bool { return w == r.walk })
	return r.walk.Close()
}
