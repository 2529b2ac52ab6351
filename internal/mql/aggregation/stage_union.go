package aggregation

import (
	"context"
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// union is $unionWith: behind the documents that it is given come those of another pipeline.
type union struct {
	env   Environment
	from  Namespace
	other *Pipeline
}

func compileUnion(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	var coll string
	var pipeline bsonraw.Doc
	switch spec.Type {
	case bsonraw.TypeString:
		coll = spec.Str()
	case bsonraw.TypeDocument:
		var err error
		if coll, pipeline, err = parseUnion(name, spec.Doc()); err != nil {
			return nil, err
		}
	default:
		return nil, mongoerr.New(mongoerr.FailedToParse, "the %s stage specification must be an object or string, but found %s", name, spec.Type.Name())
	}
	if err := checkWithin(name, 31441, pipeline); err != nil {
		return nil, err
	}
	s := &union{env: c.opts.Environment}
	inner, from, err := c.foreign(c.scope, name, coll, pipeline)
	if err != nil {
		return nil, err
	}
	s.from = from.Namespace
	s.other, err = inner.parse(joined(from.Pipeline, pipeline))
	return s, err
}

func parseUnion(name string, spec bsonraw.Doc) (coll string, pipeline bsonraw.Doc, err error) {
	once := argument.NewOnce(name, spec)
	for it := spec.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return "", nil, err
		}
		v := it.Value()
		if v.Type == bsonraw.TypeNull {
			continue
		}
		switch string(it.Key()) {
		case "coll":
			if v.Type != bsonraw.TypeString {
				return "", nil, errFieldType(name, it.Key(), v, "string")
			}
			coll = v.Str()
		case "pipeline":
			if v.Type != bsonraw.TypeArray {
				return "", nil, errFieldType(name, it.Key(), v, "array")
			}
			pipeline = v.Doc()
		default:
			return "", nil, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", name, it.Key())
		}
	}
	if coll == "" && !beginsWithDocuments(pipeline) {
		return "", nil, mongoerr.New(mongoerr.FailedToParse, "%s stage without explicit collection must have a pipeline with $documents as first stage", name)
	}
	return coll, pipeline, nil
}

func errFieldType(stage string, field []byte, v bsonraw.Value, want string) error {
	return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected type '%s'", stage, field, v.Type.Name(), want)
}

func (s *union) name() string { return "$unionWith" }

func (s *union) optimize() error { return s.other.optimize() }

func (s *union) start(src Source, f frame) Source { return &united{union: s, src: src, frame: f} }

// united reads the one, then the other.
type united struct {
	*union
	src   Source
	frame frame
	other Reader // nil until src has ended
	ended bool
}

func (s *united) Next(ctx context.Context) (bsonraw.Doc, error) {
	if s.other == nil {
		doc, err := s.src.Next(ctx)
		if !errors.Is(err, io.EOF) {
			return doc, err
		}
		if s.other, err = s.frame.read(s.env, s.from, s.union.other); err != nil {
			return nil, err
		}
	}
	if s.ended {
		return nil, io.EOF
	}
	doc, err := s.other.Next(ctx)
	if errors.Is(err, io.EOF) {
		s.ended = true
		if err := s.other.Close(); err != nil {
			return nil, err
		}
	}
	return doc, err
}
