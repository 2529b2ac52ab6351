package expression

import (
	"math"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Quantiles takes in numbers and tells their percentiles, as $percentile and $median do. Up to quantileBuffer numbers are kept as
// they are, and the results are exact; more of them are merged into a t-digest (Dunning, Ertl: "Computing Extremely Accurate
// Quantiles Using t-Digests"), whose size does not depend on how many there are. The zero Quantiles has no numbers.
type Quantiles struct {
	fresh        []float64 // not yet among the centroids
	centroids    []centroid
	merged       int64 // numbers in centroids
	below, above int64 // infinities, which have no mean
	least, most  float64
}

// centroid stands for numbers that are near to each other.
type centroid struct {
	mean   float64
	weight int64
}

const (
	// quantileBuffer is how many numbers are kept before they are merged.
	quantileBuffer = 5000
	// quantileScale bounds the number of centroids, and with it the error.
	quantileScale = 1000
)

// Add takes in a value; what is no number, and NaN, does not count.
func (q *Quantiles) Add(v bsonraw.Value) {
	f, ok := v.AsFloat64()
	switch {
	case !ok || math.IsNaN(f):
	case math.IsInf(f, -1):
		q.below++
	case math.IsInf(f, 1):
		q.above++
	default:
		if len(q.fresh) == quantileBuffer {
			q.merge()
		}
		q.fresh = append(q.fresh, f)
	}
}

// Size is about how many bytes the numbers take.
func (q *Quantiles) Size() int { return 8*cap(q.fresh) + 16*cap(q.centroids) }

// At returns the number below which, or at which, the share p of all numbers is; ok is false if there are none.
func (q *Quantiles) At(p float64) (f float64, ok bool) {
	finite := int64(len(q.fresh)) + q.merged
	n := finite + q.below + q.above
	if n == 0 {
		return 0, false
	}
	rank := min(max(int64(math.Ceil(p*float64(n)))-1, 0), n-1)
	switch rank -= q.below; {
	case rank < 0:
		return math.Inf(-1), true
	case rank >= finite:
		return math.Inf(1), true
	case q.merged == 0:
		slices.Sort(q.fresh)
		return q.fresh[rank], true
	}
	if len(q.fresh) > 0 {
		q.merge()
	}
	return q.ofCentroids(rank), true
}

// ofCentroids finds the number of a rank. Between the middles of two centroids the numbers count as evenly spread.
func (q *Quantiles) ofCentroids(rank int64) float64 {
	before := int64(0)
	i := 0
	for ; rank >= before+q.centroids[i].weight; i++ {
		before += q.centroids[i].weight
	}
	c := q.centroids[i]
	if c.weight == 1 {
		return c.mean
	}
	middle := float64(before) + float64(c.weight-1)/2
	// The neighbour's number, and how far its rank is from the middle.
	other, away := q.least, middle
	if float64(rank) < middle {
		if i > 0 {
			left := q.centroids[i-1]
			other, away = left.mean, middle-(float64(before)-float64(left.weight+1)/2)
		}
		return c.mean + (other-c.mean)*(middle-float64(rank))/away
	}
	if other, away = q.most, float64(q.merged-1)-middle; i+1 < len(q.centroids) {
		right := q.centroids[i+1]
		other, away = right.mean, float64(before+c.weight)+float64(right.weight-1)/2-middle
	}
	return c.mean + (other-c.mean)*(float64(rank)-middle)/away
}

// merge brings the fresh numbers into the centroids: neighbours become one as long as the scale allows, which is coarse in the
// middle and fine at the ends.
func (q *Quantiles) merge() {
	all := q.centroids
	for _, f := range q.fresh {
		all = append(all, centroid{f, 1})
	}
	slices.SortFunc(all, func(a, b centroid) int {
		switch {
		case a.mean < b.mean:
			return -1
		case a.mean > b.mean:
			return 1
		}
		return 0
	})
	if q.merged == 0 {
		q.least, q.most = all[0].mean, all[len(all)-1].mean
	}
	q.least, q.most = min(q.least, all[0].mean), max(q.most, all[len(all)-1].mean)
	q.merged += int64(len(q.fresh))
	q.fresh = q.fresh[:0]
	total := float64(q.merged)
	kept := []centroid{all[0]}
	done := int64(0) // in the centroids before the last one kept
	limit := total * shareAfter(0)
	for _, c := range all[1:] {
		last := &kept[len(kept)-1]
		if float64(done+last.weight+c.weight) <= limit {
			last.weight += c.weight
			last.mean += (c.mean - last.mean) * float64(c.weight) / float64(last.weight)
			continue
		}
		done += last.weight
		limit = total * shareAfter(float64(done)/total)
		kept = append(kept, c)
	}
	q.centroids = kept
}

// shareAfter is up to which share of the numbers a centroid may go that begins at share.
func shareAfter(share float64) float64 {
	const step = 2 * math.Pi / quantileScale
	angle := math.Asin(2*share-1) + step
	if angle >= math.Pi/2 {
		return 1
	}
	return (math.Sin(angle) + 1) / 2
}
