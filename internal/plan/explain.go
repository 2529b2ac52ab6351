package plan

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
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

// Explain returns the stages of the plan, and what they have done so far.
func (w *Walk) Explain() *Stage {
	s := told{w}.explain()
	if !w.plan.branchwise {
		return s
	}
	top := NewStage("SUBPLAN", s)
	top.Returned, top.Works, top.Ended = s.Returned, s.Works, s.Ended
	return top
}

// told is a walk of which stages are made.
type told struct{ *Walk }

func (w told) explain() *Stage {
	p := w.plan
	switch p.kind {
	case nothing:
		return w.ending(NewStage("EOF"), 0, 0)
	case pointRead:
		return w.point()
	case scanAll:
		s := w.ending(NewStage("COLLSCAN"), w.matched, w.docs)
		s.Filter = shown(p.filter, nil)
		s.Fields = appendDirection(nil, p.branches[0].scan.reverse)
		s.Counters = bsonraw.AppendInt(nil, "docsExamined", w.docs)
		return s
	case oneScan:
		if x := p.branches[0].scan.index; x.Clustered {
			list := p.branches[0].scan.fields[0].list
			if len(list) == 0 { // nothing satisfies the conditions
				return w.ending(NewStage("EOF"), 0, 0)
			}
			return w.clustered(filter.Range{Low: list[0].values.Low, High: list[len(list)-1].values.High})
		}
		return w.fetch(w.scanStage(0), w.covered())
	case merge:
		joined := w.join("SORT_MERGE")
		joined.Fields = bsonraw.AppendDoc(nil, "sortPattern", pattern(p.order))
		return w.fetch(joined, w.covered())
	}
	return w.fetch(w.join("OR"), w.covered())
}

// ending fills in what a stage has done that looks at things one by one.
func (w told) ending(s *Stage, returned, looks int64) *Stage {
	s.Returned, s.Works, s.Ended = returned, looks+1, w.ended
	return s
}

// OnlyPoint reports whether the plan looks for one _id, and the query was written so that it asks for nothing else.
func (p *Plan) OnlyPoint() bool { return p.only }

// ofID returns the conditions of a point read that the _id settles.
func (p *Plan) ofID() []filter.Predicate {
	id, _ := p.filter.ID()
	return slices.DeleteFunc(p.filter.Conjunction().Predicates, func(q filter.Predicate) bool { return !q.Is("_id", id) })
}

// point shows the look at one document: IDHACK where nothing else is asked of it.
func (w told) point() *Stage {
	id, _ := w.plan.filter.ID()
	covered := w.plan.ofID()
	if w.plan.Collection.Indexes[0].Clustered {
		return w.clustered(filter.Range{Low: id, High: id})
	}
	if w.plan.OnlyPoint() {
		s := w.ending(NewStage("IDHACK"), w.matched, w.docs)
		s.Counters = bsonraw.AppendInt(nil, "keysExamined", w.docs)
		s.Counters = bsonraw.AppendInt(s.Counters, "docsExamined", w.docs)
		return s
	}
	x := w.plan.Collection.Indexes[0]
	of := &scan{index: x, bound: 1, points: 1, fields: []field{{list: []interval{newInterval(filter.Range{Low: id, High: id}, RulesOf(x).Collation)}, bounded: true}}}
	s := w.ending(NewStage("IXSCAN"), w.docs, w.docs)
	s.Fields, s.Counters = of.describe(nil), scanCounters(w.docs)
	return w.fetch(s, covered)
}

// clustered is the stage that walks documents in the order of their _id.
func (w told) clustered(r filter.Range) *Stage {
	s := w.ending(NewStage("CLUSTERED_IXSCAN"), w.matched, w.docs)
	s.Filter = shown(w.plan.filter, nil)
	s.Fields = appendDirection(nil, len(w.plan.branches) > 0 && w.plan.branches[0].scan.reverse)
	if r.Low.Type != bsonraw.TypeMinKey {
		s.Fields = bsonraw.AppendValue(s.Fields, "minRecord", r.Low)
	}
	if r.High.Type != bsonraw.TypeMaxKey {
		s.Fields = bsonraw.AppendValue(s.Fields, "maxRecord", r.High)
	}
	s.Counters = bsonraw.AppendInt(nil, "docsExamined", w.docs)
	return s
}

// fetch is the stage that gets documents and tests them against what entries do not tell.
func (w told) fetch(input *Stage, covered []filter.Predicate) *Stage {
	s := w.ending(NewStage("FETCH", input), w.matched, input.Works-1)
	s.Filter = shown(w.plan.filter, covered)
	s.Counters = bsonraw.AppendInt(nil, "docsExamined", w.docs)
	s.Counters = bsonraw.AppendInt32(s.Counters, "alreadyHasObj", 0)
	return s
}

// join is the stage that takes several scans together, each document once.
func (w told) join(name string) *Stage {
	s := NewStage(name)
	for i := range w.all {
		s.Inputs = append(s.Inputs, w.scanStage(i))
		s.Works += s.Inputs[i].Works
	}
	s.Returned, s.Ended = w.docs, w.ended
	s.Counters = bsonraw.AppendInt(nil, "dupsTested", w.docs+w.repeats)
	s.Counters = bsonraw.AppendInt(s.Counters, "dupsDropped", w.repeats)
	return s
}

// scanStage is the scan of one stream.
func (w told) scanStage(i int) *Stage {
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
	c := bsonraw.AppendInt(nil, "keysExamined", keys)
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
			if p.Exact && (len(f.used) == 1 || !s.isMultikey(i)) {
				list = append(list, p)
			}
		}
	}
	return list
}

// covered returns the conditions that hold for whatever a walk's scans find: those of branches of an $or by their own scan, those
// beside it by each.
func (w told) covered() []filter.Predicate {
	var lists [][]filter.Predicate
	for _, b := range w.plan.branches {
		lists = append(lists, b.scan.covered())
	}
	beside := w.plan.filter.Conjunction().Predicates
	return slices.DeleteFunc(slices.Concat(lists...), func(p filter.Predicate) bool {
		return slices.ContainsFunc(beside, p.Says) && slices.ContainsFunc(lists, func(list []filter.Predicate) bool { return !slices.ContainsFunc(list, p.Says) })
	})
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
		if s.fields == nil { // it goes from one key to another
			break
		}
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
