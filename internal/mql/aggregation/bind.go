package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// bind returns the pipeline with values for the variables that the stage around it sets. They must stay valid while it runs. A
// filter at its beginning is compiled anew with the values as constants, so that whoever reads the documents can plan with it.
func (p *Pipeline) bind(vars []bsonraw.Value) (*Pipeline, error) {
	bound := p.with(p.stages)
	bound.frame.vars = vars
	m, ok := leadingMatch(p.stages)
	if !ok || !p.varies(m) {
		return bound, nil
	}
	scope := p.scope
	for _, v := range p.vars {
		scope = scope.WithConstant(v.name, vars[v.slot])
	}
	f, err := filter.Compile(m.spec, filter.Options{Scope: scope})
	if err != nil {
		return nil, err
	}
	bound.stages = append([]stage{&match{filter: f, spec: m.spec}}, p.stages[1:]...)
	return bound, nil
}

func leadingMatch(stages []stage) (*match, bool) {
	if len(stages) == 0 {
		return nil, false
	}
	m, ok := stages[0].(*match)
	return m, ok
}

// filtered returns the pipeline with a further filter before it, joined with the one that the pipeline begins with.
func (p *Pipeline) filtered(spec bsonraw.Doc) (*Pipeline, error) {
	m, rest := &match{spec: spec}, p.stages
	if before, ok := leadingMatch(p.stages); ok {
		m.spec, m.varies, rest = all([]bsonraw.Doc{spec, before.spec}), before.varies, rest[1:]
	}
	if !m.varies { // else bind compiles it
		var err error
		if m.filter, err = filter.Compile(m.spec, filter.Options{Scope: p.scope}); err != nil {
			return nil, err
		}
	}
	return p.with(append(append(make([]stage, 0, len(rest)+1), m), rest...)), nil
}

// steady returns how many of the first stages give the same whenever they run.
func (p *Pipeline) steady() int {
	for i, s := range p.stages {
		if p.varies(s) {
			return i
		}
	}
	return len(p.stages)
}
