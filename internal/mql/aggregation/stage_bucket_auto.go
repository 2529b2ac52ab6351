package aggregation

import (
	"bytes"
	"context"
	"io"
	"math"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// bucketAuto is $bucketAuto: the documents in the order of an expression, in buckets of about the same number. Equal values are
// in one bucket, and the bounds may be rounded to preferred numbers.
type bucketAuto struct {
	scope   *expression.Scope
	groupBy *expression.Expression
	buckets int64
	fields  []groupField
	rounded granularity // nil: bounds are values
}

func compileBucketAuto(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40240, "The argument to %s must be an object, but found type: %s", name, spec.Type.Name())
	}
	s := &bucketAuto{scope: c.scope}
	output := bsonraw.Empty
	for it := spec.Doc().Iter(); it.Next(); {
		v := it.Value()
		var err error
		switch string(it.Key()) {
		case "groupBy":
			err = s.parseGroupBy(c, v)
		case "buckets":
			err = s.parseBuckets(v)
		case "output":
			if v.Type != bsonraw.TypeDocument {
				return nil, mongoerr.New(40244, "The %s 'output' field must be an object, but found type: %s", name, v.Type.Name())
			}
			output = v.Doc()
		case "granularity":
			err = s.parseGranularity(v)
		default:
			err = mongoerr.New(40245, "Unrecognized option to %s: %s", name, it.Key())
		}
		if err != nil {
			return nil, err
		}
	}
	if s.groupBy == nil || s.buckets == 0 {
		return nil, mongoerr.New(40246, "%s requires 'groupBy' and 'buckets' to be specified", name)
	}
	if output.IsEmpty() {
		output = countOutput
	}
	for it := output.Iter(); it.Next(); {
		f, err := compileGroupField(c, string(it.Key()), it.Value())
		if err != nil {
			return nil, err
		}
		s.fields = append(s.fields, f)
	}
	return s, nil
}

func (s *bucketAuto) parseGroupBy(c *compiler, v bsonraw.Value) (err error) {
	text := v.Bytes()
	isPath := v.Type == bsonraw.TypeString && len(text) > 0 && text[0] == '$'
	if !isPath && !isOperator(v) {
		return mongoerr.New(40239, "The $bucketAuto 'groupBy' field must be defined as a $-prefixed path or an expression object, but found: %s", v.Shell())
	}
	s.groupBy, err = expression.Compile(v, c.scope)
	return err
}

func (s *bucketAuto) parseBuckets(v bsonraw.Value) error {
	if !v.Type.IsNumber() {
		return mongoerr.New(40241, "The $bucketAuto 'buckets' field must be a numeric value, but found type: %s", v.Type.Name())
	}
	n, ok := v.AsInt64()
	if !ok || n != int64(int32(n)) || bsonraw.Compare(v, bsonraw.Int64Value(n)) != 0 {
		return mongoerr.New(40242, "The $bucketAuto 'buckets' field must be representable as a 32-bit integer, but found %s", v.Shell())
	}
	if n <= 0 {
		return mongoerr.New(40243, "The $bucketAuto 'buckets' field must be greater than 0, but found: %d", n)
	}
	s.buckets = n
	return nil
}

func (s *bucketAuto) parseGranularity(v bsonraw.Value) error {
	if v.Type != bsonraw.TypeString {
		return mongoerr.New(40261, "The $bucketAuto 'granularity' field must be a string, but found type: %s", v.Type.Name())
	}
	series := granularities[v.Str()]
	if series == nil {
		return mongoerr.New(40257, "Unknown rounding granularity '%s'", v.Str())
	}
	s.rounded = series()
	return nil
}

func (s *bucketAuto) name() string { return "$bucketAuto" }

func (s *bucketAuto) optimize() error {
	if err := s.groupBy.Optimize(); err != nil {
		return err
	}
	for i := range s.fields {
		if err := s.fields[i].optimize(); err != nil {
			return err
		}
	}
	return nil
}

func (s *bucketAuto) start(src Source, f frame) Source {
	return &bucketed{bucketAuto: s, src: src, memory: f.memory, ctx: f.context()}
}

// bucketRow is a document with the value by which it is ordered.
type bucketRow struct {
	key   []byte
	value bsonraw.Value
	doc   bsonraw.Doc
}

// bucketed reads all documents at the first Next.
type bucketed struct {
	*bucketAuto
	src    Source
	memory int
	used   int
	ctx    expression.Context
	filled bool
	rows   []bucketRow // in order; those that are in no bucket yet
	size   int         // of a bucket, about
	given  int64       // buckets
	bound  bsonraw.Value
	fields []accumulator
	out    []byte
}

func (s *bucketed) Next(ctx context.Context) (bsonraw.Doc, error) {
	if !s.filled {
		s.filled = true
		if err := collect(ctx, s.src, s.take); err != nil {
			return nil, err
		}
		slices.SortStableFunc(s.rows, func(a, b bucketRow) int { return bytes.Compare(a.key, b.key) })
		s.size = max(int(math.Round(float64(len(s.rows))/float64(s.buckets))), 1)
	}
	if len(s.rows) == 0 || s.given == s.buckets {
		return nil, io.EOF
	}
	s.given++
	return s.bucket()
}

