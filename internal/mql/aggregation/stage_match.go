package aggregation

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// match is $match.
type match struct {
	filter *filter.Filter
	spec   bsonraw.Doc
	varies bool  // its $expr names a variable of a stage around the pipeline
	failed error // what evaluating the constant parts of $expr gave
}

func compileMatch(c *compiler, _ string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(15959, "the match filter must be an expression in an object")
	}
	f, err := filter.Compile(spec.Doc(), filter.Options{Scope: c.scope})
	if err != nil && strings.HasPrefix(mongoerr.From(err).Msg, "Failed to optimize") {
		return &match{failed: err}, nil // errors in the form of later stages come first
	}
	return &match{filter: f, spec: spec.Doc()}, err
}

func (s *match) name() string    { return "$match" }
func (s *match) optimize() error { return s.failed }
func (s *match) oneToOne() bool  { return false }

func (s *match) apply(ctx *expression.Context, doc bsonraw.Doc) (bsonraw.Doc, bool, error) {
	keep, err := s.filter.MatchWith(ctx, doc)
	return doc, keep, err
}

// and returns the stage that both s and t let through.
func (s *match) and(scope *expression.Scope, t *match) (*match, error) {
	joined := &match{spec: both(s.spec, t.spec), varies: s.varies || t.varies}
	var err error
	joined.filter, err = filter.Compile(joined.spec, filter.Options{Scope: scope})
	return joined, err
}

// both is the filter {$and: [a, b]}.
func both(a, b bsonraw.Doc) bsonraw.Doc {
	spec, at := bsonraw.BeginDoc(nil)
	list := bsonraw.BeginArray(bsonraw.AppendHeader(spec, bsonraw.TypeArray, "$and"))
	list.AppendDoc(a)
	list.AppendDoc(b)
	return bsonraw.EndDoc(list.End(), at)
}
