package aggregation

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Barrier is something that the source of a pipeline does with each document before the stages. It reports whether a condition, which is a filter
// with one field, may be asked before it.
type Barrier func(condition bsonraw.Doc) bool

// barrier is a Barrier among the stages, until they are in their order.
type barrier struct{ passes Barrier }

func (barrier) name() string    { return "" }
func (barrier) optimize() error { return nil }

// CompileBehind is Compile for a source that does one thing after another before the stages. It returns what runs before the first of these,
// what between them, and what behind the last: one more than they are, each nil where nothing does.
func CompileBehind(pipeline bsonraw.Doc, opts Options, barriers ...Barrier) (parts []*Pipeline, err error) {
	p, err := parse(pipeline, opts)
	if err != nil {
		return nil, err
	}
	stages := make([]stage, 0, len(barriers)+len(p.stages))
	for _, b := range barriers {
		stages = append(stages, barrier{b})
	}
	p.stages = append(stages, p.stages...)
	if err := p.optimize(); err != nil {
		return nil, err
	}
	if err := askEarly(p); err != nil {
		return nil, err
	}
	begin := 0
	for i, s := range p.stages {
		if _, ok := s.(barrier); ok {
			parts = append(parts, p.some(p.stages[begin:i]))
			begin = i + 1
		}
	}
	return append(parts, p.some(p.stages[begin:])), nil
}

// askEarly asks before each barrier what must hold for the filters behind it, so that a document that they are going to drop is dropped before
// as much as possible is done with it.
func askEarly(p *Pipeline) error {
	for i, s := range slices.Backward(p.stages) {
		b, ok := s.(barrier)
		if !ok {
			continue
		}
		var needed []bsonraw.Doc
		for _, s := range p.stages[i+1:] {
			m, ok := s.(*match)
			if !ok {
				break
			}
			needed = append(needed, m.needed(b.passes)...)
		}
		if len(needed) == 0 {
			continue
		}
		early, err := new(match).part(p, needed)
		if err != nil {
			return err
		}
		p.stages = slices.Insert(p.stages, i, stage(early))
	}
	return nil
}

// Cut returns what runs before the first stage of a name, and the rest; each is nil where nothing does.
func (p *Pipeline) Cut(name string) (before, rest *Pipeline) {
	at := slices.IndexFunc(p.stages, func(s stage) bool { return s.name() == name })
	if at < 0 {
		return p, nil
	}
	return p.some(p.stages[:at]), p.some(p.stages[at:])
}

// some is a pipeline of some of the stages, nil if they are none.
func (p *Pipeline) some(stages []stage) *Pipeline {
	if len(stages) == 0 {
		return nil
	}
	return p.with(slices.Clone(stages))
}
