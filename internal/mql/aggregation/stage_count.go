package aggregation

import (
	"context"
	"io"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// countStage is $count: one document with the number of documents, none when there were none.
type countStage struct{ field string }

func compileCount(_ *compiler, _ string, spec bsonraw.Value) (stage, error) {
	field := spec.Str()
	switch {
	case spec.Type != bsonraw.TypeString:
		return nil, mongoerr.New(40156, "the count field must be a non-empty string")
	case field == "":
		return nil, mongoerr.New(40157, "the count field must be a non-empty string")
	case field[0] == '$':
		return nil, mongoerr.New(40158, "the count field cannot be a $-prefixed path")
	case strings.IndexByte(field, 0) >= 0:
		return nil, mongoerr.New(40159, "the count field cannot contain a null byte")
	case strings.Contains(field, "."):
		return nil, mongoerr.New(40160, "the count field cannot contain '.'")
	}
	return &countStage{field: field}, nil
}

func (s *countStage) name() string    { return "$count" }
func (s *countStage) optimize() error { return nil }

func (s *countStage) start(src Source, _ frame) Source { return &counted{src: src, field: s.field} }

type counted struct {
	src   Source
	field string
	done  bool
}

func (s *counted) Next(ctx context.Context) (bsonraw.Doc, error) {
	if s.done {
		return nil, io.EOF
	}
	s.done = true
	n := int64(0)
	err := collect(ctx, s.src, func(bsonraw.Doc) error {
		n++
		return nil
	})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	dst, at := bsonraw.BeginDoc(nil)
	if n == int64(int32(n)) {
		dst = bsonraw.AppendInt32(dst, s.field, int32(n))
	} else {
		dst = bsonraw.AppendInt64(dst, s.field, n)
	}
	return bsonraw.EndDoc(dst, at), nil
}
