package aggregation

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// foreign returns the compiler of a pipeline that a stage runs on another collection or view, and what is beneath that. Without a
// name the pipeline brings its own documents.
func (c *compiler) foreign(scope *expression.Scope, stage, coll string, pipeline bsonraw.Doc) (*compiler, Beneath, error) {
	inner, err := c.within(scope, coll)
	if err != nil {
		return nil, Beneath{}, err
	}
	if coll == "" {
		if beginsWithDocuments(pipeline) {
			return inner, Beneath{}, nil
		}
		return nil, Beneath{}, mongoerr.New(mongoerr.InvalidNamespace, "invalid %s namespace: %s.", stage, c.opts.DB)
	}
	if strings.ContainsRune(coll, 0) || coll[0] == '.' {
		return nil, Beneath{}, mongoerr.New(mongoerr.InvalidNamespace, "invalid %s namespace: %s.%s", stage, c.opts.DB, coll)
	}
	from, err := c.beneath(coll)
	return inner, from, err
}

// beginsWithDocuments reports whether a pipeline makes its documents itself.
func beginsWithDocuments(pipeline bsonraw.Doc) bool {
	it := pipeline.Iter()
	return it.Next() && it.Value().Type == bsonraw.TypeDocument && firstKey(it.Value().Doc()) == "$documents"
}

// checkWithin refuses the stages that pipelines within others cannot have.
func checkWithin(stage string, code mongoerr.Code, pipeline bsonraw.Doc) error {
	for it := pipeline.Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			continue
		}
		switch name := firstKey(it.Value().Doc()); name {
		case "$out", "$merge", changeStream:
			return mongoerr.New(code, "%s is not allowed within a %s's sub-pipeline", name, stage)
		}
	}
	return nil
}

// joined is the array with the elements of two, either of which may be nil.
func joined(first, second bsonraw.Doc) bsonraw.Doc {
	if first == nil || first.IsEmpty() {
		return second
	}
	list := bsonraw.BeginArray(make([]byte, 0, len(first)+len(second)))
	for _, array := range []bsonraw.Doc{first, second} {
		for it := array.Iter(); it.Next(); {
			list.Append(it.Value())
		}
	}
	return list.End()
}

// read returns what a pipeline within the frame makes of a collection's documents.
func (f frame) read(env Environment, ns Namespace, p *Pipeline) (Reader, error) {
	bound, err := p.bind(f.vars)
	if err != nil {
		return nil, err
	}
	bound.inner = true
	if !bound.ReadsCollection() {
		return unheld{bound.run(nil, bound.frame)}, nil
	}
	if env == nil {
		return nil, mongoerr.New(mongoerr.InternalError, "a pipeline that was only checked is run: it reads %s", ns)
	}
	return env.Read(ns, bound)
}

// unheld is a source that holds nothing.
type unheld struct{ Source }

// Close does nothing.
func (unheld) Close() error { return nil }
