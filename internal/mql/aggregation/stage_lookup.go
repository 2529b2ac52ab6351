package aggregation

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// lookup is $lookup: each document gets an array of those that another pipeline gives for it. The other pipeline runs on another
// collection or view, or brings its documents with it; it may see variables of the document, and only those documents may come
// into it whose field is equal to one of this document's.
type lookup struct {
	env  Environment
	from Namespace
	as   []string

	local   []string // the path here; nil without an equality
	foreign bsonraw.Path
	// below is what the foreign documents go through before the equality is asked for, nil for nothing: a view's pipeline, or
	// $documents. inner is what they go through after.
	below, inner *Pipeline
	let          []letVariable
	slots        int     // that the pipelines within use for variables
	unwind       *unwind // of the array, when the $unwind behind is done here
	failed       error   // what evaluating constant parts of the pipelines gave; it shows with the first document
}

// lookupSpec is a $lookup as it is written.
type lookupSpec struct {
	from, as, local, foreign     string
	hasFrom, hasLet, hasPipeline bool
	pipeline, let                bsonraw.Doc
}

func compileLookup(c *compiler, name string, arg bsonraw.Value) (stage, error) {
	if arg.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(mongoerr.FailedToParse, "the %s stage specification must be an object, but found %s", name, arg.Type.Name())
	}
	spec := lookupSpec{}
	for it := arg.Doc().Iter(); it.Next(); {
		if err := spec.parse(name, string(it.Key()), it.Value()); err != nil {
			return nil, err
		}
	}
	if err := spec.check(name); err != nil {
		return nil, err
	}
	if err := checkWithin(name, 51047, spec.pipeline); err != nil {
		return nil, err
	}
	s := &lookup{env: c.opts.Environment}
	if err := s.compilePaths(&spec); err != nil {
		return nil, err
	}
	return s, s.compilePipelines(c, name, &spec)
}

func (p *lookupSpec) parse(name, field string, v bsonraw.Value) error {
	switch field {
	case "pipeline":
		if v.Type != bsonraw.TypeArray {
			return mongoerr.New(mongoerr.TypeMismatch, "'pipeline' option must be specified as an array")
		}
		p.hasPipeline, p.pipeline = true, v.Doc()
		for it := v.Doc().Iter(); it.Next(); {
			if it.Value().Type != bsonraw.TypeDocument {
				return mongoerr.New(mongoerr.TypeMismatch, "Each element of the 'pipeline' array must be an object")
			}
		}
		return nil
	case "let":
		if v.Type != bsonraw.TypeDocument {
			return mongoerr.New(mongoerr.FailedToParse, "%s argument 'let: %s' must be an object, is type %s", name, v.Shell(), v.Type.Name())
		}
		p.hasLet, p.let = true, v.Doc()
		return nil
	case "from":
		if v.Type == bsonraw.TypeDocument {
			return mongoerr.New(mongoerr.FailedToParse, "%s with syntax {from: {db:<>, coll:<>},..} is not supported for db: %s and coll: %s",
				name, v.Doc().Lookup("db").Str(), v.Doc().Lookup("coll").Str())
		}
		if v.Type != bsonraw.TypeString {
			return mongoerr.New(mongoerr.FailedToParse, "%s 'from' field must be a string, but found %s", name, v.Type.Name())
		}
		p.hasFrom, p.from = true, v.Str()
		return nil
	}
	if v.Type != bsonraw.TypeString {
		return mongoerr.New(mongoerr.FailedToParse, "%s argument '%s' must be a string, found %s: %s: %s", name, field, field, v.Shell(), v.Type.Name())
	}
	switch field {
	case "as":
		p.as = v.Str()
	case "localField":
		p.local = v.Str()
	case "foreignField":
		p.foreign = v.Str()
	default:
		return mongoerr.New(mongoerr.FailedToParse, "unknown argument to %s: %s", name, field)
	}
	return nil
}

