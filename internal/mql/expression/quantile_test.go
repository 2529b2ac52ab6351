package expression

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// What was merged may be a little off in rank, and takes no more memory however much there is.
func TestQuantilesOfManyNumbersAreNear(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a sample, not a secret
	for name, draw := range map[string]func() float64{
		"uniform": random.Float64,
		"normal":  random.NormFloat64,
		"skewed":  func() float64 { return math.Exp(5 * random.NormFloat64()) },
		"few":     func() float64 { return float64(random.IntN(7)) },
	} {
		var q Quantiles
		var all []float64
		for range 200_000 {
			f := draw()
			all = append(all, f)
			q.Add(bsonraw.DoubleValue(f))
		}
		slices.Sort(all)
		for _, p := range []float64{0, 0.0001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.9999, 1} {
			got, ok := q.At(p)
			if !ok {
				t.Fatalf("%s: no percentile of many numbers", name)
			}
			from, _ := slices.BinarySearch(all, got)
			to, _ := slices.BinarySearchFunc(all, got, func(a, b float64) int {
				if a <= b {
					return -1
				}
				return 1
			})
			rank := p * float64(len(all))
			if off := 0.001 * float64(len(all)); float64(to) < rank-off || float64(from) > rank+off {
				t.Errorf("%s: percentile %v has ranks %d to %d, want about %.0f", name, p, from, to, rank)
			}
		}
		if got, _ := q.At(0); got != all[0] {
			t.Errorf("%s: the least is %v, want %v", name, got, all[0])
		}
		if got, _ := q.At(1); got != all[len(all)-1] {
			t.Errorf("%s: the greatest is %v, want %v", name, got, all[len(all)-1])
		}
		if q.Size() > 300_000 {
			t.Errorf("%s: %d bytes are kept", name, q.Size())
		}
	}
}
