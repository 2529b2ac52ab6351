package changestream

import (
	"bytes"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

const stageName = "$changeStream"

// stages are the stages behind $changeStream, in parts, each nil when it has none. What a stage does with events decides
// where it runs, and that shows: in what is looked up, and in whether the event that a stream resumes from is found.
type stages struct {
	early   *aggregation.Pipeline // filters that do not look at images: they run before images are looked up
	settled *aggregation.Pipeline // in its place for events that are no updates, and so have the fullDocument that they will have
	between *aggregation.Pipeline // filters on fullDocumentBeforeChange: they run before fullDocument is looked up
	front   *aggregation.Pipeline // what runs before the search for the event that the stream resumes from
	rest    *aggregation.Pipeline // what runs after it: $redact and all behind it
	asked   *prefilter            // what can be asked before an event is encoded; nil when there is nothing
	split   bool                  // $changeStreamSplitLargeEvent
	places  bool                  // a field that an event lacks may get a value: it matters where
}

func (p *stages) empty() bool {
	return p.early == nil && p.settled == nil && p.between == nil && p.front == nil && p.rest == nil
}

// first is what runs before the images of an event are looked up; c is nil for one that has none.
func (p *stages) first(c *change) *aggregation.Pipeline {
	if c != nil && c.kind != kindUpdate && p.settled != nil {
		return p.settled
	}
	return p.early
}

// compileStages compiles the stages behind the first.
func (s *Spec) compileStages(pipeline bsonraw.Doc, scope *expression.Scope) (p stages, err error) {
	options := aggregation.Options{Scope: scope, Source: stageName, DB: s.target.DB, Coll: s.target.Coll}
	before := fills(beforeChange, s.beforeChange)
	parts, err := aggregation.CompileBehind(pipeline, options, before, fills(fullDocument, s.fullDocument))
	if err != nil {
		return p, err
	}
	p.early, p.between = parts[0], parts[1]
	if s.beforeChange != imageOff {
		settled, err := aggregation.CompileBehind(pipeline, options, func(condition bsonraw.Doc) bool {
			return !looksAt(condition, beforeChange, fullDocument, "updateDescription") && (s.fullDocument == imageOff || !computes(condition, fullDocument))
		})
		if err != nil {
			return p, err
		}
		p.settled = settled[0]
	}
	if s.beforeChange == imageOff && s.fullDocument == imageOff { // else what an event shows is not known yet, or has to be missed first
		p.asked = compilePrefilter(pipeline, scope)
	}
	if behind := parts[2]; behind != nil {
		p.split, p.places = behind.SplitsLargeEvents(), aggregation.FillsPlaces(behind)
		p.front, p.rest = behind.Cut("$redact")
	}
	return p, nil
}

// The fields of images.
const (
	fullDocument = "fullDocument"
	beforeChange = "fullDocumentBeforeChange"
)

// fills is a look-up that fills a field of the event.
func fills(field string, how image) aggregation.Barrier {
	return func(condition bsonraw.Doc) bool { return how == imageOff || !looksAt(condition, field) }
}

// looksAt reports whether a filter may see a field of the event. Of conditions on whole arrays it says so always, but within
// those that are settled: what they hold is in the log, or they are not there, and then MongoDB asks all that is asked of them.
func looksAt(filter bsonraw.Doc, looked string, settled ...string) bool {
	for it := filter.Iter(); it.Next(); {
		key := string(it.Key())
		switch {
		case key == "$and" || key == "$or" || key == "$nor":
			for branch := it.Value().Doc().Iter(); branch.Next(); {
				if looksAt(branch.Value().Doc(), looked, settled...) {
					return true
				}
			}
		case key[:min(1, len(key))] == "$":
			if names(it.Value(), looked) {
				return true
			}
		default:
			// Conditions on whole arrays MongoDB does not move.
			data := it.Value().Data
			field, _, _ := strings.Cut(key, ".")
			if field == looked || !slices.Contains(settled, field) && (contains(data, "$elemMatch\x00") || contains(data, "$size\x00")) {
				return true
			}
		}
	}
	return false
}

// computes reports whether a filter has an expression that may name a field, beyond comparing parts of it with constants: that
// MongoDB does not ask of the log.
func computes(filter bsonraw.Doc, field string) bool {
	for it := filter.Iter(); it.Next(); {
		switch key, v := string(it.Key()), it.Value(); {
		case key == "$and" || key == "$or" || key == "$nor":
			for branch := v.Doc().Iter(); branch.Next(); {
				if computes(branch.Value().Doc(), field) {
					return true
				}
			}
		case key == "$expr" && names(v, field) && !comparesPath(v):
			return true
		}
	}
	return false
}

// comparesPath reports whether an expression compares a path with a constant.
func comparesPath(e bsonraw.Value) bool {
	if e.Type != bsonraw.TypeDocument {
		return false
	}
	it := e.Doc().Iter()
	if !it.Next() || !slices.Contains(comparisons, string(it.Key())) || it.Value().Type != bsonraw.TypeArray {
		return false
	}
	for args := it.Value().Doc().Iter(); args.Next(); {
		v := args.Value()
		if constant := !v.IsDoc() && v.Type != bsonraw.TypeArray && !(v.Type == bsonraw.TypeString && strings.HasPrefix(v.Str(), "$")); constant {
			return true
		}
	}
	return false
}

var comparisons = []string{"$eq", "$gt", "$gte", "$lt", "$lte"}

// names reports whether an expression or a schema may name a field.
func names(v bsonraw.Value, field string) bool {
	if contains(v.Data, "$$ROOT\x00") || contains(v.Data, "$$CURRENT\x00") {
		return true
	}
	for text := v.Data; ; {
		at := bytes.Index(text, []byte(field))
		if at < 0 {
			return false
		}
		text = text[at+len(field):]
		if len(text) == 0 || text[0] < 'A' || text[0] > 'z' { // else it is another field, whose name begins with this one's
			return true
		}
	}
}

func contains(data []byte, text string) bool { return bytes.Contains(data, []byte(text)) }
