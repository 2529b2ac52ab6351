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
	start(src Source, limits limits) Source
}

// limits bounds what the stages of a running pipeline may take.
type limits struct {
	memory int // of a stage that collects documents, in bytes
}
