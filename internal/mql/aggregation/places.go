package aggregation

import (
	"context"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// Documents keep the places of the fields that a stage takes away until they leave the pipeline, so that one that gets a value again
// behind has it where it was, as in MongoDB. Other documents are made of values alone: what $group, $redact or an inclusion builds has no such
// places of the documents before.

// dropLastPlaces spares the places that no stage gives a value any more.
func dropLastPlaces(p *Pipeline) {
	for _, s := range slices.Backward(p.stages) {
		switch s := s.(type) {
		case *project:
			if !s.projection.LeavesPlaces() {
				return
			}
		case *match, *sortStage, *limit, *skip:
		default:
			return
		}
	}
}

// FillsPlaces reports whether a stage may give a value to a field that documents lack: only then it matters where the field would be.
func FillsPlaces(p *Pipeline) bool {
	return slices.ContainsFunc(p.stages, func(s stage) bool {
		switch s := s.(type) {
		case *project:
			return s.projection.Adds()
		case *match, *redact, *splitStageMark:
			return false
		}
		return true
	})
}

// Settle ends the vacant places of what [Pipeline.Apply] gave. The result is valid as long as that is.
func Settle(ctx *expression.Context, doc bsonraw.Doc) (bsonraw.Doc, error) {
	buf := ctx.Scratch()
	out := doc.Settled(buf)
	if len(out) == len(doc) {
		ctx.Discard(buf)
		return doc, nil
	}
	return ctx.Hold(out)
}

// settled gives documents without the places of fields that were taken away.
type settled struct {
	src Source
	out []byte
}

func (s *settled) Next(ctx context.Context) (bsonraw.Doc, error) {
	doc, err := s.src.Next(ctx)
	if err != nil {
		return nil, err
	}
	return s.settle(doc), nil
}

func (s *settled) settle(doc bsonraw.Doc) bsonraw.Doc {
	out := doc.Settled(s.out[:0])
	if len(out) != len(doc) {
		s.out = out
	}
	return out
}
