package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// stage is a compiled stage. It is immutable once optimize has run; what changes while it runs is in the Source that start
// returns.
type stage interface {
	// name is the stage's name as the pipeline spells it.
	name() string
	// optimize evaluates what does not depend on a document.
	optimize() error
}

// transform is a stage that treats each document by itself. The result is valid until ctx.Reset, and as long as doc.
type transform interface {
	stage
	apply(ctx *expression.Context, doc bsonraw.Doc) (out bsonraw.Doc, keep bool, err error)
	// oneToOne reports whether every document gives one.
	oneToOne() bool
}

// sequence is a stage for which it matters which documents come before or after.
type sequence interface {
	stage
	// start returns the stage's output for the documents of src.
	start(src Source, f frame) Source
}

// origin is a stage that gives documents by itself: it comes first, and its pipeline reads no collection.
type origin interface {
	stage
	open(f frame) Source
}

// frame is what the stages of a running pipeline stand in.
type frame struct {
	memory int             // what a stage that collects documents may hold, in bytes
	vars   []bsonraw.Value // values of the variables that a stage around the pipeline sets, by slot
	places bool            // documents keep the places of fields that were taken away
}

// context returns the memory in which expressions of a stage run.
func (f frame) context() (ctx expression.Context) {
	for slot, v := range f.vars {
		ctx.Set(expression.Slot(slot), v)
	}
	if f.places {
		ctx.KeepPlaces()
	}
	return ctx
}
