package expression

import (
	"bytes"
	"container/heap"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Ranking keeps the first or the last n values in the order of their keys, as $minN, $maxN, $topN and $bottomN do. Of equal keys
// those that came first stay, and a value that is no better than the worst one kept does not count.
type Ranking struct {
	n    int64
	last bool
	rows []rankedValue // a heap once there are n of them: the one that goes next is on top
	came int
}

type rankedValue struct {
	key   []byte
	value bsonraw.Value
	came  int
}

// NewRanking returns a ranking of the n values with the least keys, or the greatest if last is set.
func NewRanking(n int64, last bool) *Ranking { return &Ranking{n: n, last: last} }

// Takes reports whether a value with that key would be kept.
func (r *Ranking) Takes(key []byte) bool {
	if int64(len(r.rows)) < r.n {
		return true
	}
	order := bytes.Compare(key, r.rows[0].key)
	return order < 0 && !r.last || order > 0 && r.last
}

// Put adds a value that the ranking takes. Key and value are kept as they are. What it displaces is returned, for its memory.
func (r *Ranking) Put(key []byte, v bsonraw.Value) (goneKey []byte, gone bsonraw.Value) {
	row := rankedValue{key: key, value: v, came: r.came}
	r.came++
	h := rankedHeap{r}
	if int64(len(r.rows)) < r.n {
		r.rows = append(r.rows, row)
		if int64(len(r.rows)) == r.n {
			heap.Init(h)
		}
		return nil, bsonraw.Value{}
	}
	out := r.rows[0]
	r.rows[0] = row
	heap.Fix(h, 0)
	return out.key, out.value
}

// Values calls visit with the values in the order of their keys, equal ones in that in which they came, or all of it backwards.
// The ranking may go on afterwards.
func (r *Ranking) Values(backwards bool, visit func(v bsonraw.Value)) {
	sorted := slices.SortedFunc(slices.Values(r.rows), rankedValue.compare)
	if backwards {
		slices.Reverse(sorted)
	}
	for _, row := range sorted {
		visit(row.value)
	}
}

func (v rankedValue) compare(w rankedValue) int {
	if order := bytes.Compare(v.key, w.key); order != 0 {
		return order
	}
	return v.came - w.came
}

// rankedHeap has on its top the row that goes when a better one comes.
type rankedHeap struct{ *Ranking }

func (h rankedHeap) Len() int { return len(h.rows) }
func (h rankedHeap) Less(i, j int) bool {
	order := h.rows[i].compare(h.rows[j])
	return order > 0 && !h.last || order < 0 && h.last
}
func (h rankedHeap) Swap(i, j int) { h.rows[i], h.rows[j] = h.rows[j], h.rows[i] }
func (h rankedHeap) Push(any)      {}
func (h rankedHeap) Pop() any      { return nil }
