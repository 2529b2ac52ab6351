package aggregation

import (
	"context"
	"io"
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// limit is $limit.
type limit struct{ n int64 }

func compileLimit(_ *compiler, name string, spec bsonraw.Value) (stage, error) {
	n, err := count(5107201, name, spec)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, mongoerr.New(15958, "the limit must be positive")
	}
	return &limit{n: n}, nil
}

// count reads the number of documents that a stage takes.
func count(code mongoerr.Code, name string, v bsonraw.Value) (int64, error) {
	var problem string
	n, ok := v.AsInt64()
	switch {
	case !v.Type.IsNumber():
		problem = "Expected a number in"
	case !ok:
		problem = "Cannot represent as a 64-bit integer"
	case bsonraw.Compare(v, bsonraw.Int64Value(n)) != 0:
		problem = "Expected an integer"
	case n < 0:
		problem = "Expected a non-negative number in"
	default:
		return n, nil
	}
	return 0, mongoerr.New(code, "invalid argument to %s stage: %s: %s: %s", name, problem, name, v.Shell())
}

func (s *limit) name() string    { return "$limit" }
func (s *limit) optimize() error { return nil }

func (s *limit) start(src Source, _ frame) Source { return &limited{src: src, left: s.n} }

type limited struct {
	src  Source
	left int64
}

func (s *limited) Next(ctx context.Context) (bsonraw.Doc, error) {
	if s.left == 0 {
		return nil, io.EOF
	}
	s.left--
	return s.src.Next(ctx)
}

// skip is $skip.
type skip struct{ n int64 }

func compileSkip(_ *compiler, name string, spec bsonraw.Value) (stage, error) {
	n, err := count(5107200, name, spec)
	return &skip{n: n}, err
}

func (s *skip) name() string    { return "$skip" }
func (s *skip) optimize() error { return nil }

func (s *skip) start(src Source, _ frame) Source { return &skipped{src: src, left: s.n} }

type skipped struct {
	src  Source
	left int64
}

func (s *skipped) Next(ctx context.Context) (bsonraw.Doc, error) {
	for ; s.left > 0; s.left-- {
		if _, err := s.src.Next(ctx); err != nil {
			return nil, err
		}
	}
	return s.src.Next(ctx)
}

// addCounts adds without overflow.
func addCounts(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
