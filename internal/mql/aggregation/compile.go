package aggregation

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// Options are what a pipeline needs beside its stages.
type Options struct {
	// Scope holds the collation of comparisons and the variables that expressions may name. Nil has none but those that every expression has.
	Scope *expression.Scope
	// Source is the name of the first stage when the caller runs that one itself, as with "$changeStream": Compile then takes
	// the stages behind it, and only those that may follow it. Empty means that the documents come from a collection.
	Source string
	// DB and Coll name the collection that the pipeline runs on; Coll is empty for {aggregate: 1}.
	DB, Coll string
	// Transaction says that the pipeline runs within a transaction of several commands.
	Transaction bool
	// Environment is how stages reach other collections. Without one a pipeline can be checked, and run if it has no such stage.
	Environment Environment
	// Memory bounds what a stage that collects documents may hold, in bytes; 0 means 100 MB, as in MongoDB.
	Memory int
	// Unfolded leaves it to the evaluation to find what is wrong with constants, as MongoDB does in updates.
	Unfolded bool
}

const (
	// maxStages is how many stages a pipeline may have.
	maxStages = 1000
	// maxNesting is how deeply pipelines may stand within stages of others.
	maxNesting = 20
	// defaultMemory is how much a stage that collects documents may hold, in bytes.
	defaultMemory = 100 << 20
	// SortMemory is how much a sort may hold, in bytes.
	SortMemory = defaultMemory
)

// compiler is what the stages' compile functions get.
type compiler struct {
	scope *expression.Scope
	opts  Options
	depth int        // of pipelines around this one, those of $facet not counted
	vars  []variable // that stages around the pipeline set
}

// variable is one that a stage sets for the pipeline within it.
type variable struct {
	name string
	slot expression.Slot
}

// varies reports whether a part of the pipeline may give something else when it runs again: it names a variable of a stage around
// it, or chance. It looks at the text alone, so that some parts are said to vary that do not.
func (c *compiler) varies(v bsonraw.Value) bool {
	for _, name := range [...]string{"$rand", "$sample"} {
		if bytes.Contains(v.Data, []byte(name)) {
			return true
		}
	}
	return slices.ContainsFunc(c.vars, func(x variable) bool {
		return x.name == "CURRENT" || bytes.Contains(v.Data, []byte("$$"+x.name))
	})
}

// FirstStage returns the first stage's name and argument, so that a caller can tell who gives the pipeline its documents. Both
// are empty for an empty pipeline. Errors are those that Compile gives for the stage's form.
func FirstStage(pipeline bsonraw.Doc) (name string, argument bsonraw.Value, err error) {
	it := pipeline.Iter()
	if !it.Next() {
		return "", bsonraw.Value{}, nil
	}
	return splitStage(it.Value())
}

func splitStage(v bsonraw.Value) (name string, argument bsonraw.Value, err error) {
	if v.Type != bsonraw.TypeDocument {
		return "", argument, mongoerr.New(mongoerr.TypeMismatch, "Each element of the 'pipeline' array must be an object")
	}
	it := v.Doc().Iter()
	if !it.Next() {
		return "", argument, errOneField
	}
	name, argument = string(it.Key()), it.Value()
	if it.Next() {
		return "", argument, errOneField
	}
	return name, argument, nil
}

var errOneField = mongoerr.New(40323, "A pipeline stage specification object must contain exactly one field.")

// CheckNames reports a stage without a form or a name of MongoDB's, and nothing else: what a command knows of a pipeline before it
// compiles it.
func CheckNames(pipeline bsonraw.Doc) error {
	for it := pipeline.Iter(); it.Next(); {
		name, _, err := splitStage(it.Value())
		if err != nil {
			return err
		}
		if _, exists := stages[name]; !exists {
			return errUnknownStage(name)
		}
	}
	return nil
}

func errUnknownStage(name string) error {
	return mongoerr.New(40324, "Unrecognized pipeline stage name: '%s'", name)
}

// Compile reads the stages of a pipeline, given as an array. Errors carry MongoDB's codes: 40324 for a stage that does not
// exist, 40602 and 40601 for one in the wrong place, CommandNotSupported for one that MongoDB has and this server does not.
func Compile(pipeline bsonraw.Doc, opts Options) (*Pipeline, error) {
	p, err := parse(pipeline, opts)
	if err != nil {
		return nil, err
	}
	if opts.Unfolded {
		err = p.arrange()
	} else {
		err = p.optimize()
	}
	dropLastPlaces(p)
	return p, err
}

// Check reports what is wrong in the form of a pipeline, as Compile does, but not what evaluating its constant parts gives: so
// MongoDB checks what it keeps for later.
func Check(pipeline bsonraw.Doc, opts Options) error {
	_, err := parse(pipeline, opts)
	return err
}

// parse reads the stages; optimize completes the pipeline. They are apart because MongoDB tells of what is wrong in the form of any
// stage first, those of pipelines within stages included.
func parse(pipeline bsonraw.Doc, opts Options) (*Pipeline, error) {
	c := &compiler{scope: opts.Scope, opts: opts}
	return c.parse(pipeline)
}

