package plan

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/store"
)

// scan is a way to documents by one index, or through all documents of a collection.
type scan struct {
	index   *store.Index // nil: all documents
	fields  []field      // by field of the index
	ranges  []keyRange   // in order and apart
	reverse bool
	points  int     // how many leading fields are fixed to points
	bound   int     // how many leading fields are bounded
	cost    float64 // an estimate, to compare: the share of all documents that is looked at
}

// keyRange is a range of an index's entries, made of one interval of each of the leading fields that are bounded.
type keyRange struct {
	store.Range
	parts []interval
}

// maxRanges bounds the product of the points of several fields. Beyond it fewer fields are used.
const maxRanges = 1000

// query is what a choice is made for: the conjunction of a filter, or of a branch of it.
type query struct {
	*Query
	conjunction *filter.Conjunction
	byPath      map[string][]filter.Predicate
}

func newQuery(q *Query, c *filter.Conjunction) *query {
	out := &query{Query: q, conjunction: c, byPath: make(map[string][]filter.Predicate, len(c.Predicates))}
	for _, p := range c.Predicates {
		out.byPath[p.Path] = append(out.byPath[p.Path], p)
	}
	return out
}

// scan makes the scan of an index as far as it narrows what is looked at; nil where the index might lack documents that match. A
// hint has its index all the same.
func (q *query) scan(x *store.Index) *scan {
	hinted := q.Hint.Index == x.Whole()
	rules := RulesOf(x)
	isPart := x.Whole() != x
	if isPart && !q.present(x) || !hinted && (x.Hidden || x.Sparse && !q.present(x) || rules.Partial != nil && !q.conjunction.Implies(rules.Partial)) {
		return nil
	}
	s := &scan{index: x, ranges: []keyRange{{}}, cost: 1}
	reader := fieldReader{index: x, by: rules.Collation, byPath: q.byPath}
	leading := true // the fields before are points, so that a range goes on within them
	for i, of := range x.Fields {
		if isPart && i == 0 {
			s.atPath()
			continue
		}
		f := reader.read(i)
		if isPart && !(f.bounded && indexedByWildcard(f.list)) {
			return nil
		}
		s.fields = append(s.fields, f)
		if !leading || !f.bounded || len(s.ranges) > 1 && len(f.list)*len(s.ranges) > maxRanges {
			leading = false
			continue
		}
		s.extend(f.list, of.Descending)
		s.cost *= share(f.list)
		if s.bound++; allPoints(f.list) {
			s.points++
		} else {
			leading = false
		}
	}
	if x.Unique && s.points == len(x.Fields) {
		s.cost = uniqueShare * float64(len(s.ranges))
	}
	s.cost *= 1 + fieldCost*float64(len(x.Fields)-s.bound)
	return s
}

const (
	uniqueShare = 0.0001 // what one entry is of an index
	fieldCost   = 0.001  // of a field that does not help: it makes entries longer
)

// present reports whether each document that matches has one of the index's fields.
func (q *query) present(x *store.Index) bool {
	return slices.ContainsFunc(x.Fields, func(f store.IndexField) bool {
		return slices.ContainsFunc(q.byPath[f.Path], func(p filter.Predicate) bool { return !p.MatchesMissing })
	})
}

// extend multiplies the ranges, which are points, by the intervals of the next field.
func (s *scan) extend(list []interval, descending bool) {
	keyed := list
	if descending {
		keyed = flip(list)
	}
	out := make([]keyRange, 0, len(s.ranges)*len(list))
	for _, r := range s.ranges {
		for i, next := range keyed {
			if descending {
				i = len(list) - 1 - i
			}
			out = append(out, keyRange{
				Range: store.Range{From: concat(r.From, next.from), To: concat(r.From, next.to)},
				parts: append(slices.Clip(r.parts), list[i]),
			})
		}
	}
	s.ranges = out
}

// single reports whether the i-th field of the index is fixed to one value in all ranges.
func (s *scan) single(i int) bool { return i < s.points && len(s.fields[i].list) == 1 }

// isMultikey reports whether parts of a field's path have led to arrays.
func (s *scan) isMultikey(i int) bool { return s.index.Arrays(i) != 0 }

// gives finds out whether the scan gives an order by itself, forwards or backwards. Fields that are fixed to one value do not
// matter for it. Of a document with several entries the first that is met counts, which is the one that it is sorted by if none
// is left out.
func (s *scan) gives(order *ordering.Ordering) (reverse, ok bool) {
	if !order.Collation().Same(RulesOf(s.index).Collation) {
		return false, false
	}
	next, direction := 0, 0
	for _, want := range order.Fields() {
		if s.fixes(want.Path) {
			continue
		}
		for s.single(next) {
			next++
		}
		if next == len(s.index.Fields) || s.index.Fields[next].Path != want.Path || !s.sortable(next) {
			return false, false
		}
		d := turn(s.index.Fields[next], want)
		if direction != 0 && d != direction {
			return false, false
		}
		direction = d
		next++
	}
	return direction < 0, true
}

// fixes reports whether the field with that path has one value only, in every document.
func (s *scan) fixes(path string) bool {
	for i, f := range s.index.Fields {
		if f.Path == path {
			return s.single(i) && !s.isMultikey(i)
		}
	}
	return false
}

// sortable reports whether documents can be sorted by the order of entries in the i-th field: it has no arrays, or no entry is
// left out.
func (s *scan) sortable(i int) bool {
	if !s.isMultikey(i) {
		return true
	}
	for j := range min(i+1, s.bound) {
		if s.isMultikey(j) || j == i {
			return false
		}
	}
	return true
}

// turn is 1 where a field of an index has the direction that is wanted, and -1 where it is the opposite.
func turn(f store.IndexField, want ordering.Field) int {
	if f.Descending == want.Descending {
		return 1
	}
	return -1
}

// same reports whether two scans look at the same documents in the same order.
func (s *scan) same(t *scan) bool {
	return s.index.Whole() == t.index.Whole() && s.reverse == t.reverse && slices.EqualFunc(s.ranges, t.ranges, func(a, b keyRange) bool {
		return bytes.Equal(a.From, b.From) && bytes.Equal(a.To, b.To)
	})
}
