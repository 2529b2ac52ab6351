package plan

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/store"
)

// Stage is a step of a plan, as explain shows it.
type Stage struct {
	Name     string
	Filter   bsonraw.Doc // what documents are tested against; nil: nothing
	Fields   []byte      // elements that say what the stage does
	Counters []byte      // elements that say what it has done
	Inputs   []*Stage

	Returned int64 // documents or entries that it gave
	Works    int64 // steps that it took
	Ended    bool  // nothing more would come
}

// NewStage makes a stage on others. What it has done is for the caller to add.
func NewStage(name string, inputs ...*Stage) *Stage { return &Stage{Name: name, Inputs: inputs} }

// Examined returns how many entries and documents were looked at in a walk.
func (w *Walk) Examined() (keys, docs int64) {
	if w.plan.kind == pointRead {
		return w.docs, w.docs
	}
	for _, s := range w.all {
		if s.scan.index != nil {
			keys += int64(s.keys)
		}
	}
	return keys, w.docs
}

// Matched returns how many documents a walk gave.
func (w *Walk) Matched() int64 { return w.matched }

// Plan returns the plan that is walked.
func (w *Walk) Plan() *Plan { return w.plan }

// Collection returns the collection that is walked.
func (w *Walk) Collection() *store.Collection { return w.plan.Collection }

// Explain returns the stages of the plan, and what they have done so far.
func (w *Walk) Explain() *Stage {
	p := w.plan
	switch p.kind {
	case nothing:
		return w.ending(NewStage("EOF"), 0, 0)
	case pointRead:
		return w.explainPoint()
	case scanAll:
		s := w.ending(NewStage("COLLSCAN"), w.matched, w.docs)
		s.Filter = shown(p.filter, nil)
		s.Fields = appendDirection(nil, p.branches[0].scan.reverse)
		s.Counters = bsonraw.AppendInt32(nil, "docsExamined", int32(w.docs))
		return s
	case oneScan:
		if x := p.branches[0].scan.index; x.Clustered {
			s := w.ending(NewStage("CLUSTERED_IXSCAN"), w.matched, w.docs)
			s.Filter = shown(p.filter, nil)
			s.Fields = appendDirection(nil, p.branches[0].scan.reverse)
			s.Counters = bsonraw.AppendInt32(nil, "docsExamined", int32(w.docs))
			return s
		}
		return w.fetch(w.scanStage(0), p.branches[0].scan.covered())
	case merge:
		joined := w.join("SORT_MERGE")
		joined.Fields = bsonraw.AppendDoc(nil, "sortPattern", pattern(p.order))
		return w.fetch(joined, w.mergeCovered())
	}
	return w.fetch(w.join("OR"), nil)
}

// ending fills in what a stage has done that looks at things one by one.
func (w *Walk) ending(s *Stage, returned, looks int64) *Stage {
	s.Returned, s.Works, s.Ended = returned, looks+1, w.ended
	return s
}

// explainPoint shows the look at one document: IDHACK where nothing else is asked of it.
func (w *Walk) explainPoint() *Stage {
	id, _ := w.plan.filter.ID()
	covered := w.plan.filter.Conjunction().Predicates
	covered = slices.DeleteFunc(covered, func(p filter.Predicate) bool { return !p.Is("_id", id) })
	if shown(w.plan.filter, covered) == nil {
		s := w.ending(NewStage("IDHACK"), w.matched, w.docs)
		s.Counters = bsonraw.AppendInt32(nil, "keysExamined", int32(w.docs))
		s.Counters = bsonraw.AppendInt32(s.Counters, "docsExamined", int32(w.docs))
		return s
	}
	x := w.plan.Collection.Indexes[0]
	of := &scan{index: x, bound: 1, points: 1, fields: []field{{list: []interval{newInterval(filter.Range{Low: id, High: id}, RulesOf(x).Collation)}, bounded: true}}}
	s := w.ending(NewStage("IXSCAN"), w.docs, w.docs)
	s.Fields, s.Counters = of.describe(nil), scanCounters(w.docs)
	return w.fetch(s, covered)
}

// fetch is the stage that gets documents and tests them against what entries do not tell.
func (w *Walk) fetch(input *Stage, covered []filter.Predicate) *Stage {
	s := w.ending(NewStage("FETCH", input), w.matched, input.Works-1)
	s.Filter = shown(w.plan.filter, covered)
	s.Counters = bsonraw.AppendInt32(nil, "docsExamined", int32(w.docs))
	s.Counters = bsonraw.AppendInt32(s.Counters, "alreadyHasObj", 0)
	return s
}

// join is the stage that takes several scans together, each document once.
func (w *Walk) join(name string) *Stage {
	s := NewStage(name)
	for i := range w.all {
		s.Inputs = append(s.Inputs, w.scanStage(i))
		s.Works += s.Inputs[i].Works
	}
	s.Returned, s.Ended = w.docs, w.ended
	s.Counters = bsonraw.AppendInt64(nil, "dupsTested", w.docs+w.repeats)
	s.Counters = bsonraw.AppendInt64(s.Counters, "dupsDropped", w.repeats)
	return s
}

// scanStage is the scan of one stream.
func (w *Walk) scanStage(i int) *Stage {
	of := w.all[i]
	s := w.ending(NewStage("IXSCAN"), int64(of.keys), int64(of.keys))
	var at *keyRange
	if w.plan.kind == merge {
		at = &of.at
	}
	s.Fields, s.Counters = of.scan.describe(at), scanCounters(int64(of.keys))
	return s
}