// parse reads a pipeline.
func (c *compiler) parse(pipeline bsonraw.Doc) (*Pipeline, error) {
	if n := pipeline.Len(); n > maxStages {
		return nil, mongoerr.New(mongoerr.FailedToParse, "Pipeline length must be no longer than %d stages", maxStages)
	}
	opts := c.opts
	p := &Pipeline{frame: frame{memory: opts.Memory, places: true}, scope: c.scope, vars: c.vars}
	if p.frame.memory <= 0 {
		p.frame.memory = defaultMemory
	}
	var names []string
	rest := 0 // the first stage that is compiled here
	if opts.Source != "" {
		rest = 1
	}
	for it := pipeline.Iter(); it.Next(); {
		name, argument, err := splitStage(it.Value())
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		if len(names) == 1 && rest == 1 {
			if name != opts.Source {
				return nil, mongoerr.New(mongoerr.InternalError, "compile a pipeline that begins with %s: its source is said to be %s", name, opts.Source)
			}
			continue
		}
		compiled, err := c.stage(name, argument, opts.Source == changeStream)
		if err != nil {
			return nil, err
		}
		p.stages = append(p.stages, compiled...)
		if c.varies(it.Value()) {
			p.vary(compiled...)
		}
	}
	if err := checkPlaces(names, rest, &opts); err != nil {
		return nil, err
	}
	if len(names) > 0 && names[0] == "$documents" && c.depth == 0 && opts.Coll != "" {
		return nil, mongoerr.New(mongoerr.InvalidNamespace, "'$documents' can only be run with {aggregate: 1}")
	}
	return p, nil
}

// optimize evaluates what no document changes, and brings the stages into the order in which they run.
func (p *Pipeline) optimize() error {
	for _, s := range p.stages {
		if err := s.optimize(); err != nil {
			return mongoerr.From(err).Prefix("Failed to optimize pipeline :: caused by :: ")
		}
	}
	return p.arrange()
}

// facet returns the compiler of a pipeline within $facet, which sees what the stage itself sees.
func (c *compiler) facet() *compiler {
	inner := *c
	inner.opts.Source = ""
	return &inner
}

// within returns the compiler of a pipeline within a stage, whose documents come from a collection.
func (c *compiler) within(scope *expression.Scope, coll string) (*compiler, error) {
	inner := &compiler{scope: scope, opts: c.opts, depth: c.depth + 1, vars: c.vars}
	inner.opts.Source, inner.opts.Coll = "", coll
	if inner.depth > maxNesting {
		return nil, mongoerr.New(mongoerr.MaxSubPipelineDepthExceeded, "Maximum number of nested sub-pipelines exceeded. Limit is %d", maxNesting)
	}
	return inner, nil
}

// stage compiles one stage; it gives none for one that is out of place, of which checkPlaces tells after all others are read.
func (c *compiler) stage(name string, argument bsonraw.Value, inChangeStream bool) ([]stage, error) {
	d, ok := stages[name]
	switch {
	case !ok:
		return nil, errUnknownStage(name)
	case d.expand != nil:
		return d.expand(c, argument)
	case d.compile != nil:
		s, err := d.compile(c, name, argument)
		return []stage{s}, err
	case inChangeStream || d.position == first:
		return nil, nil
	}
	return nil, errNotSupported(name)
}

// atlasStages are those of Atlas Search, which no server has of itself.
var atlasStages = map[string]bool{"$listSearchIndexes": true, "$search": true, "$searchMeta": true, "$vectorSearch": true}

func errNotSupported(name string) error {
	if atlasStages[name] {
		return mongoerr.New(mongoerr.SearchNotEnabled, "%s is a stage of Atlas Search, which this server does not have", name)
	}
	return mongoerr.New(mongoerr.CommandNotSupported, "Pipeline stage %s is not supported by this server", name)
}

const (
	changeStream    = "$changeStream"
	splitLargeEvent = "$changeStreamSplitLargeEvent"
)

// notInTransactions are the stages that do not read a transaction's snapshot, or that MongoDB keeps out of transactions though they
// could. $out and $merge tell of it before the places of stages are looked at.
var notInTransactions = map[string]bool{"$collStats": true, "$indexStats": true, "$listSessions": true, "$unionWith": true}

// errWritesInTransaction is the error of a stage that writes.
func errWritesInTransaction(name string) error {
	return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "%s cannot be used in a transaction", name)
}

// checkPlaces holds the stages, from the one at position from, to the places that the table gives them.
func checkPlaces(names []string, from int, opts *Options) error {
	inChangeStream := opts.Source == changeStream
	for i := from; i < len(names); i++ {
		name := names[i]
		d := stages[name]
		switch {
		case inChangeStream && !d.changeStream:
			return mongoerr.New(mongoerr.IllegalOperation, "%s is not permitted in a $changeStream pipeline", name)
		case d.position == first && i > 0:
			return mongoerr.New(40602, "%s is only valid as the first stage in a pipeline", name)
		case d.position == first && d.compile == nil:
			return errNotSupported(name)
		case d.position == last && i < len(names)-1:
			return mongoerr.New(40601, "%s can only be the final stage in the pipeline", name)
		case name == splitLargeEvent && !inChangeStream:
			return mongoerr.New(mongoerr.IllegalOperation, "%s can only be used in a $changeStream pipeline", name)
		case name == splitLargeEvent && i < len(names)-1:
			return mongoerr.New(7182802, "%s must be the last stage in the pipeline", name)
		case opts.Transaction && notInTransactions[name]:
			return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Stage not supported inside of a multi-document transaction: %s", name)
		}
	}
	return nil
}
