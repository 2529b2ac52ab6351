package plan

import (
	"math/bits"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/store"
)

// field is what a filter asks of one field of an index.
type field struct {
	list    []interval // everything, if nothing is asked
	used    []filter.Predicate
	bounded bool
}

// fieldReader finds, for the fields of one index in turn, the intervals in which keys must lie for a document to match.
type fieldReader struct {
	index  *store.Index
	by     *collation.Collation // of the index
	byPath map[string][]filter.Predicate
	before []filter.Predicate // used for the fields before
	arrays []uint64           // of the paths of those predicates
}

// read reads the i-th field.
func (r *fieldReader) read(i int) field {
	path, arrays := r.index.Fields[i].Path, r.index.Arrays(i)
	var usable []filter.Predicate
	for _, p := range r.byPath[path] {
		if _, ok := p.Ranges(r.by); ok && !(r.index.Sparse && p.MatchesMissing) && r.fits(p, arrays) {
			usable = append(usable, p)
		}
	}
	best := field{list: []interval{everything}}
	for seed := range usable {
		f := r.from(seed, usable, arrays)
		if !best.bounded || share(f.list) < share(best.list) {
			best = f
		}
		if len(f.used) == len(usable) {
			break
		}
	}
	for range best.used {
		r.arrays = append(r.arrays, arrays)
	}
	r.before = append(r.before, best.used...)
	return best
}

// from intersects one predicate with all those that the same key must meet.
func (r *fieldReader) from(seed int, usable []filter.Predicate, arrays uint64) field {
	ranges, _ := usable[seed].Ranges(r.by)
	f := field{list: newIntervals(ranges, r.by), used: []filter.Predicate{usable[seed]}, bounded: true}
	for i, p := range usable {
		if i == seed || slices.ContainsFunc(f.used, func(q filter.Predicate) bool { return !sameKey(p, q, arrays) }) {
			continue
		}
		ranges, _ := p.Ranges(r.by)
		f.list = intersect(f.list, newIntervals(ranges, r.by))
		f.used = append(f.used, p)
	}
	return f
}

// fits reports whether one entry of a document must meet a predicate and those that were used for the fields before.
func (r *fieldReader) fits(p filter.Predicate, arrays uint64) bool {
	for i, q := range r.before {
		if !sameKey(p, q, arrays|r.arrays[i]) {
			return false
		}
	}
	return true
}

// sameKey reports whether a document that satisfies two predicates has one entry that meets both: the paths share no array, or
// the same element of each is meant. Arrays are those on their paths, by parts.
func sameKey(p, q filter.Predicate, arrays uint64) bool {
	shared := sharedParts(p.Path, q.Path)
	if shared < 64 {
		arrays &= 1<<shared - 1
	}
	for ; arrays != 0; arrays &= arrays - 1 {
		part := bits.TrailingZeros64(arrays)
		if part == lastPart || !p.SameElement(q, part+1) {
			return false
		}
	}
	return true
}

// lastPart stands for all parts of a path behind it too.
const lastPart = 63

// sharedParts returns with how many equal parts two paths begin.
func sharedParts(a, b string) int {
	n := 0
	for a != "" && b != "" {
		x, restA, _ := strings.Cut(a, ".")
		y, restB, _ := strings.Cut(b, ".")
		if x != y {
			break
		}
		n, a, b = n+1, restA, restB
	}
	return n
}
