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
	joined []bsonraw.Doc // the filters of which spec is the $and; nil where it stands as it was given
	varies bool          // its $expr names a variable of a stage around the pipeline
	failed error         // what evaluating the constant parts of $expr gave
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

// joinMatches returns the stage for what all of the stages let through.
func joinMatches(scope *expression.Scope, stages []*match) (*match, error) {
	out := &match{}
	for _, s := range stages {
		out.joined = append(out.joined, s.conjuncts()...)
		out.varies = out.varies || s.varies
	}
	out.spec = all(out.joined)
	var err error
	out.filter, err = filter.Compile(out.spec, filter.Options{Scope: scope})
	return out, err
}

// conjuncts returns the filters of all stages that were joined to this one, side by side, so that many stages do not nest deeply.
func (s *match) conjuncts() []bsonraw.Doc {
	if s.joined != nil {
		return s.joined
	}
	return []bsonraw.Doc{s.spec}
}

// all is the filter {$and: [...]}.
func all(filters []bsonraw.Doc) bsonraw.Doc {
	spec, at := bsonraw.BeginDoc(nil)
	list := bsonraw.BeginArray(bsonraw.AppendHeader(spec, bsonraw.TypeArray, "$and"))
	for _, f := range filters {
		list.AppendDoc(f)
	}
	return bsonraw.EndDoc(list.End(), at)
}
