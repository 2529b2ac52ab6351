package changestream

import (
	"bytes"
	"strings"

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

// compileStages compiles the stages behind the first, of which lookedUp says which fields it fills.
func compileStages(pipeline bsonraw.Doc, scope *expression.Scope, lookedUp map[string]bool) (p stages, err error) {
	images := func(condition bsonraw.Doc) bool { return !looksAt(condition, lookedUp) }
	early, behind, err := aggregation.CompileBehind(pipeline, aggregation.Options{Scope: scope, Source: stageName}, images)
	if err != nil {
		return p, err
	}
	p.early = early
	if behind != nil {
		p.split = behind.SplitsLargeEvents()
		p.front, p.rest = behind.Cut("$redact")
	}
	return p, nil
}

// lookedUp returns the fields that images are put into.
func (s *Spec) lookedUp() map[string]bool {
	return map[string]bool{"fullDocument": s.fullDocument != imageOff, "fullDocumentBeforeChange": s.beforeChange != imageOff}
}

// looksAt reports whether a filter may see one of some fields.
func looksAt(filter bsonraw.Doc, fields map[string]bool) bool {
	for it := filter.Iter(); it.Next(); {
		key := string(it.Key())
		switch {
		case key == "$and" || key == "$or" || key == "$nor":
			for branch := it.Value().Doc().Iter(); branch.Next(); {
				if looksAt(branch.Value().Doc(), fields) {
					return true
				}
			}
		case key[:min(1, len(key))] == "$":
			if names(it.Value(), fields) {
				return true
			}
		default:
			// Conditions on whole arrays MongoDB does not move.
			data := it.Value().Data
			if field, _, _ := strings.Cut(key, "."); fields[field] || contains(data, "$elemMatch\x00") || contains(data, "$size\x00") {
				return true
			}
		}
	}
	return false
}

// names reports whether an expression or a schema may name one of some fields.
func names(v bsonraw.Value, fields map[string]bool) bool {
	for field, wanted := range fields {
		if wanted && (contains(v.Data, field) || contains(v.Data, "$$ROOT\x00") || contains(v.Data, "$$CURRENT\x00")) {
			return true
		}
	}
	return false
}

func contains(data []byte, text string) bool { return bytes.Contains(data, []byte(text)) }
