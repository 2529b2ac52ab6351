package projection

import (
	"math"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// parser reads a specification of find or of $project. The first field but _id tells whether it includes or excludes.
type parser struct {
	kind  Kind
	scope *expression.Scope
	root  *node

	mode       mode
	id         mode // what _id itself is set to
	slices     bool
	matches    bool // $elemMatch
	positional bool
}

type mode uint8

const (
	undecided mode = iota
	inclusion
	exclusion
)

func (p *parser) compile(spec bsonraw.Doc) (*Projection, error) {
	if spec.IsEmpty() {
		if p.kind == Project {
			return nil, mongoerr.New(51272, "projection specification must have at least one field")
		}
		return &Projection{root: p.root, keep: true}, nil
	}
	if err := p.fields(spec, ""); err != nil {
		return nil, err
	}
	if p.mode == undecided {
		p.mode = p.decide()
	}
	if p.mode == inclusion && p.id == undecided && p.root.find([]byte("_id"), 0) < 0 {
		p.root.add(entry{key: []byte("_id"), action: include})
	}
	p.root.finish()
	return &Projection{root: p.root, keep: p.mode == exclusion, positional: p.positional}, nil
}

// decide tells the mode of a specification of which no field does.
func (p *parser) decide() mode {
	if p.id == inclusion || p.matches && !p.slices {
		return inclusion
	}
	return exclusion
}

// fields reads a level of the specification; prefix is the path to it with a dot at its end, empty at the top.
func (p *parser) fields(spec bsonraw.Doc, prefix string) error {
	for it := spec.Iter(); it.Next(); {
		f := field{key: string(it.Key()), value: it.Value()}
		if err := p.resolve(&f, prefix); err != nil {
			return err
		}
		if err := p.field(f); err != nil {
			return err
		}
	}
	return nil
}

// field is a field of a specification.
type field struct {
	key        string // as written
	full       string // the path from the top
	path       []string
	value      bsonraw.Value
	positional bool
}

// resolve finds out the field's path.
func (p *parser) resolve(f *field, prefix string) error {
	name := f.key
	if p.kind == Find && strings.Contains(name, ".$.") {
		return mongoerr.New(31394, "As of 4.4, it's illegal to specify positional operator in the middle of a path."+
			"Positional projection may only be used at the end, for example: a.b.$. If the query previously used a form "+
			"like a.b.$.d, remove the parts following the '$' and the results will be equivalent.")
	}
	if rest, ok := strings.CutSuffix(name, ".$"); ok {
		if p.kind != Find {
			return mongoerr.New(31324, "Cannot use positional projection in aggregation projection")
		}
		if rest == "" {
			return mongoerr.New(5392900, "Projection on field %s is invalid", name)
		}
		name, f.positional = rest, true
	}
	if _, err := expression.ParsePath(name); err != nil {
		return err
	}
	f.full = prefix + name
	var err error
	f.path, err = expression.ParsePath(f.full)
	return err
}

func (p *parser) field(f field) error {
	switch {
	case f.positional:
		return p.positionalField(f)
	case f.value.Type.IsNumber() || f.value.Type == bsonraw.TypeBool:
		if f.value.Truthy() {
			return p.include(f)
		}
		return p.exclude(f)
	case f.value.Type == bsonraw.TypeDocument:
		return p.object(f)
	}
	e, err := expression.Compile(f.value, p.scope)
	if err != nil {
		return err
	}
	return p.compute(f, e)
}

func (p *parser) include(f field) error {
	if err := p.root.insert(f.path, f.full, entry{action: include}); err != nil {
		return err
	}
	if f.full == "_id" {
		p.id = inclusion
		return nil
	}
	return p.enter(inclusion, f)
}

func (p *parser) exclude(f field) error {
	if err := p.root.insert(f.path, f.full, entry{action: exclude}); err != nil {
		return err
	}
	if f.full == "_id" {
		p.id = exclusion
		return nil
	}
	return p.enter(exclusion, f)
}

// enter decides the mode, or checks that the field goes with it.
func (p *parser) enter(m mode, f field) error {
	switch {
	case p.mode == undecided:
		p.mode = m
	case p.mode == inclusion && m == exclusion:
		return mongoerr.New(31254, "Cannot do exclusion on field %s in inclusion projection", f.key)
	case p.mode == exclusion && m == inclusion:
		return mongoerr.New(31253, "Cannot do inclusion on field %s in exclusion projection", f.key)
	}
	return nil
}

func (p *parser) compute(f field, e *expression.Expression) error {
	if err := p.root.insert(f.path, f.full, entry{action: compute, value: e}); err != nil {
		return err
	}
	if p.mode == exclusion {
		return mongoerr.New(31310, "Cannot use an expression %s: %s in an exclusion projection", f.key, f.value.Shell())
	}
	p.mode = inclusion
	return nil
}

func (p *parser) positionalField(f field) error {
	switch {
	case f.value.Type == bsonraw.TypeDocument:
		return mongoerr.New(31271, "positional projection cannot be used with an expression or sub object")
	case !f.value.Type.IsNumber() && f.value.Type != bsonraw.TypeBool:
		return mongoerr.New(31308, "positional projection cannot be used with a literal")
	case !f.value.Truthy():
		return mongoerr.New(31395, "positional projection cannot be used with exclusion")
	case p.positional:
		return mongoerr.New(31276, "Cannot specify more than one positional projection per query.")
	case p.matches:
		return errPositionalAndMatch(31256)
	}
	if err := p.root.insert(f.path, f.full, entry{action: include, positional: true}); err != nil {
		return err
	}
	p.positional = true
	return p.enter(inclusion, f)
}

func errPositionalAndMatch(code mongoerr.Code) error {
	return mongoerr.New(code, "Cannot specify positional operator and $elemMatch.")
}

// object reads a document: an operator, or more fields.
func (p *parser) object(f field) error {
	doc := f.value.Doc()
	it := doc.Iter()
	if !it.Next() {
		return mongoerr.New(51270, "An empty sub-projection is not a valid value. Found empty object at path")
	}
	name := string(it.Key())
	if !strings.HasPrefix(name, "$") || doc.Len() > 1 {
		if err := p.root.checkBelow(f.path, f.full); err != nil {
			return err
		}
		return p.fields(doc, f.full+".")
	}
	switch {
	case name == "$meta":
		return p.metadata(f)
	case name == "$elemMatch" && p.kind == Find:
		return p.elemMatch(f, it.Value())
	case name == "$elemMatch":
		return mongoerr.New(168, "Cannot use $elemMatch in this context")
	case name == "$slice" && p.kind == Find:
		return p.slice(f, it.Value())
	case !expression.IsOperator(name):
		return mongoerr.New(31325, "Unknown expression %s", name)
	}
	return p.operator(f)
}

// operator reads {$operator: argument}, an operator of the expression language.
func (p *parser) operator(f field) error {
	if p.mode == exclusion {
		return mongoerr.New(31252, "Cannot use expression other than $meta in exclusion projection")
	}
	e, err := expression.CompileObject(f.value.Doc(), p.scope)
	if err != nil {
		return err
	}
	return p.compute(f, e)
}

// metadata reads {$meta: ..}, which is of no kind of projection. What of it is not refused has no value.
func (p *parser) metadata(f field) error {
	e, err := expression.CompileObject(f.value.Doc(), p.scope)
	if err != nil {
		return err
	}
	if p.kind == Find || p.mode == exclusion {
		return p.root.insert(f.path, f.full, entry{action: compute, value: e})
	}
	return p.compute(f, e)
}

func (p *parser) elemMatch(f field, condition bsonraw.Value) error {
	switch {
	case condition.Type != bsonraw.TypeDocument:
		return mongoerr.New(31274, "elemMatch: Invalid argument, object required, but got %s", condition.Type.Name())
	case p.positional:
		return errPositionalAndMatch(31255)
	case len(f.path) > 1:
		return mongoerr.New(31275, "Cannot use $elemMatch projection on a nested field.")
	}
	match, err := filter.CompileElemMatch(condition, filter.Options{Scope: p.scope})
	if err != nil {
		return err
	}
	p.matches = true
	return p.root.insert(f.path, f.full, entry{action: elemMatch, match: match})
}

// slice reads find's $slice: n or [skip, n]. What does not go as that is the operator of the expression language.
func (p *parser) slice(f field, v bsonraw.Value) error {
	e, err := parseSlice(v)
	if err == nil {
		if err = p.root.insert(f.path, f.full, e); err == nil {
			p.slices = true
			return nil
		}
	}
	problem := mongoerr.From(err)
	if err := p.operator(f); err != nil {
		return mongoerr.From(err).Prefix("Invalid $slice syntax. The given syntax " + f.value.Shell() +
			" did not match the find() syntax because :: " + problem.Code.Name() + ": " + problem.Msg +
			" :: The given syntax did not match the expression $slice syntax. :: caused by :: ")
	}
	return nil
}

func parseSlice(v bsonraw.Value) (entry, error) {
	if v.Type.IsNumber() {
		if n := clampInt32(v); n < 0 {
			return entry{action: slice, from: n, limit: math.MaxInt}, nil
		}
		return entry{action: slice, limit: clampInt32(v)}, nil
	}
	if v.Type != bsonraw.TypeArray {
		return entry{}, mongoerr.New(31273, "$slice only supports numbers and [skip, limit] arrays")
	}
	from, limit := v.Doc().At(0), v.Doc().At(1)
	if v.Doc().Len() != 2 || !from.Type.IsNumber() || !limit.Type.IsNumber() {
		return entry{}, mongoerr.New(31272, "$slice array argument should be of form [skip, limit]")
	}
	e := entry{action: slice, from: clampInt32(from), limit: clampInt32(limit)}
	if e.limit <= 0 {
		return entry{}, mongoerr.New(28724, "First argument to $slice must be an array, but is of type: %s", from.Type.Name())
	}
	return e, nil
}

// clampInt32 converts a number to 32 bits, cutting off fractions and what is too large; NaN is 0.
func clampInt32(v bsonraw.Value) int {
	n, ok := v.AsInt64()
	if !ok {
		f, _ := v.AsFloat64()
		switch {
		case f > 0:
			n = math.MaxInt32
		case f < 0:
			n = math.MinInt32
		}
	}
	return int(min(max(n, math.MinInt32), math.MaxInt32))
}
