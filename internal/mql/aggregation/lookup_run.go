package aggregation

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// lookedUp is a $lookup that runs.
type lookedUp struct {
	*lookup
	src   Source
	frame frame
	vars  []bsonraw.Value // for the pipelines within
	ctx   expression.Context

	values  localValues
	asked   int        // documents so far
	table   *joinTable // of the foreign documents; nil while they are read for each document
	cache   *cache
	results []byte // the array under construction
	out     []byte

	// While a $unwind is done here:
	doc      bsonraw.Doc // whose results are being read
	reader   Reader      // nil between two documents
	position int64
}

// errTooLarge is the error of results that are too large for one document in the middle of a pipeline.
func (s *lookedUp) errTooLarge() error {
	return mongoerr.New(4568, "Total size of documents in %s matching pipeline's $lookup stage exceeds %d bytes", s.from.Coll, s.frame.memory)
}

func (s *lookedUp) Next(ctx context.Context) (bsonraw.Doc, error) {
	s.ctx.StopWith(ctx)
	if s.unwind != nil {
		return s.nextUnwound(ctx)
	}
	doc, err := s.src.Next(ctx)
	if err != nil {
		return nil, err
	}
	reader, err := s.matches(ctx, doc)
	if err != nil {
		return nil, err
	}
	results := bsonraw.BeginArray(s.results[:0])
	err = collect(ctx, reader, func(found bsonraw.Doc) error {
		results.AppendDoc(found)
		if results.Size() > s.frame.memory {
			return s.errTooLarge()
		}
		return nil
	})
	if err = errors.Join(err, reader.Close()); err != nil {
		return nil, err
	}
	s.results = results.End()
	s.out = appendWith(s.out[:0], doc, s.as, bsonraw.Value{Type: bsonraw.TypeArray, Data: s.results})
	return s.out, nil
}

// nextUnwound gives a document for each result.
func (s *lookedUp) nextUnwound(ctx context.Context) (bsonraw.Doc, error) {
	for {
		if s.reader == nil {
			doc, err := s.src.Next(ctx)
			if err != nil {
				return nil, err
			}
			if s.reader, err = s.matches(ctx, doc); err != nil {
				return nil, err
			}
			s.doc, s.position = doc, 0
		}
		found, err := s.reader.Next(ctx)
		if err == nil {
			s.position++
			return s.unwound(found.Value(), bsonraw.Int64Value(s.position-1)), nil
		}
		reader := s.reader
		s.reader = nil
		if !errors.Is(err, io.EOF) {
			return nil, errors.Join(err, reader.Close())
		}
		if err := reader.Close(); err != nil {
			return nil, err
		}
		if s.position == 0 && s.unwind.preserve {
			return s.unwound(bsonraw.Value{}, bsonraw.NullValue), nil
		}
	}
}

// unwound is the document with one result in the array's place.
func (s *lookedUp) unwound(v, position bsonraw.Value) bsonraw.Doc {
	s.results = appendWith(s.results[:0], s.doc, s.as, v)
	if s.unwind.index == nil {
		return s.results
	}
	s.out = appendWith(s.out[:0], s.results, s.unwind.index, position)
	return s.out
}

// matches returns the documents that belong to doc.
func (s *lookedUp) matches(ctx context.Context, doc bsonraw.Doc) (Reader, error) {
	s.ctx.Reset()
	for _, v := range s.let {
		value, err := v.value.Eval(&s.ctx, doc)
		if err != nil {
			return nil, err
		}
		if value.IsDoc() { // variables are told as a reply is
			value.Data = value.Doc().Settled(nil)
		}
		s.vars[v.slot] = value
	}
	if s.failed != nil { // the variables come first
		return nil, s.failed
	}
	s.asked++
	if s.local == nil {
		return s.unequal(ctx)
	}
	s.values.read(doc, s.local)
	return s.equal(ctx)
}

// within returns the frame of the pipelines within.
func (s *lookedUp) within() frame { return frame{memory: s.frame.memory, vars: s.vars} }

// unequal returns the documents of a pipeline without an equality. What does not depend on the document is read once and kept, if
// it is not too large.
func (s *lookedUp) unequal(ctx context.Context) (Reader, error) {
	f := s.within()
	steady := s.inner.steady()
	if steady == 0 && len(s.inner.stages) > 0 {
		return f.read(s.env, s.from, s.inner)
	}
	if s.cache == nil {
		s.cache = newCache(s.inner.with(s.inner.stages[:steady]), f.memory)
		reader, err := f.read(s.env, s.from, s.cache.pipeline)
		if err != nil {
			return nil, err
		}
		if err := s.cache.fill(ctx, reader); err != nil {
			return nil, err
		}
	}
	if s.cache.overflowed {
		return f.read(s.env, s.from, s.inner)
	}
	rest := s.inner.with(s.inner.stages[steady:])
	return unheld{rest.run(s.cache.source(), f)}, nil
}

// equal returns the documents of a pipeline with an equality: by an index where one fits, else from a table of all documents,
// which is made when the second document comes and given up if it grows too large.
func (s *lookedUp) equal(ctx context.Context) (Reader, error) {
	f := s.within()
	spec := s.values.filter(s.foreign.String())
	indexed := s.below == nil && s.env != nil && s.env.HasIndex(s.from, s.foreign.String(), s.inner.scope.Collation())
	if s.asked == 1 || indexed {
		return s.scan(f, spec)
	}
	if s.table == nil {
		if err := s.fillTable(ctx, f); err != nil {
			return nil, err
		}
	}
	if s.table.overflowed {
		return s.scan(f, spec)
	}
	found, err := s.table.find(&s.values, spec)
	if err != nil {
		return nil, err
	}
	return unheld{s.inner.with(s.inner.stages[s.table.leading:]).run(found, f)}, nil
}

// scan reads the foreign documents for one document.
func (s *lookedUp) scan(f frame, spec bsonraw.Doc) (Reader, error) {
	if s.below == nil {
		p, err := s.inner.filtered(spec)
		if err != nil {
			return nil, err
		}
		return f.read(s.env, s.from, p)
	}
	reader, err := f.read(s.env, s.from, s.below)
	if err != nil {
		return nil, err
	}
	rest, err := s.inner.filtered(spec)
	if err == nil {
		rest, err = rest.bind(f.vars)
	}
	if err != nil {
		return nil, errors.Join(err, reader.Close())
	}
	return &heldBy{Source: rest.run(reader, f), reader: reader}, nil
}

// heldBy is a source that is made of a reader's documents.
type heldBy struct {
	Source
	reader Reader
}

// Close closes the reader.
func (h *heldBy) Close() error { return h.reader.Close() }

// fillTable makes the table of the foreign documents. A filter at the beginning of the pipeline that is always the same is asked
// before them.
func (s *lookedUp) fillTable(ctx context.Context, f frame) error {
	s.table = newJoinTable(s.foreign, s.inner.scope, f.memory)
	before := s.below
	if before == nil {
		before = s.inner.with(nil)
	}
	if m, ok := leadingMatch(s.inner.stages); ok && !m.varies {
		s.table.leading = 1
		before = before.with(append(slices.Clip(before.stages), m))
	}
	reader, err := f.read(s.env, s.from, before)
	if err != nil {
		return err
	}
	return s.table.fill(ctx, reader)
}
