package aggregation

import (
	"context"
	"io"
	"math/rand/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// sample is $sample: some documents, each equally likely, in random order.
type sample struct{ size int64 }

func compileSample(_ *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(28745, "the %s stage specification must be an object", name)
	}
	s := &sample{size: -1}
	for it := spec.Doc().Iter(); it.Next(); {
		if string(it.Key()) != "size" {
			return nil, mongoerr.New(28748, "unrecognized option to %s: %s", name, it.Key())
		}
		f, isNumber := it.Value().AsFloat64()
		switch {
		case !isNumber:
			return nil, mongoerr.New(28746, "size argument to %s must be a number", name)
		case f < 0:
			return nil, mongoerr.New(28747, "size argument to %s must not be negative", name)
		}
		s.size, _ = it.Value().AsInt64()
	}
	if s.size < 0 {
		return nil, mongoerr.New(28749, "%s stage must specify a size", name)
	}
	return s, nil
}

func (s *sample) name() string    { return "$sample" }
func (s *sample) optimize() error { return nil }

func (s *sample) start(src Source, f frame) Source {
	return &sampled{src: src, size: s.size, memory: f.memory}
}

// sampled reads all documents at the first Next and keeps a reservoir of them.
type sampled struct {
	src    Source
	size   int64
	memory int
	read   int64
	used   int
	filled bool
	docs   []bsonraw.Doc
}

func (s *sampled) Next(ctx context.Context) (bsonraw.Doc, error) {
	if !s.filled {
		s.filled = true
		if s.size > 0 {
			if err := collect(ctx, s.src, s.take); err != nil {
				return nil, err
			}
		}
		rand.Shuffle(len(s.docs), func(i, j int) { s.docs[i], s.docs[j] = s.docs[j], s.docs[i] })
	}
	if len(s.docs) == 0 {
		return nil, io.EOF
	}
	doc := s.docs[0]
	s.docs[0] = nil
	s.docs = s.docs[1:]
	return doc, nil
}

func (s *sampled) take(doc bsonraw.Doc) error {
	s.read++
	if s.read <= s.size {
		s.docs = append(s.docs, doc.Clone())
		s.used += len(doc) + rowOverhead
	} else if i := rand.Int64N(s.read); i < s.size {
		s.used += len(doc) - len(s.docs[i])
		s.docs[i] = append(s.docs[i][:0], doc...)
	}
	if s.used > s.memory {
		return mongoerr.New(mongoerr.QueryExceededMemoryLimitNoDiskUseAllowed,
			"$sample exceeded memory limit of %d bytes, and this server does not sort on disk: a smaller size helps", s.memory)
	}
	return nil
}
