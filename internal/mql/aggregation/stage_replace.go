package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// replace is $replaceRoot and $replaceWith.
type replace struct {
	stageName string
	newRoot   *expression.Expression
	what      string // what messages call the new document
}

// compileReplaceRoot reads {newRoot: expression}.
func compileReplaceRoot(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40229, "expected an object as specification for %s stage, got %s", name, spec.Type.Name())
	}
	var newRoot bsonraw.Value
	for it := spec.Doc().Iter(); it.Next(); {
		switch {
		case string(it.Key()) != "newRoot":
			return nil, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", name, it.Key())
		case !newRoot.IsMissing():
			return nil, mongoerr.New(mongoerr.IDLDuplicateField, "BSON field '%s.newRoot' is a duplicate field", name)
		}
		newRoot = it.Value()
	}
	if newRoot.IsMissing() {
		return nil, mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.newRoot' is missing but a required field", name)
	}
	return newReplace(c, name, newRoot, "'newRoot' expression ")
}

func compileReplaceWith(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	return newReplace(c, name, spec, "'replacement document' ")
}

func newReplace(c *compiler, name string, newRoot bsonraw.Value, what string) (stage, error) {
	e, err := expression.Compile(newRoot, c.scope)
	if err != nil {
		return nil, err
	}
	return &replace{stageName: name, newRoot: e, what: what}, nil
}

func (s *replace) name() string    { return s.stageName }
func (s *replace) optimize() error { return s.newRoot.Optimize() }
func (s *replace) oneToOne() bool  { return true }

func (s *replace) apply(ctx *expression.Context, doc bsonraw.Doc) (bsonraw.Doc, bool, error) {
	v, err := s.newRoot.Eval(ctx, doc)
	if err != nil {
		return nil, false, err
	}
	if v.Type != bsonraw.TypeDocument {
		return nil, false, mongoerr.New(40228, "%s must evaluate to an object, but resulting value was: %s. Type of resulting value: '%s'. Input document: %s",
			s.what, expression.Text(v), v.Type.Name(), expression.Text(doc.Value()))
	}
	return v.Doc(), true, nil
}
