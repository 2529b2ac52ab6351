package plan

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/store"
)

// Query is what a plan is wanted for.
type Query struct {
	Filter *filter.Filter
	Order  *ordering.Ordering // nil: any
	Limit  int64              // how many documents are wanted; 0: all
	Hint   Hint
	Bounds *Bounds // nil: none
	// Beyond says that more is asked for than what MongoDB looks up by an _id without a plan: documents are skipped, or told with
	// their place.
	Beyond bool
}

// Hint says which way must be taken. The zero Hint leaves it open.
type Hint struct {
	Index   *store.Index
	Natural int // 1 or -1: all documents are scanned, forwards or backwards
}

// Plan is a way to the documents of one collection that match a filter.
type Plan struct {
	Collection *store.Collection
	Sorted     bool // documents come in the order that was asked for

	filter   *filter.Filter
	kind     kind
	point    []byte   // of pointRead: the key of the one _id
	only     bool     // of pointRead: the query is {_id: <value>} and nothing else
	branches []branch // of the others: one, or those that are joined
	order    *ordering.Ordering

	branchwise bool // the filter is an $or, whose branches have been planned each by itself
	impossible bool // the index of the hint has nothing of what the filter asks for
}

// Err is why the plan cannot be followed: a walk fails with it. It is nil but for hints.
func (p *Plan) Err() error {
	if p.impossible {
		return errNoPlan
	}
	return nil
}

var errNoPlan = mongoerr.New(mongoerr.NoQueryExecutionPlans, "error processing query: planner returned error :: caused by :: No query solutions")

// kind is how a plan goes about it.
type kind uint8

const (
	scanAll   kind = iota // all documents
	nothing               // the filter takes none
	pointRead             // the one document with an _id
	oneScan               // the ranges of one index
	union                 // several scans, one after the other; each document once
	merge                 // several scans that each give the order, side by side
)

// Choose picks the plan for a query. It goes by rules alone: what is fixed to single values counts most, then an order that saves
// a sort, then ranges; all documents are scanned only where no index narrows that down or gives the order.
func Choose(c *store.Collection, q Query) *Plan {
	p := &Plan{Collection: c, filter: q.Filter, Sorted: q.Order == nil}
	if q.Filter.IsNever() {
		p.kind, p.Sorted = nothing, true
		return p
	}
	if c.Oplog {
		return q.onOplog(c)
	}
	if q.Bounds != nil {
		q.bounded(p)
		return p
	}
	if q.Hint.Natural != 0 {
		p.branches = []branch{{scan: &scan{ranges: []keyRange{{}}, reverse: q.Hint.Natural < 0}}}
		return p
	}
	if point, ok := q.appendPoint(nil, c); ok {
		p.kind, p.point, p.only = pointRead, point, q.asksOnlyID(c)
		p.Sorted = q.Order == nil || p.only
		return p
	}
	asked := newQuery(&q, q.Filter.Conjunction())
	best := asked.best(c)
	if best == nil {
		best = p
		p.branches = []branch{{scan: &scan{ranges: []keyRange{{}}}}}
		p.impossible = q.Hint.Index != nil && !asked.touches(q.Hint.Index)
	}
	best.Collection, best.filter, best.order = c, q.Filter, q.Order
	best.branchwise = q.Hint.Index == nil && q.Filter.IsDisjunction()
	return best
}

// AppendPoint appends the key of the one document that a query may find, where its filter demands an _id and no order is asked for: for
// the only document no plan need be made. ok is false for other queries.
func AppendPoint(dst []byte, c *store.Collection, q Query) (key []byte, ok bool) {
	if q.Order != nil || q.Bounds != nil || q.Hint.Natural != 0 || c.Oplog || q.Filter.IsNever() {
		return nil, false
	}
	return q.appendPoint(dst, c)
}

func (q *Query) appendPoint(dst []byte, c *store.Collection) (key []byte, ok bool) {
	id, ok := q.Filter.ID()
	if !ok || !q.readsPoint(c, id) {
		return nil, false
	}
	return c.AppendIDKey(dst, id), true
}

// asksOnlyID reports whether the query is {_id: <value>} and nothing else, which needs no order. Of any other MongoDB sorts even one
// document, and fails where that has no key to sort by.
func (q *Query) asksOnlyID(c *store.Collection) bool {
	own := c.Indexes[0]
	return q.Filter.IsPlainID() && q.Hint == Hint{} && !q.Beyond && !own.Clustered && q.Filter.Collation().Same(RulesOf(own).Collation)
}

