package aggregation

import (
	"context"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// unwind is $unwind: a document for each element of an array, which stands in the array's place.
type unwind struct {
	path     []string
	index    []string // where the element's position goes; nil: nowhere
	preserve bool     // documents without elements stay
}

func compileUnwind(_ *compiler, name string, spec bsonraw.Value) (stage, error) {
	s := &unwind{}
	switch spec.Type {
	case bsonraw.TypeString:
		return s, s.setPath(spec)
	case bsonraw.TypeDocument:
	default:
		return nil, mongoerr.New(15981, "expected either a string or an object as specification for %s stage, got %s", name, spec.Type.Name())
	}
	path := bsonraw.Value{}
	for it := spec.Doc().Iter(); it.Next(); {
		v := it.Value()
		switch string(it.Key()) {
		case "path":
			if v.Type != bsonraw.TypeString {
				return nil, mongoerr.New(28808, "expected a string as the path for %s stage, got %s", name, v.Type.Name())
			}
			path = v
		case "preserveNullAndEmptyArrays":
			if v.Type != bsonraw.TypeBool {
				return nil, mongoerr.New(28809, "expected a boolean for the preserveNullAndEmptyArrays option to %s stage, got %s", name, v.Type.Name())
			}
			s.preserve = v.Bool()
		case "includeArrayIndex":
			if err := s.setIndex(v); err != nil {
				return nil, err
			}
		default:
			return nil, mongoerr.New(28811, "unrecognized option to %s stage: %s", name, it.Key())
		}
	}
	return s, s.setPath(path)
}

func (s *unwind) setPath(v bsonraw.Value) (err error) {
	text := v.Str()
	switch {
	case text == "":
		return mongoerr.New(28812, "no path specified to $unwind stage")
	case text[0] != '$':
		return mongoerr.New(28818, "path option to $unwind stage should be prefixed with a '$': %s", text)
	}
	s.path, err = expression.ParsePath(text[1:])
	return err
}

func (s *unwind) setIndex(v bsonraw.Value) (err error) {
	text := v.Str()
	switch {
	case v.Type != bsonraw.TypeString || text == "":
		return mongoerr.New(28810, "expected a non-empty string for the includeArrayIndex  option to $unwind stage, got %s", v.Type.Name())
	case strings.HasPrefix(text, "$"):
		return mongoerr.New(28822, "includeArrayIndex option to $unwind stage should not be prefixed with a '$': %s", text)
	}
	s.index, err = expression.ParsePath(text)
	return err
}

func (s *unwind) name() string    { return "$unwind" }
func (s *unwind) optimize() error { return nil }

func (s *unwind) start(src Source, _ frame) Source { return &unwound{unwind: s, src: src} }

// checkEvery is after how many elements $unwind looks whether its context has ended.
const checkEvery = 64

// unwound is between two elements of an array, or between two documents.
type unwound struct {
	*unwind
	src      Source
	doc      bsonraw.Doc // whose array is being read
	elements bsonraw.Iter
	position int64
	reading  bool
	given    int    // elements so far
	value    []byte // a document with the element
	out      []byte // and with its position
}

func (s *unwound) Next(ctx context.Context) (bsonraw.Doc, error) {
	for {
		if s.reading {
			if s.elements.Next() {
				// Stages like this one behind each other make many documents of one.
				if s.given++; s.given%checkEvery == 0 && ctx.Err() != nil {
					return nil, ctx.Err()
				}
				s.value = appendWith(s.value[:0], s.doc, s.path, s.elements.Value())
				s.position++
				return s.withPosition(s.value, bsonraw.Int64Value(s.position-1)), nil
			}
			s.reading = false
		}
		doc, err := s.src.Next(ctx)
		if err != nil {
			return nil, err
		}
		v := fieldAt(doc, s.path)
		switch {
		case v.Type == bsonraw.TypeArray && !v.Doc().IsEmpty():
			s.doc, s.elements, s.position, s.reading = doc, v.Doc().Iter(), 0, true
		case v.Type == bsonraw.TypeArray:
			if s.preserve {
				s.value = appendWith(s.value[:0], doc, s.path, bsonraw.Value{})
				return s.withPosition(s.value, bsonraw.NullValue), nil
			}
		case v.IsMissing() || v.Type == bsonraw.TypeNull || v.Type == bsonraw.TypeUndefined:
			if s.preserve {
				return s.withPosition(doc, bsonraw.NullValue), nil
			}
		default:
			return s.withPosition(doc, bsonraw.NullValue), nil
		}
	}
}

func (s *unwound) withPosition(doc bsonraw.Doc, position bsonraw.Value) bsonraw.Doc {
	if s.index == nil {
		return doc
	}
	s.out = appendWith(s.out[:0], doc, s.index, position)
	return s.out
}

// fieldAt returns the value to which a path leads through documents alone.
func fieldAt(doc bsonraw.Doc, path []string) bsonraw.Value {
	v := doc.Value()
	for _, name := range path {
		if v.Type != bsonraw.TypeDocument {
			return bsonraw.Value{}
		}
		v = v.Doc().Lookup(name)
	}
	return v
}

// appendWith appends doc with v at a path that leads through documents: what is no document on the way becomes one. A missing v
// takes the field away but for its place.
func appendWith(dst []byte, doc bsonraw.Doc, path []string, v bsonraw.Value) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	found := false
	for it := doc.Places(); it.Next(); {
		if found || string(it.Key()) != path[0] {
			dst = append(dst, it.Elem()...)
			continue
		}
		found = true
		dst = appendField(dst, it.Value(), path, v)
	}
	if !found {
		dst = appendField(dst, bsonraw.Value{}, path, v)
	}
	return bsonraw.EndDoc(dst, at)
}

func appendField(dst []byte, old bsonraw.Value, path []string, v bsonraw.Value) []byte {
	switch {
	case len(path) > 1:
	case v.IsMissing():
		return bsonraw.AppendVacant(dst, path[0])
	default:
		return bsonraw.AppendValue(dst, path[0], v)
	}
	inner := bsonraw.Empty
	if old.Type == bsonraw.TypeDocument {
		inner = old.Doc()
	}
	return appendWith(bsonraw.AppendHeader(dst, bsonraw.TypeDocument, path[0]), inner, path[1:], v)
}
