package aggregation

import (
	"context"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// documents is $documents: it gives the documents of an array that an expression makes.
type documents struct{ list *expression.Expression }

func compileDocuments(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	e, err := expression.Compile(spec, c.scope)
	if err != nil {
		return nil, errInvalid(name, err)
	}
	return &documents{list: e}, nil
}

func (s *documents) name() string    { return "$documents" }
func (s *documents) optimize() error { return s.list.Optimize() }

func (s *documents) open(f frame) Source { return &documentsGiven{documents: s, ctx: f.context()} }

// documentsGiven is between two of the documents.
type documentsGiven struct {
	*documents
	ctx    expression.Context
	rest   bsonraw.Iter
	opened bool
}

func (s *documentsGiven) Next(ctx context.Context) (bsonraw.Doc, error) {
	if !s.opened {
		s.opened = true
		s.ctx.StopWith(ctx)
		list, err := s.list.Eval(&s.ctx, bsonraw.Empty)
		if err != nil {
			return nil, err
		}
		if list.Type != bsonraw.TypeArray {
			return nil, mongoerr.New(5858203, "an array is expected")
		}
		s.rest = list.Doc().Iter()
	}
	if !s.rest.Next() {
		return nil, io.EOF
	}
	v := s.rest.Value()
	if v.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40228, "elements within the array passed to $documents must evaluate to an object, but resulting value was: %s. "+
			"Type of resulting value: '%s'.", expression.Text(v), v.Type.Name())
	}
	return v.Doc(), ctx.Err()
}
