package plan

import (
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/store"
)

// Plan is a way to the documents of one collection that match a filter.
type Plan struct {
	Collection *store.Collection
	Index      *store.Index // nil: all documents are scanned
	Sorted     bool         // documents come in the order that was asked for
	Reverse    bool

	filter *filter.Filter
	ranges []store.Range
	point  []byte // the one _id, as a key; nil for other plans
	points int    // how many leading fields are fixed to single values; for the choice between plans
	bound  int    // how many leading fields are bounded at all
}

// maxRanges bounds the product of the values of several $in conditions. Beyond it fewer fields are used.
const maxRanges = 1000

// Choose picks the plan for a filter and an order, which may be nil. A hint, also optional, is the index to use.
func Choose(c *store.Collection, f *filter.Filter, sort *ordering.Ordering, hint *store.Index) *Plan {
	conditions := byPath(f)
	best := &Plan{Collection: c, filter: f, Sorted: sort == nil}
	for _, x := range c.Indexes {
		if hint != nil && x != hint {
			continue
		}
		p := forIndex(c, x, f, conditions, sort)
		if hint != nil || p.better(best) {
			best = p
		}
	}
	return best
}

// Scan is the plan that looks at all documents, in their natural order or backwards.
func Scan(c *store.Collection, f *filter.Filter, reverse bool) *Plan {
	return &Plan{Collection: c, filter: f, Sorted: true, Reverse: reverse}
}

// better says which of two plans is likely to look at fewer documents. More fixed fields count first, then an order that
// saves a sort, then any bound at all.
func (p *Plan) better(q *Plan) bool {
	if p.point != nil || q.point != nil {
		return q.point == nil
	}
	if p.points != q.points {
		return p.points > q.points
	}
	if p.bound != q.bound && (p.Sorted == q.Sorted || p.bound == 0 || q.bound == 0 && q.Index != nil) {
		return p.bound > q.bound
	}
	if p.Sorted != q.Sorted {
		return p.Sorted
	}
	return p.bound > q.bound
}

// forIndex makes the plan that uses an index as far as it goes.
func forIndex(c *store.Collection, x *store.Index, f *filter.Filter, conditions predicates, sort *ordering.Ordering) *Plan {
	p := &Plan{Collection: c, Index: x, filter: f}
	prefixes := []interval{{}}
	multikeySeen := false
	for i, field := range x.Fields {
		multikey := x.Multikey(i)
		if multikey && multikeySeen {
			break // two fields may have met the same array, and each condition another element of it
		}
		list, ok := intervals(conditions[field.Path], multikey, x.Sparse)
		if !ok || len(list)*len(prefixes) > maxRanges {
			break
		}
		multikeySeen = multikeySeen || multikey
		points := allPoints(list)
		if field.Descending {
			list = flip(list)
		}
		prefixes = extend(prefixes, list)
		p.bound++
		if !points {
			break
		}
		p.points++
	}
	if p.bound > 0 {
		for _, i := range prefixes {
			p.ranges = append(p.ranges, store.Range{From: i.from, To: i.to})
		}
		if x.IsID() && p.points == 1 && len(prefixes) == 1 {
			p.point = prefixes[0].from
		}
	} else {
		p.ranges = []store.Range{{}}
	}
	p.order(sort, len(prefixes))
	if p.bound == 0 && (x.Sparse || !p.Sorted || sort == nil) {
		// It would walk the whole index for nothing, or miss documents that have no entry.
		return &Plan{Collection: c, filter: f, Sorted: sort == nil}
	}
	return p
}

// extend multiplies prefixes by the ranges of the next field. All prefixes are points.
func extend(prefixes, list []interval) []interval {
	out := make([]interval, 0, len(prefixes)*len(list))
	for _, p := range prefixes {
		for _, i := range list {
			out = append(out, interval{from: concat(p.from, i.from), to: concat(p.from, i.to), point: i.point})
		}
	}
	return out
}

func concat(a, b []byte) []byte {
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}

// order finds out whether the index gives the order that is asked for, forwards or backwards. Fields that are fixed to one
// value do not matter for the order.
func (p *Plan) order(sort *ordering.Ordering, ranges int) {
	if sort == nil || p.point != nil {
		p.Sorted = true
		return
	}
	if sort.Collated() {
		return // an index orders strings by their bytes
	}
	fixed := 0
	if ranges == 1 {
		fixed = p.points
	}
	next, direction := 0, 0
	isFixed := map[string]bool{}
	for ; next < fixed; next++ {
		isFixed[p.Index.Fields[next].Path] = true
	}
	for _, want := range sort.Fields() {
		if isFixed[want.Path] {
			continue
		}
		if next == len(p.Index.Fields) || p.Index.Fields[next].Path != want.Path || p.Index.Multikey(next) {
			return
		}
		d := 1
		if p.Index.Fields[next].Descending != want.Descending {
			d = -1
		}
		if direction != 0 && d != direction {
			return
		}
		direction = d
		next++
	}
	p.Sorted, p.Reverse = true, direction < 0
}
