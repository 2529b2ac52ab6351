package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// splitStageMark is $changeStreamSplitLargeEvent. The change stream itself does the splitting, on what leaves the pipeline.
type splitStageMark struct{}

func compileSplitLargeEvent(_ *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument || !spec.Doc().IsEmpty() {
		return nil, mongoerr.New(7182800, "%s spec should be an empty object", name)
	}
	return &splitStageMark{}, nil
}

func (s *splitStageMark) name() string    { return splitLargeEvent }
func (s *splitStageMark) optimize() error { return nil }
func (s *splitStageMark) oneToOne() bool  { return true }

func (s *splitStageMark) apply(_ *expression.Context, doc bsonraw.Doc) (bsonraw.Doc, bool, error) {
	return doc, true, nil
}
