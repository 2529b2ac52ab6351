package aggregation

import (
	"context"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
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