func (s *bucketed) take(doc bsonraw.Doc) error {
	s.ctx.Reset()
	v, err := s.groupBy.Eval(&s.ctx, doc)
	if err != nil {
		return err
	}
	if s.rounded != nil {
		if err := checkRoundable(v); err != nil {
			return err
		}
	}
	if v.IsMissing() {
		v = bsonraw.NullValue
	}
	row := bucketRow{key: s.scope.Collation().AppendKey(nil, v), value: keep(bsonraw.Value{}, v), doc: doc.Clone()}
	s.rows = append(s.rows, row)
	if s.used += len(row.key) + len(v.Data) + len(doc) + rowOverhead; s.used > s.memory {
		return mongoerr.New(mongoerr.QueryExceededMemoryLimitNoDiskUseAllowed,
			"$bucketAuto exceeded memory limit of %d bytes, and this server does not sort on disk: a $match before it helps", s.memory)
	}
	return nil
}

func checkRoundable(v bsonraw.Value) error {
	const prefix = "$bucketAuto can specify a 'granularity' with "
	f, _ := v.AsFloat64()
	switch {
	case !v.Type.IsNumber():
		return mongoerr.New(40258, prefix+"numeric boundaries only, but found a value with type: %s", v.Type.Name())
	case math.IsNaN(f):
		return mongoerr.New(40259, prefix+"numeric boundaries only, but found a NaN")
	case f < 0:
		return mongoerr.New(40260, prefix+"non-negative numbers only, but found a negative number")
	}
	return nil
}

// bucket makes the next bucket.
func (s *bucketed) bucket() (bsonraw.Doc, error) {
	s.fields = s.fields[:0]
	for i := range s.bucketAuto.fields {
		a, err := s.bucketAuto.fields[i].begin(&s.ctx, bsonraw.Value{})
		if err != nil {
			return nil, err
		}
		s.fields = append(s.fields, a)
	}
	n := min(s.size, len(s.rows))
	if s.given == s.buckets {
		n = len(s.rows)
	}
	low, high := s.rows[0].value, s.rows[n-1].value
	if s.rounded != nil {
		if low = s.bound; s.given == 1 {
			low = s.rounded.down(s.rows[0].value)
		}
		n, high = s.roundedEnd(n, s.rounded.up(high))
		s.bound = high
	} else {
		for n < len(s.rows) && bytes.Equal(s.rows[n].key, s.rows[n-1].key) {
			n++
		}
		high = s.rows[n-1].value
		if n < len(s.rows) {
			high = s.rows[n].value
		}
	}
	for _, row := range s.rows[:n] {
		if err := s.accumulate(row.doc); err != nil {
			return nil, err
		}
	}
	clear(s.rows[:n])
	s.rows = s.rows[n:]
	return s.document(low, high)
}

// roundedEnd extends a bucket of n documents to a rounded bound: what is below belongs to it.
func (s *bucketed) roundedEnd(n int, bound bsonraw.Value) (int, bsonraw.Value) {
	for n < len(s.rows) && bsonraw.Compare(bound, s.rows[n].value) > 0 {
		n++
	}
	if f, _ := bound.AsFloat64(); f == 0 && n < len(s.rows) {
		return n, s.rounded.down(s.rows[n].value)
	}
	return n, bound
}

func (s *bucketed) accumulate(doc bsonraw.Doc) error {
	s.ctx.Reset()
	for i := range s.bucketAuto.fields {
		v, err := s.bucketAuto.fields[i].input.Eval(&s.ctx, doc)
		if err != nil {
			return err
		}
		kept, err := s.fields[i].add(v)
		if err != nil {
			return err
		}
		if s.used += kept; s.used > s.memory {
			return mongoerr.New(mongoerr.QueryExceededMemoryLimitNoDiskUseAllowed,
				"$bucketAuto exceeded memory limit of %d bytes, and this server does not sort on disk: a $match before it helps", s.memory)
		}
	}
	return nil
}

func (s *bucketed) document(low, high bsonraw.Value) (bsonraw.Doc, error) {
	s.ctx.Reset()
	out, at := bsonraw.BeginDoc(s.out[:0])
	out, id := bsonraw.BeginElem(out, bsonraw.TypeDocument, "_id")
	out = bsonraw.AppendValue(out, "min", low)
	out = bsonraw.EndDoc(bsonraw.AppendValue(out, "max", high), id)
	for i, f := range s.bucketAuto.fields {
		v, err := s.fields[i].result(&s.ctx)
		if err != nil {
			return nil, err
		}
		out = bsonraw.AppendValue(out, f.name, v)
	}
	s.out = bsonraw.EndDoc(out, at)
	return s.out, nil
}
