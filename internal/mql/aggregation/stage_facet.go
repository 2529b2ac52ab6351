package aggregation

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// facets is $facet: several pipelines over the same documents, the result of each an array in one document.
type facets struct{ list []facet }

type facet struct {
	field    string
	pipeline *Pipeline
}

func compileFacet(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument || spec.Doc().IsEmpty() {
		return nil, mongoerr.New(40169, "the %s specification must be a non-empty object, but found: %s: %s", name, name, spec.Shell())
	}
	s := &facets{}
	for it := spec.Doc().Iter(); it.Next(); {
		field := string(it.Key())
		if err := checkFacet(field, it.Value()); err != nil {
			return nil, err
		}
		p, err := c.facet().parse(it.Value().Doc())
		if err != nil {
			return nil, err
		}
		s.list = append(s.list, facet{field: field, pipeline: p})
	}
	return s, nil
}

func checkFacet(field string, v bsonraw.Value) error {
	path, err := expression.ParsePath(field)
	switch {
	case field == "":
		return mongoerr.New(15998, "FieldPath field names may not be empty strings.")
	case err != nil:
		return err
	case len(path) > 1:
		return mongoerr.New(16412, "FieldPath field names may not contain '.'. Consider using $getField or $setField.")
	case v.Type != bsonraw.TypeArray:
		return mongoerr.New(40170, "arguments to $facet must be arrays, %s is type %s", field, v.Type.Name())
	}
	for it := v.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument || it.Value().Doc().IsEmpty() {
			return mongoerr.New(40171, "elements of arrays in $facet spec must be non-empty objects, %s argument contained an element of type %s: %s: %s",
				field, it.Value().Type.Name(), it.Key(), it.Value().Shell())
		}
		if name := firstKey(it.Value().Doc()); stages[name].position != anywhere || name == "$facet" {
			return mongoerr.New(40600, "%s is not allowed to be used within a $facet stage", name)
		}
	}
	return nil
}

func (s *facets) name() string { return "$facet" }

func (s *facets) optimize() error {
	for _, f := range s.list {
		if err := f.pipeline.optimize(); err != nil {
			return err
		}
	}
	return nil
}

func (s *facets) start(src Source, f frame) Source {
	return &faceted{facets: s, src: src, frame: f}
}

// faceted reads all documents at the first Next.
type faceted struct {
	*facets
	src   Source
	frame frame
	done  bool
}

func (s *faceted) Next(ctx context.Context) (bsonraw.Doc, error) {
	if s.done {
		return nil, io.EOF
	}
	s.done = true
	branches := make([]*branch, len(s.list))
	for i, f := range s.list {
		branches[i] = newBranch(ctx, f.pipeline, s.frame)
		defer branches[i].stop()
	}
	err := collect(ctx, s.src, func(doc bsonraw.Doc) error { return offer(branches, doc) })
	if err == nil {
		err = offer(branches, nil)
	}
	if err != nil {
		return nil, err
	}
	out, at := bsonraw.BeginDoc(nil)
	for i, b := range branches {
		out = bsonraw.AppendArray(out, s.list[i].field, b.out.End())
		if len(out) > s.frame.memory {
			return nil, errFacetTooLarge(len(out), s.frame.memory)
		}
	}
	return bsonraw.EndDoc(out, at), nil
}

func errFacetTooLarge(size, limit int) error {
	return mongoerr.New(4031700, "document constructed by $facet is %d bytes, which exceeds the limit of %d bytes", size, limit)
}

// offer gives a document to each branch, nil at the end.
func offer(branches []*branch, doc bsonraw.Doc) error {
	for _, b := range branches {
		if err := b.take(doc); err != nil {
			return err
		}
	}
	return nil
}

// branch is one facet's pipeline while it runs: a coroutine that is resumed with each document and rests when its pipeline asks for
// the next, so that no document has to be kept for the sake of another facet.
type branch struct {
	resume func() (struct{}, bool)
	stop   func()
	rest   func(struct{}) bool
	doc    bsonraw.Doc // the document that is offered; nil at the end
	fresh  bool        // nobody has taken it yet
	ended  bool        // the pipeline wants no more
	out    bsonraw.ArrayBuilder
	err    error
}

func newBranch(ctx context.Context, p *Pipeline, f frame) *branch {
	b := &branch{out: bsonraw.BeginArray(nil)}
	b.resume, b.stop = iter.Pull(func(rest func(struct{}) bool) {
		b.rest = rest
		b.err = collect(ctx, p.run(b, f), func(doc bsonraw.Doc) error {
			b.out.AppendDoc(doc)
			if b.out.Size() > f.memory {
				return errFacetTooLarge(b.out.Size(), f.memory)
			}
			return nil
		})
	})
	return b
}

// take runs the pipeline until it wants another document.
func (b *branch) take(doc bsonraw.Doc) error {
	if b.ended {
		return nil
	}
	b.doc, b.fresh = doc, true
	if _, more := b.resume(); !more {
		b.ended = true
	}
	return b.err
}

var errBranchStopped = errors.New("the facet was given up")

// Next gives the pipeline the document that is offered, and rests until there is one.
func (b *branch) Next(ctx context.Context) (bsonraw.Doc, error) {
	for !b.fresh {
		if b.doc == nil {
			return nil, io.EOF
		}
		if !b.rest(struct{}{}) {
			return nil, errBranchStopped
		}
	}
	b.fresh = false
	if b.doc == nil {
		return nil, io.EOF
	}
	return b.doc, ctx.Err()
}