func scanCounters(keys int64) []byte {
	c := bsonraw.AppendInt32(nil, "keysExamined", int32(keys))
	c = bsonraw.AppendInt32(c, "seeks", 1)
	c = bsonraw.AppendInt32(c, "dupsTested", 0)
	return bsonraw.AppendInt32(c, "dupsDropped", 0)
}

// shown is what is left of a filter when some of its conditions are known to hold; nil for nothing.
func shown(f *filter.Filter, covered []filter.Predicate) bsonraw.Doc {
	if f.IsEmpty() {
		return nil
	}
	return f.Without(covered)
}

// covered returns the conditions that hold for whatever the scan finds.
func (s *scan) covered() []filter.Predicate {
	var list []filter.Predicate
	for i, f := range s.fields[:min(s.bound, len(s.fields))] {
		for _, p := range f.used {
			if p.Exact && !s.isMultikey(i) {
				list = append(list, p)
			}
		}
	}
	return list
}

// mergeCovered returns those conditions for a merge, whose branches may come from different members of an $or.
func (w *Walk) mergeCovered() []filter.Predicate {
	first := w.plan.branches[0].scan
	if slices.ContainsFunc(w.plan.branches, func(b branch) bool { return !b.scan.same(first) }) {
		return nil
	}
	return first.covered()
}

// describe renders a scan: its index and the bounds of each field, in the direction of the walk; at is the range that is walked, nil
// for all.
func (s *scan) describe(at *keyRange) []byte {
	x := s.index
	d := bsonraw.AppendDoc(nil, "keyPattern", x.Key)
	d = bsonraw.AppendString(d, "indexName", x.Name)
	d = bsonraw.AppendValue(d, "collation", x.Spec.Lookup("collation"))
	d = bsonraw.AppendBool(d, "isMultiKey", x.Multikey())
	d, paths := bsonraw.BeginElem(d, bsonraw.TypeDocument, "multiKeyPaths")
	for i, f := range x.Fields {
		d = appendArrays(d, f.Path, x.Arrays(i))
	}
	d = bsonraw.EndDoc(d, paths)
	d = bsonraw.AppendBool(d, "isUnique", x.Unique)
	d = bsonraw.AppendBool(d, "isSparse", x.Sparse)
	d = bsonraw.AppendBool(d, "isPartial", RulesOf(x).Partial != nil)
	version, _ := x.Spec.Lookup("v").AsInt64()
	d = bsonraw.AppendInt32(d, "indexVersion", int32(version))
	d = appendDirection(d, s.reverse)
	d, bounds := bsonraw.BeginElem(d, bsonraw.TypeDocument, "indexBounds")
	for i, f := range x.Fields {
		d = bsonraw.AppendHeader(d, bsonraw.TypeArray, f.Path)
		list := bsonraw.BeginArray(d)
		for _, text := range s.boundTexts(i, at) {
			list.Append(bsonraw.StringValue(text))
		}
		d = list.End()
	}
	return bsonraw.EndDoc(d, bounds)
}

func appendDirection(d []byte, reverse bool) []byte {
	if reverse {
		return bsonraw.AppendString(d, "direction", "backward")
	}
	return bsonraw.AppendString(d, "direction", "forward")
}

// appendArrays lists which parts of a path have led to arrays.
func appendArrays(d []byte, path string, arrays uint64) []byte {
	d = bsonraw.AppendHeader(d, bsonraw.TypeArray, path)
	list := bsonraw.BeginArray(d)
	part := 0
	for end := range len(path) + 1 {
		if end < len(path) && path[end] != '.' {
			continue
		}
		if arrays>>min(part, lastPart)&1 != 0 {
			list.Append(bsonraw.StringValue(path[:end]))
		}
		part++
	}
	return list.End()
}

// boundTexts renders the bounds of the i-th field.
func (s *scan) boundTexts(i int, at *keyRange) []string {
	list := []interval{everything}
	switch {
	case at != nil && i < len(at.parts):
		list = at.parts[i : i+1]
	case i < s.bound && i < len(s.fields):
		list = s.fields[i].list
	}
	backwards := s.index.Fields[i].Descending != s.reverse
	texts := make([]string, 0, len(list))
	for _, one := range list {
		texts = append(texts, boundText(one.values, backwards))
	}
	if backwards {
		slices.Reverse(texts)
	}
	return texts
}

func boundText(r filter.Range, backwards bool) string {
	low, high, lowOut, highOut := r.Low, r.High, r.LowOut, r.HighOut
	if backwards {
		low, high, lowOut, highOut = high, low, highOut, lowOut
	}
	text := "["
	if lowOut {
		text = "("
	}
	text += low.Shell() + ", " + high.Shell()
	if highOut {
		return text + ")"
	}
	return text + "]"
}

// pattern renders an order.
func pattern(o *ordering.Ordering) bsonraw.Doc {
	d, at := bsonraw.BeginDoc(nil)
	for _, f := range o.Fields() {
		direction := int32(1)
		if f.Descending {
			direction = -1
		}
		d = bsonraw.AppendInt32(d, f.Path, direction)
	}
	return bsonraw.EndDoc(d, at)
}

// Pattern renders an order as a document.
func Pattern(o *ordering.Ordering) bsonraw.Doc { return pattern(o) }
