package update

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/oplog"
)

// pipeline is an update by aggregation stages.
type pipeline struct {
	stages  *aggregation.Pipeline
	context expression.Context
}

// pipelineStages are the stages that an update may have: those that make one document of one.
var pipelineStages = map[string]bool{
	"$addFields": true, "$set": true, "$project": true, "$unset": true, "$replaceRoot": true, "$replaceWith": true,
}

func compilePipeline(stages bsonraw.Doc, opts Options) (*Update, error) {
	if opts.ArrayFilters != nil {
		return nil, mongoerr.New(mongoerr.FailedToParse, "arrayFilters may not be specified for pipeline-style updates")
	}
	compiled, err := aggregation.Compile(stages, aggregation.Options{Scope: opts.Scope, Unfolded: true})
	if err != nil && !mongoerr.Is(err, mongoerr.CommandNotSupported) { // what is not supported is not allowed here either
		return nil, err
	}
	// The names are read from the stages as given: compiling may leave out what has no effect.
	for it := stages.Iter(); it.Next(); {
		if stage := it.Value().Doc().Iter(); stage.Next() && !pipelineStages[string(stage.Key())] {
			return nil, mongoerr.New(mongoerr.InvalidOptions, "%s is not allowed to be used within an update", stage.Key())
		}
	}
	if err != nil {
		return nil, err
	}
	return &Update{pipeline: &pipeline{stages: compiled}}, nil
}

// transform runs the pipeline. What it changed is found by comparing the documents; where that does not pay, the new document
// is recorded as a replacement.
func (u *Update) transform(in Input) (Outcome, error) {
	p := u.pipeline
	p.context.Reset()
	doc, keep, err := p.stages.Apply(&p.context, in.Doc)
	if err != nil {
		return Outcome{}, err
	}
	if !keep {
		return Outcome{}, mongoerr.New(mongoerr.InternalError, "update by a pipeline: a stage dropped the document")
	}
	if doc, err = aggregation.Settle(&p.context, doc); err != nil {
		return Outcome{}, err
	}
	old := in.Doc.Lookup(idField)
	now := doc.Lookup(idField)
	if !old.IsMissing() {
		if err := checkSameID(old, now); err != nil {
			return Outcome{}, err
		}
	}
	full := doc
	if now.IsMissing() && !old.IsMissing() {
		u.out = withID(u.out[:0], old, doc)
		full = u.out
	}
	if err := checkResult(full, true); err != nil {
		return Outcome{}, err
	}
	if in.Insert {
		return u.inserted(full)
	}
	if string(doc) == string(in.Doc) {
		return Outcome{Doc: in.Doc, NoOp: true}, nil
	}
	// The diff leads to what the stages made, which may have lost its _id: MongoDB records it as removed, though it stays.
	var ok bool
	if u.diff, ok = oplog.Diff(u.diff[:0], in.Doc, doc); !ok {
		return Outcome{Doc: idFirst(full), Entry: full}, nil
	}
	u.entry = oplog.AppendEntry(u.entry[:0], u.diff)
	return Outcome{Doc: idFirst(full), Entry: u.entry}, nil
}
