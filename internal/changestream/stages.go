package changestream

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

const stageName = "$changeStream"

// stages are the stages behind $changeStream, in three parts, each nil when it has none. What a stage does with events decides
// where it runs, and that shows: in what is looked up, and in whether the event that a stream resumes from is found.
type stages struct {
	early *aggregation.Pipeline // filters that do not look at images: they run before images are looked up
	front *aggregation.Pipeline // what runs before the search for the event that the stream resumes from
	rest  *aggregation.Pipeline // what runs after it: $redact and all behind it
	split bool                  // $changeStreamSplitLargeEvent
}

func (p *stages) empty() bool { return p.early == nil && p.front == nil && p.rest == nil }

// compileStages compiles the stages behind the first.
func compileStages(pipeline bsonraw.Doc, scope *expression.Scope, images bool) (p stages, err error) {
	options := aggregation.Options{Scope: scope, Source: stageName}
	// All of them together first: errors are those of the whole.
	whole, err := aggregation.Compile(pipeline, options)
	if err != nil {
		return p, err
	}
	p.split = whole.SplitsLargeEvents()
	parts := splitStages(pipeline, images)
	for i, at := range [...]**aggregation.Pipeline{&p.early, &p.front, &p.rest} {
		if parts[i].Len() == 1 {
			continue
		}
		if *at, err = aggregation.Compile(parts[i].End(), options); err != nil {
			return p, err
		}
	}
	return p, nil
}

// splitStages sorts the stages behind the first into early, front and rest, each with the first before them.
func splitStages(pipeline bsonraw.Doc, images bool) (parts [3]bsonraw.ArrayBuilder) {
	const early, front, rest = 0, 1, 2
	it := pipeline.Iter()
	it.Next()
	for i := range parts {
		parts[i] = bsonraw.BeginArray(nil)
		parts[i].Append(it.Value())
	}
	part := front
	if images {
		part = early
	}
	for it.Next() {
		stage := it.Value().Doc().Iter()
		stage.Next()
		name := string(stage.Key())
		if part == early && (name != "$match" || looksAtImages(stage.Value())) {
			part = front
		}
		if name == "$redact" {
			part = rest
		}
		parts[part].Append(it.Value())
	}
	return parts
}

// looksAtImages reports whether a stage may see fullDocument or fullDocumentBeforeChange. It errs on the safe side.
func looksAtImages(v bsonraw.Value) bool {
	for _, name := range [...]string{"fullDocument", "$$ROOT", "$$CURRENT"} {
		if bytes.Contains(v.Data, []byte(name)) {
			return true
		}
	}
	return false
}
