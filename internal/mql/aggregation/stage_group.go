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
	fields []groupField
}

type groupField struct {
	name string
	make func(*expression.Scope) accumulator
	of   *expression.Expression
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
		id, err := expression.Compile(it.Value(), c.scope)
		if err != nil {
			return nil, err
		}
		g.id = id
	}
	if g.id == nil {
		return nil, mongoerr.New(15955, "a group specification must include an _id")
	}
	return g, nil
}

func compileGroupField(c *compiler, name string, spec bsonraw.Value) (f groupField, err error) {
	switch {
	case strings.Contains(name, "."):
		return f, mongoerr.New(40235, "The field name '%s' cannot contain '.'", name)
	case strings.HasPrefix(name, "$"):
		return f, mongoerr.New(40236, "The field name '%s' cannot be an operator name", name)
	case spec.Type != bsonraw.TypeDocument || !strings.HasPrefix(firstKey(spec.Doc()), "$"):
		return f, mongoerr.New(40234, "The field '%s' must be an accumulator object", name)
	case spec.Doc().Len() != 1:
		return f, mongoerr.New(40238, "The field '%s' must specify one accumulator", name)
	}
	operator := firstKey(spec.Doc())
	operand := spec.Doc().Lookup(operator)
	if operator == "$count" {
		if operand.Type != bsonraw.TypeDocument || !operand.Doc().IsEmpty() {
			return f, mongoerr.New(mongoerr.TypeMismatch, "$count takes no arguments, i.e. $count:{}")
		}
		operator, operand = "$sum", bsonraw.Int32Value(1)
	}
	newAccumulator, known := accumulators[operator]
	switch {
	case !known:
		return f, mongoerr.New(15952, "unknown group operator '%s'", operator)
	case newAccumulator == nil:
		return f, mongoerr.New(mongoerr.CommandNotSupported, "Accumulator %s is not supported by this server", operator)
	case operand.Type == bsonraw.TypeArray:
		return f, mongoerr.New(40237, "The %s accumulator is a unary operator", operator)
	}
	f.name, f.make = name, newAccumulator
	f.of, err = expression.Compile(operand, c.scope)
	return f, err
}

func firstKey(d bsonraw.Doc) string {
	it := d.Iter()
	if !it.Next() {
		return ""
	}
	return string(it.Key())
}

func (s *group) name() string { return "$group" }

func (s *group) optimize() error {
	if err := s.id.Optimize(); err != nil {
		return err
	}
	for _, f := range s.fields {
		if err := f.of.Optimize(); err != nil {
			return err
		}
	}
	return nil
}

func (s *group) start(src Source, l limits) Source {
	return &grouped{group: s, src: src, memory: l.memory, byKey: map[string]*groupState{}}
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
	state := s.state(id)
	for i, f := range s.fields {
		v, err := f.of.Eval(&s.ctx, doc)
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

// state returns the group of an _id. A missing one is null's.
func (s *grouped) state(id bsonraw.Value) *groupState {
	id = orNull(id)
	s.key = s.scope.Collation().AppendKey(s.key[:0], id)
	if state := s.byKey[string(s.key)]; state != nil {
		return state
	}
	state := &groupState{id: keep(bsonraw.Value{}, id)}
	for _, f := range s.fields {
		state.fields = append(state.fields, f.make(s.scope))
	}
	s.byKey[string(s.key)] = state
	s.order = append(s.order, state)
	s.used += groupOverhead + len(s.key) + len(id.Data)
	return state
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
