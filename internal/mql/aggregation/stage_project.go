package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/projection"
)

// project is $project, $addFields, $set, $unset, and the projection of a find.
type project struct {
	stageName  string
	projection *projection.Projection
	positional *filter.Filter // finds the position for a positional projection; nil for others
}

func compileProject(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(15969, "%s specification must be an object", name)
	}
	return newProject(c, name, spec.Doc(), projection.Project)
}

func compileAddFields(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40272, "%s specification stage must be an object, got %s", name, spec.Type.Name())
	}
	return newProject(c, name, spec.Doc(), projection.AddFields)
}

func newProject(c *compiler, name string, spec bsonraw.Doc, kind projection.Kind) (stage, error) {
	p, err := projection.Compile(spec, kind, c.scope)
	if err != nil {
		return nil, errInvalid(name, err)
	}
	p.KeepPlaces()
	return &project{stageName: name, projection: p}, nil
}

func errInvalid(name string, err error) error {
	return mongoerr.From(err).Prefix("Invalid " + name + " :: caused by :: ")
}

func compileUnset(_ *compiler, name string, spec bsonraw.Value) (stage, error) {
	var paths []string
	switch spec.Type {
	case bsonraw.TypeString:
		paths = []string{spec.Str()}
	case bsonraw.TypeArray:
		for it := spec.Doc().Iter(); it.Next(); {
			if it.Value().Type != bsonraw.TypeString {
				return nil, mongoerr.New(31120, "$unset specification must be a string or an array containing only string values")
			}
			paths = append(paths, it.Value().Str())
		}
		if len(paths) == 0 {
			return nil, mongoerr.New(31119, "$unset specification must be a string or an array with at least one field")
		}
	default:
		return nil, mongoerr.New(31002, "$unset specification must be a string or an array")
	}
	p, err := projection.CompileUnset(paths)
	if err != nil {
		return nil, errInvalid(name, err)
	}
	p.KeepPlaces()
	return &project{stageName: name, projection: p}, nil
}

func (s *project) name() string    { return s.stageName }
func (s *project) optimize() error { return s.projection.Optimize() }
func (s *project) oneToOne() bool  { return true }

func (s *project) apply(ctx *expression.Context, doc bsonraw.Doc) (bsonraw.Doc, bool, error) {
	position := -1
	if s.positional != nil {
		var err error
		if _, position, err = s.positional.Position(ctx, doc); err != nil {
			return nil, false, err
		}
	}
	buf, err := s.projection.AppendAt(ctx.Scratch(), ctx, doc, position)
	if err != nil {
		ctx.Discard(buf)
		return nil, false, err
	}
	out, err := ctx.Hold(buf)
	return out, true, err
}
