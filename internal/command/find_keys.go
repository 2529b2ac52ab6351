package command

import (
	"context"
	"hash/fnv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/projection"
	"github.com/sluicestream/sluice/internal/plan"
)

// bound reads min or max; an empty one is none.
func (a argument) bound(to *bsonraw.Doc) error {
	var d bsonraw.Doc
	if err := a.doc(&d); err != nil {
		return err
	}
	if !d.IsEmpty() {
		*to = d
	}
	return nil
}

// checkBounds checks what can be said of min and max without the index.
func (f *findArgs) checkBounds() error {
	switch {
	case f.min == nil && f.max == nil:
		return nil
	case f.min != nil && f.max != nil && !sameNames(f.min, f.max):
		return mongoerr.New(51176, "min and max must have the same field names")
	}
	return nil
}

func sameNames(a, b bsonraw.Doc) bool {
	x, y := a.Iter(), b.Iter()
	for x.Next() {
		if !y.Next() || string(x.Key()) != string(y.Key()) {
			return false
		}
	}
	return !y.Next()
}

// bounds makes what min and max say of the index that is hinted at, for a find under a collation.
func (f *findArgs) bounds(hint plan.Hint, by *collation.Collation) (*plan.Bounds, error) {
	switch {
	case f.min == nil && f.max == nil:
		return nil, nil
	case hint.Natural != 0:
		return nil, mongoerr.New(mongoerr.NoQueryExecutionPlans, "error processing query: planner returned error :: caused by :: min and max are incompatible with $natural")
	case hint.Index == nil:
		return nil, mongoerr.New(51173, "error processing query: planner returned error :: caused by :: When using min()/max() a hint of which index to use must be provided")
	}
	return plan.NewBounds(hint.Index, f.min, f.max, by)
}

// source runs a find. What returnKey and showRecordId add to documents, or take in their place, is known before or after what a
// find does with them.
func (f *findArgs) source(spec aggregation.Find, walk *plan.Walk) aggregation.Source {
	switch {
	case f.returnKey:
		spec.Projection = nil
		return keyResult{aggregation.FromFind(spec).Run(&keySource{walk: walk})}
	case f.recordID:
		fields, by := spec.Projection, spec.Filter
		spec.Projection, spec.Filter = nil, nil
		return &recordIDResult{in: aggregation.FromFind(spec).Run(walkSource{walk}), fields: fields, filter: by}
	}
	return aggregation.FromFind(spec).Run(walkSource{walk})
}

// keyField is what a document carries the entry in through which it was found, while it is sorted and counted.
const keyField = "$indexKey"

// keySource gives the documents of a walk with their index entries.
type keySource struct {
	walk *plan.Walk
	buf  []byte
}

// Next returns the walk's next document, its entry at the end.
func (s *keySource) Next(ctx context.Context) (bsonraw.Doc, error) {
	doc, err := s.walk.Next(ctx)
	if err != nil {
		return nil, err
	}
	out, at := bsonraw.BeginDoc(s.buf[:0])
	out = append(out, elements(doc)...)
	if out, err = s.walk.AppendIndexKey(bsonraw.AppendHeader(out, bsonraw.TypeDocument, keyField), doc); err != nil {
		return nil, err
	}
	s.buf = bsonraw.EndDoc(out, at)
	return s.buf, nil
}

// keyResult gives the entries of the documents that come in.
type keyResult struct{ in aggregation.Source }

// Next returns the next entry.
func (r keyResult) Next(ctx context.Context) (bsonraw.Doc, error) {
	doc, err := r.in.Next(ctx)
	if err != nil {
		return nil, err
	}
	var key bsonraw.Value
	for it := doc.Iter(); it.Next(); { // the last, if the document has such a field itself
		if string(it.Key()) == keyField {
			key = it.Value()
		}
	}
	return key.Doc(), nil
}

// recordIDResult adds a number to each document that comes in. It is made of the _id, so that it stays what it is.
type recordIDResult struct {
	in     aggregation.Source
	fields *projection.Projection
	filter *filter.Filter
	ctx    expression.Context
	buf    []byte
	key    []byte
}

// Next returns the next document, projected, with its number.
func (r *recordIDResult) Next(ctx context.Context) (bsonraw.Doc, error) {
	doc, err := r.in.Next(ctx)
	if err != nil {
		return nil, err
	}
	out := append(r.buf[:0], doc...)
	r.ctx.StopWith(ctx)
	r.ctx.Reset()
	if r.fields != nil {
		position := -1
		if r.filter != nil {
			if _, position, err = r.filter.Position(&r.ctx, doc); err != nil {
				return nil, err
			}
		}
		if out, err = r.fields.AppendAt(r.buf[:0], &r.ctx, doc, position); err != nil {
			return nil, err
		}
	}
	r.key = bsonraw.AppendKey(r.key[:0], doc.Lookup("_id"))
	number := fnv.New64a()
	_, _ = number.Write(r.key) // it never fails
	out = bsonraw.AppendInt64(out[:len(out)-1], "$recordId", int64(number.Sum64()>>1))
	r.buf = bsonraw.EndDoc(out, 0)
	return r.buf, nil
}