func (p *lookupSpec) check(name string) error {
	var problem string
	switch {
	case !p.hasFrom && !p.hasPipeline:
		problem = "must specify 'pipeline' when 'from' is empty"
	case !p.hasFrom && !beginsWithDocuments(p.pipeline):
		problem = name + " stage without explicit collection must have a pipeline with $documents as first stage"
	case p.as == "":
		problem = "must specify 'as' field for a " + name
	case p.hasPipeline && (p.local == "") != (p.foreign == ""):
		problem = name + " requires both or neither of 'localField' and 'foreignField' to be specified"
	case !p.hasPipeline && (p.local == "" || p.foreign == ""):
		problem = name + " requires either 'pipeline' or both 'localField' and 'foreignField' to be specified"
	case !p.hasPipeline && p.hasLet:
		problem = name + " with a 'let' argument must also specify 'pipeline'"
	default:
		return nil
	}
	return mongoerr.New(mongoerr.FailedToParse, "%s", problem)
}

func (s *lookup) compilePaths(spec *lookupSpec) (err error) {
	if s.as, err = expression.ParsePath(spec.as); err != nil || spec.local == "" {
		return err
	}
	if s.local, err = expression.ParsePath(spec.local); err != nil {
		return err
	}
	_, err = expression.ParsePath(spec.foreign)
	s.foreign = bsonraw.NewPath(spec.foreign)
	return err
}

// compilePipelines compiles the variables and the pipelines that see them.
func (s *lookup) compilePipelines(c *compiler, name string, spec *lookupSpec) error {
	scope := c.scope
	vars := c.vars
	for it := spec.let.Iter(); it.Next(); {
		v, err := c.letVariable(string(it.Key()), it.Value())
		if err != nil {
			return err
		}
		scope, v.slot = scope.WithVariable(v.name)
		s.slots = int(v.slot) + 1
		s.let, vars = append(s.let, v), append(slices.Clip(vars), v.variable)
	}
	inner, from, err := c.foreign(scope, name, spec.from, spec.pipeline)
	if err != nil {
		return err
	}
	inner.vars = vars
	s.from = from.Namespace
	before, rest := from.Pipeline, spec.pipeline
	if s.local == nil {
		before, rest = nil, joined(from.Pipeline, spec.pipeline)
	} else if beginsWithDocuments(rest) {
		before, rest = split(joined(before, rest), from.Pipeline.Len()+1)
	}
	if before != nil && !before.IsEmpty() {
		if s.below, err = inner.parse(before); err != nil {
			return err
		}
	}
	if s.local != nil {
		if begin := firstStageName(rest); stages[begin].position == first {
			return mongoerr.New(40602, "%s is only valid as the first stage in a pipeline", begin)
		}
	}
	s.inner, err = inner.parse(rest)
	return err
}

// split cuts an array in two, of which the first has n elements.
func split(array bsonraw.Doc, n int) (head, tail bsonraw.Doc) {
	a, b := bsonraw.BeginArray(nil), bsonraw.BeginArray(nil)
	for it := array.Iter(); it.Next(); {
		if a.Len() < n {
			a.Append(it.Value())
		} else {
			b.Append(it.Value())
		}
	}
	return a.End(), b.End()
}

func firstStageName(pipeline bsonraw.Doc) string {
	it := pipeline.Iter()
	if !it.Next() {
		return ""
	}
	return firstKey(it.Value().Doc())
}

func (s *lookup) name() string { return "$lookup" }

// optimize keeps the pipelines' errors for the first document, as MongoDB does: without one there is none.
func (s *lookup) optimize() error {
	for _, p := range []*Pipeline{s.below, s.inner} {
		if p == nil {
			continue
		}
		if err := p.optimize(); err != nil && s.failed == nil {
			s.failed = err
		}
	}
	return nil
}

// coalesce takes over the $unwind of the array, so that the array need not be made; ok is false for another $unwind.
func (s *lookup) coalesce(u *unwind) (ok bool) {
	if s.unwind != nil || strings.Join(s.as, ".") != strings.Join(u.path, ".") {
		return false
	}
	s.unwind = u
	return true
}

func (s *lookup) start(src Source, f frame) Source {
	vars := make([]bsonraw.Value, max(len(f.vars), s.slots))
	copy(vars, f.vars)
	return &lookedUp{lookup: s, src: src, frame: f, vars: vars, ctx: f.context()}
}