// readsPoint reports whether the document with an _id is found by its key: strings must compare as in the collection's keys.
func (q *Query) readsPoint(c *store.Collection, id bsonraw.Value) bool {
	if c.Series != nil || q.Hint.Index != nil && !q.Hint.Index.IsID() {
		return false
	}
	return !collation.HoldsText(id) || q.Filter.Collation().Same(RulesOf(c.Indexes[0]).Collation)
}

// Indexes returns the indexes that the plan reads, each once.
func (p *Plan) Indexes() []*store.Index {
	var list []*store.Index
	for _, b := range p.branches {
		if b.scan.index != nil && !slices.Contains(list, b.scan.index) {
			list = append(list, b.scan.index)
		}
	}
	if p.kind == pointRead {
		list = append(list, p.Collection.Indexes[0])
	}
	return list
}

// Filter returns the filter that documents are tested against.
func (p *Plan) Filter() *filter.Filter { return p.filter }

// ScansAll reports whether the plan looks at all documents.
func (p *Plan) ScansAll() bool { return p.kind == scanAll }

// costs of what comes on top of the look at entries and documents.
const (
	sortCost  = 1.5 // a sort that must see everything first
	limitGain = 0.3 // an order that lets a limit end early
)

// candidate is a plan and its cost.
type candidate struct {
	plan *Plan
	cost float64
}

// best returns the best plan that uses an index, or nil. Its collection and filter are for the caller to set.
func (q *query) best(c *store.Collection) *Plan {
	var best candidate
	consider := func(p *Plan, cost float64) {
		switch {
		case !p.Sorted:
			cost = cost*sortCost + 0.01
		case q.Order != nil && q.Limit > 0:
			cost *= limitGain
		}
		if best.plan == nil || cost < best.cost {
			best = candidate{p, cost}
		}
	}
	for _, x := range c.Indexes {
		if q.Hint.Index != nil && x != q.Hint.Index {
			continue
		}
		for _, s := range q.scans(x) {
			if p := q.single(s); p != nil {
				consider(p, s.cost)
			}
		}
	}
	for _, or := range q.conjunction.Disjunctions {
		if p, cost := q.union(c, or); p != nil {
			consider(p, cost)
		}
	}
	return best.plan
}

// scans makes the scans that an index allows: one at most, but of a wildcard index one for each path.
func (q *query) scans(x *store.Index) []*scan {
	switch {
	case x.IsText():
		return nil
	case x.IsWildcard():
		return q.wildcardScans(x)
	}
	if s := q.scan(x); s != nil {
		return []*scan{s}
	}
	return nil
}

// single makes the plan of one index; nil where it would walk the whole index for nothing.
func (q *query) single(s *scan) *Plan {
	p := &Plan{kind: oneScan, Sorted: q.Order == nil}
	var branches []branch
	if q.Order != nil {
		if s.reverse, p.Sorted = s.gives(q.Order); !p.Sorted {
			branches = s.split(q.Order)
		}
	}
	switch {
	case branches != nil:
		p.kind, p.Sorted, p.branches = merge, true, branches
	case s.bound == 0 && q.Hint.Index == nil && (q.Order == nil || !p.Sorted):
		return nil
	default:
		p.branches = []branch{{scan: s}}
	}
	return p
}

// union makes the plan in which each branch of an $or has its own scan; nil where one has none.
func (q *query) union(c *store.Collection, or filter.Disjunction) (*Plan, float64) {
	unsorted := *q.Query
	unsorted.Order, unsorted.Limit = nil, 0
	p := &Plan{kind: union, Sorted: q.Order == nil}
	cost := 0.0
	for _, of := range or {
		inner := newQuery(&unsorted, of.Within(q.conjunction))
		branch := inner.best(c)
		if branch == nil || len(p.branches)+len(branch.branches) > maxBranches {
			return nil, 0
		}
		for _, b := range branch.branches {
			if !slices.ContainsFunc(p.branches, b.same) {
				p.branches = append(p.branches, b)
				cost += b.scan.cost
			}
		}
	}
	if q.Order != nil {
		if sorted := merged(p.branches, q.Order); sorted != nil {
			p.kind, p.Sorted, p.branches = merge, true, sorted
		}
	}
	return p, cost
}

func (b branch) same(other branch) bool { return b.scan.same(other.scan) }

// merged splits all branches so that they can be merged; nil where one of them cannot.
func merged(list []branch, order *ordering.Ordering) []branch {
	var out []branch
	for _, b := range list {
		parts := b.scan.split(order)
		if parts == nil || len(out)+len(parts) > maxMerged {
			return nil
		}
		out = append(out, parts...)
	}
	return out
}
