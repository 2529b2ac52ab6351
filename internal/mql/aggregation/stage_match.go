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
	spec, at := bsonraw.BeginDoc(nil)
	spec = bsonraw.AppendHeader(spec, bsonraw.TypeArray, "$and")
	both := bsonraw.BeginArray(spec)
	both.AppendDoc(s.spec)
	both.AppendDoc(t.spec)
	joined := bsonraw.Doc(bsonraw.EndDoc(both.End(), at))
	f, err := filter.Compile(joined, filter.Options{Scope: scope})
	if err != nil {
		return nil, err
	}
	return &match{filter: f, spec: joined}, nil
}
