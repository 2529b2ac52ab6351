package aggregation

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// cache keeps the documents of a pipeline, as long as they are not too many.
type cache struct {
	pipeline   *Pipeline
	memory     int
	docs       []bsonraw.Doc
	used       int
	slab       []byte
	overflowed bool // there were too many: nothing is kept
}

func newCache(p *Pipeline, memory int) *cache { return &cache{pipeline: p, memory: memory} }

// errOverflow stops the reading of documents that are too many.
var errOverflow = errors.New("too many documents to keep")

// fill reads the documents and closes the reader.
func (c *cache) fill(ctx context.Context, reader Reader) error {
	err := collect(ctx, reader, c.add)
	if errors.Is(err, errOverflow) {
		*c = cache{overflowed: true}
		err = nil
	}
	return errors.Join(err, reader.Close())
}

func (c *cache) add(doc bsonraw.Doc) error {
	if c.used += len(doc) + rowOverhead; c.used > c.memory {
		return errOverflow
	}
	if len(doc) > cap(c.slab)-len(c.slab) {
		c.slab = make([]byte, 0, max(slabSize, len(doc)))
	}
	start := len(c.slab)
	c.slab = append(c.slab, doc...)
	c.docs = append(c.docs, c.slab[start:len(c.slab):len(c.slab)])
	return nil
}

func (c *cache) source() Source { return &listed{docs: c.docs} }

// listed gives documents of a list.
type listed struct{ docs []bsonraw.Doc }

func (s *listed) Next(ctx context.Context) (bsonraw.Doc, error) {
	if len(s.docs) == 0 {
		return nil, io.EOF
	}
	doc := s.docs[0]
	s.docs = s.docs[1:]
	return doc, ctx.Err()
}

// joinTable keeps documents by the values that they have at a path. It says which documents may have a value; the filter decides.
type joinTable struct {
	cache
	leading int // filters of the pipeline that were asked before the documents were kept
	path    bsonraw.Path
	scope   *expression.Scope
	keys    *bsonraw.KeyWalk // nil where keys do not tell what filters see
	byKey   map[string][]int32
	key     []byte
	order   []int32
	found   []bsonraw.Doc
}

func newJoinTable(path bsonraw.Path, scope *expression.Scope, memory int) *joinTable {
	t := &joinTable{cache: cache{memory: memory}, path: path, scope: scope, byKey: map[string][]int32{}}
	if !path.HasIndex() {
		t.keys = bsonraw.NewKeyWalk([]bsonraw.Path{path})
	}
	return t
}

// fill reads the documents and closes the reader.
func (t *joinTable) fill(ctx context.Context, reader Reader) error {
	if err := t.cache.fill(ctx, reader); err != nil || t.overflowed || t.keys == nil {
		return err
	}
	at := int32(0)
	note := func(values []bsonraw.Value) error {
		t.key = t.appendKey(t.key[:0], values[0])
		list := t.byKey[string(t.key)]
		if n := len(list); n == 0 || list[n-1] != at {
			t.used += len(t.key) + rowOverhead
			t.byKey[string(t.key)] = append(list, at)
		}
		if t.used > t.memory {
			return errOverflow
		}
		return nil
	}
	for i, doc := range t.docs {
		at = int32(i)
		err := t.keys.Each(doc, note)
		if errors.Is(err, errOverflow) {
			*t = joinTable{cache: cache{overflowed: true}}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// appendKey appends the key of a value. What is missing, undefined and null has one, as for a filter.
func (t *joinTable) appendKey(dst []byte, v bsonraw.Value) []byte {
	if v.IsMissing() || v.Type == bsonraw.TypeUndefined {
		v = bsonraw.NullValue
	}
	return t.scope.Collation().AppendKey(dst, v)
}

// find returns the documents that a filter takes, which asks for one of the values at the path. They are valid until the next call.
func (t *joinTable) find(values *localValues, spec bsonraw.Doc) (Source, error) {
	f, err := filter.Compile(spec, filter.Options{Scope: t.scope})
	if err != nil {
		return nil, err
	}
	t.found = t.found[:0]
	take := func(doc bsonraw.Doc) error {
		ok, err := f.Match(doc)
		if ok {
			t.found = append(t.found, doc)
		}
		return err
	}
	candidates, known := t.candidates(values)
	if !known {
		for _, doc := range t.docs {
			if err := take(doc); err != nil {
				return nil, err
			}
		}
		return &listed{docs: t.found}, nil
	}
	for _, i := range candidates {
		if err := take(t.docs[i]); err != nil {
			return nil, err
		}
	}
	return &listed{docs: t.found}, nil
}

// candidates returns which documents may have one of the values, in their order. It is not known for arrays, which keys do not
// have as a whole.
func (t *joinTable) candidates(values *localValues) (list []int32, known bool) {
	t.order = t.order[:0]
	for _, v := range values.list {
		if t.keys == nil || v.Type == bsonraw.TypeArray {
			return nil, false
		}
		t.key = t.appendKey(t.key[:0], v)
		t.order = append(t.order, t.byKey[string(t.key)]...)
	}
	if len(values.list) > 1 {
		slices.Sort(t.order)
		t.order = slices.Compact(t.order)
	}
	return t.order, true
}
