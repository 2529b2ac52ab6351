package aggregation

import (
	"context"
	"io"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// group is $group: a document for each value of an expression, with fields that accumulators make of its documents. Groups come
// in the order of their first documents.
type group struct {
	scope  *expression.Scope
	id     *expression.Expression
	absent bsonraw.Value // what an _id counts as that has no value
	fields []groupField
}

type groupField struct {
	name string
	accumulation
}

func compileGroup(c *compiler, _ string, spec bsonraw.Value) (stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(15947, "a group's fields must be specified in an object")
	}
	g := &group{scope: c.scope}
	for it := spec.Doc().Iter(); it.Next(); {
		name := string(it.Key())
		if name != "_id" {
			f, err := compileGroupField(c, name, it.Value())
			if err != nil {
				return nil, err
			}
			g.fields = append(g.fields, f)
			continue
		}
		if g.id != nil {
			return nil, mongoerr.New(15948, "a group's _id may only be specified once")
		}
		if err := g.compileID(c, it.Value()); err != nil {
			return nil, err
		}
	}
	if g.id == nil {
		return nil, mongoerr.New(15955, "a group specification must include an _id")
	}
	return g, nil
}

// compileID reads the expression of the groups. In a document of one field that has no value, the field is null; among others it is
// left out.
func (g *group) compileID(c *compiler, v bsonraw.Value) (err error) {
	g.absent = bsonraw.NullValue
	if v.Type == bsonraw.TypeDocument && !isOperator(v) {
		fields := 0
		var name []byte
		for it := v.Doc().Iter(); it.Next(); fields++ {
			if t := it.Value().Type; t.IsNumber() || t == bsonraw.TypeBool {
				return mongoerr.New(17390, "$group does not support inclusion-style expressions")
			}
			name = it.Key()
		}
		if fields == 1 {
			out, at := bsonraw.BeginDoc(nil)
			g.absent = bsonraw.Doc(bsonraw.EndDoc(bsonraw.AppendNull(out, name), at)).Value()
		}
	}
	g.id, err = expression.Compile(v, c.scope)
	return err
}

func compileGroupField(c *compiler, name string, spec bsonraw.Value) (f groupField, err error) {
	switch {
	case strings.Contains(name, "."):
		return f, mongoerr.New(40235, "The field name '%s' cannot contain '.'", name)
	case strings.HasPrefix(name, "$"):
		return f, mongoerr.New(40236, "The field name '%s' cannot be an operator name", name)
	case !isAccumulator(spec):
		return f, mongoerr.New(40234, "The field '%s' must be an accumulator object", name)
	case spec.Doc().Len() != 1:
		return f, mongoerr.New(40238, "The field '%s' must specify one accumulator", name)
	}
	f.name = name
	f.accumulation, err = compileAccumulation(c, spec.Doc())
	return f, err
}

func firstKey(d bsonraw.Doc) string {
	it := d.Iter()
	if !it.Next() {
		return ""
	}
	return string(it.Key())
}

func (g *group) name() string { return "$group" }

func (g *group) optimize() error {
	if err := g.id.Optimize(); err != nil {
		return err
	}
	for i := range g.fields {
		if err := g.fields[i].optimize(); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) start(src Source, f frame) Source {
	return &grouped{group: g, src: src, memory: f.memory, ctx: f.context(), byKey: map[string]*groupState{}}
}

// groupState is one group.
type groupState struct {
	id     bsonraw.Value
	fields []accumulator
}

// groupOverhead is what a group takes beside its key and values.
const groupOverhead = 200

// grouped reads all documents at the first Next.
type grouped struct {
	*group
	src    Source
	memory int
	used   int
	ctx    expression.Context
	byKey  map[string]*groupState
	order  []*groupState
	key    []byte
	filled bool
	out    []byte
}

func (s *grouped) Next(ctx context.Context) (bsonraw.Doc, error) {
	if !s.filled {
		s.filled = true
		s.ctx.StopWith(ctx)
		if err := collect(ctx, s.src, s.take); err != nil {
			return nil, err
		}
	}
	if len(s.order) == 0 {
		return nil, io.EOF
	}
	state := s.order[0]
	s.order[0] = nil
	s.order = s.order[1:]
	return s.document(state)
}

func (s *grouped) take(doc bsonraw.Doc) error {
	s.ctx.Reset()
	id, err := s.id.Eval(&s.ctx, doc)
	if err != nil {
		return err
	}
	state, err := s.state(id)
	if err != nil {
		return err
	}
	for i := range s.fields {
		if a, ok := state.fields[i].(sated); ok && a.full() {
			continue
		}
		v, err := s.fields[i].input.Eval(&s.ctx, doc)
		if err != nil {
			return err
		}
		kept, err := state.fields[i].add(v)
		if err != nil {
			return err
		}
		s.used += kept
	}
	if s.used > s.memory {
		return mongoerr.New(mongoerr.QueryExceededMemoryLimitNoDiskUseAllowed,
			"Exceeded memory limit for $group of %d bytes, and this server does not group on disk: a $match before it helps", s.memory)
	}
	return nil
}

// state returns the group of an _id.
func (s *grouped) state(id bsonraw.Value) (*groupState, error) {
	if id.IsMissing() || id.IsDoc() && id.Doc().IsEmpty() && s.absent.IsDoc() {
		id = s.absent
	}
	s.key = s.scope.Collation().AppendKey(s.key[:0], id)
	if state := s.byKey[string(s.key)]; state != nil {
		return state, nil
	}
	state := &groupState{id: keep(bsonraw.Value{}, id)}
	for i := range s.fields {
		a, err := s.fields[i].begin(&s.ctx, state.id)
		if err != nil {
			return nil, err
		}
		state.fields = append(state.fields, a)
	}
	s.byKey[string(s.key)] = state
	s.order = append(s.order, state)
	s.used += groupOverhead + len(s.key) + len(id.Data)
	return state, nil
}

func (s *grouped) document(state *groupState) (bsonraw.Doc, error) {
	s.ctx.Reset()
	out, at := bsonraw.BeginDoc(s.out[:0])
	out = bsonraw.AppendValue(out, "_id", state.id)
	for i, f := range s.fields {
		v, err := state.fields[i].result(&s.ctx)
		if err != nil {
			return nil, err
		}
		out = bsonraw.AppendValue(out, f.name, v)
	}
	s.out = bsonraw.EndDoc(out, at)
	return s.out, nil
}
