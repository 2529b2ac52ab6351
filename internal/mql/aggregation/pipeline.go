package aggregation

import (
	"context"
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
)

// Pipeline is a compiled pipeline. It is immutable and may be used concurrently.
type Pipeline struct {
	stages []stage
	frame  frame
	scope  *expression.Scope // nil for that of a find, which is made in its final order

	inner   bool               // it runs within another pipeline: what it gives need not fit into a reply
	vars    []variable         // that stages around the pipeline set
	varying map[stage]struct{} // stages that may give something else when they run again
}

// vary notes that stages may give something else when they run again.
func (p *Pipeline) vary(stages ...stage) {
	if p.varying == nil {
		p.varying = map[stage]struct{}{}
	}
	for _, s := range stages {
		if m, ok := s.(*match); ok {
			m.varies = true
		}
		p.varying[s] = struct{}{}
	}
}

// varies reports whether a stage may give something else when it runs again.
func (p *Pipeline) varies(s stage) bool {
	if m, ok := s.(*match); ok {
		return m.varies // it may have been joined with others
	}
	_, ok := p.varying[s]
	return ok
}

// with returns a pipeline of other stages that is in all else the same.
func (p *Pipeline) with(stages []stage) *Pipeline {
	q := *p
	q.stages = stages
	return &q
}

// Stages returns the names of the stages that run, in their order. It is not always that of the specification: stages are
// joined or moved where the result is the same.
func (p *Pipeline) Stages() []string {
	names := make([]string, len(p.stages))
	for i, s := range p.stages {
		names[i] = s.name()
	}
	return names
}

// LeadingFilter returns the filter with which the pipeline begins, for whoever plans how to read the documents; nil when there
// is none.
func (p *Pipeline) LeadingFilter() *filter.Filter {
	if len(p.stages) > 0 {
		if m, ok := p.stages[0].(*match); ok {
			return m.filter
		}
	}
	return nil
}

// LeadingOrdering returns the ordering of the $sort with which the pipeline begins, or that comes behind the leading filter, nil
// when there is none. Limit is how many of the sorted documents are wanted, 0 for all; skips says that some of them are left out.
func (p *Pipeline) LeadingOrdering() (o *ordering.Ordering, limit int64, skips bool) {
	i := 0
	if p.LeadingFilter() != nil {
		i = 1
	}
	if i < len(p.stages) {
		if s, ok := p.stages[i].(*sortStage); ok {
			return s.ordering, s.limit, beginsWithSkip(p.stages[i+1:])
		}
	}
	return nil, 0, false
}

// Without returns the pipeline that is left when the source takes over the leading filter, or the leading ordering, or both.
func (p *Pipeline) Without(leadingFilter, leadingOrdering bool) *Pipeline {
	var rest []stage
	for i, s := range p.stages {
		_, isMatch := s.(*match)
		_, isSort := s.(*sortStage)
		second := i == 1 && p.LeadingFilter() != nil
		if leadingFilter && i == 0 && isMatch || leadingOrdering && (i == 0 || second) && isSort {
			continue
		}
		rest = append(rest, s)
	}
	return p.with(rest)
}

// SplitsLargeEvents reports whether the pipeline ends in $changeStreamSplitLargeEvent.
func (p *Pipeline) SplitsLargeEvents() bool {
	if len(p.stages) == 0 {
		return false
	}
	_, ok := p.stages[len(p.stages)-1].(*splitStageMark)
	return ok
}

// PerDocument reports whether every stage treats each document by itself, so that Apply can be used.
func (p *Pipeline) PerDocument() bool {
	for _, s := range p.stages {
		if _, ok := s.(transform); !ok {
			return false
		}
	}
	return true
}

// Apply runs a pipeline on one document; it is for pipelines that are PerDocument and fails for others. Keep is false when the
// pipeline drops the document. The result is valid until ctx.Reset, which is the caller's to call, and as long as doc. It may have vacant
// places, for another part of the pipeline: [Settle] ends them.
func (p *Pipeline) Apply(ctx *expression.Context, doc bsonraw.Doc) (out bsonraw.Doc, keep bool, err error) {
	ctx.KeepPlaces()
	for _, s := range p.stages {
		t, ok := s.(transform)
		if !ok {
			return nil, false, mongoerr.New(mongoerr.InternalError, "apply a pipeline to one document: %s needs them all", s.name())
		}
		if doc, keep, err = t.apply(ctx, doc); err != nil || !keep {
			return nil, false, err
		}
	}
	return doc, true, nil
}

// Run returns the pipeline's output for the documents of src. Nothing is read before the first Next. A document larger than a
// reply can carry is an error (BSONObjectTooLarge); a stage that collects more than its memory gives
// QueryExceededMemoryLimitNoDiskUseAllowed.
func (p *Pipeline) Run(src Source) Source {
	out := p.run(src, p.frame)
	if p.inner {
		return out
	}
	return &sized{settled{src: out}}
}

// run is Run without the check of what a reply can carry, for a pipeline within another.
func (p *Pipeline) run(src Source, f frame) Source {
	for i := 0; i < len(p.stages); i++ {
		switch s := p.stages[i].(type) {
		case origin:
			src = s.open(f)
			continue
		case sequence:
			src = s.start(src, f)
			continue
		}
		group := &transforms{src: src, ctx: f.context()}
		for ; i < len(p.stages); i++ {
			t, ok := p.stages[i].(transform)
			if !ok {
				i--
				break
			}
			group.stages = append(group.stages, t)
		}
		src = group
	}
	return src
}

// ReadsCollection reports whether the pipeline asks for documents: those that begin with a stage that gives documents by itself
// do not.
func (p *Pipeline) ReadsCollection() bool {
	if len(p.stages) == 0 {
		return true
	}
	_, gives := p.stages[0].(origin)
	return !gives
}

// transforms runs stages that treat each document by itself.
type transforms struct {
	src    Source
	stages []transform
	ctx    expression.Context
}

func (s *transforms) Next(ctx context.Context) (bsonraw.Doc, error) {
	s.ctx.StopWith(ctx)
next:
	for {
		doc, err := s.src.Next(ctx)
		if err != nil {
			return nil, err
		}
		s.ctx.Reset()
		for _, t := range s.stages {
			var keep bool
			if doc, keep, err = t.apply(&s.ctx, doc); err != nil {
				return nil, err
			}
			if !keep {
				continue next
			}
		}
		return doc, nil
	}
}

// maxResult is the largest document that a reply carries: a stored document and what a server may add to it.
const maxResult = bsonraw.MaxDocumentSize + 16<<10

// sized refuses documents that are too large for a reply.
type sized struct{ settled }

func (s *sized) Next(ctx context.Context) (bsonraw.Doc, error) {
	doc, err := s.settled.Next(ctx)
	if err != nil || len(doc) <= maxResult {
		return doc, err
	}
	firstElement := ""
	if it := doc.Iter(); it.Next() {
		firstElement = " First element: " + string(it.Key()) + ": " + it.Value().Shell()
		firstElement = firstElement[:min(len(firstElement), 200)]
	}
	return nil, mongoerr.New(mongoerr.BSONObjectTooLarge, "BSONObj size: %d (0x%X) is invalid. Size must be between 0 and %d(16MB)%s", len(doc), len(doc), maxResult, firstElement)
}

// collect reads the whole of src.
func collect(ctx context.Context, src Source, take func(doc bsonraw.Doc) error) error {
	for {
		doc, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = take(doc)
		}
		if err != nil {
			return err
		}
	}
}
