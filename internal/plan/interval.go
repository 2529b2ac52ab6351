package plan

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// interval is a range of a field's values, and of their keys in an index: from included, to not. A point has one key, from, and
// to is behind all keys that begin with it.
type interval struct {
	values   filter.Range
	from, to []byte
	point    bool
}

// newInterval makes the interval of a range in an index that orders strings by a collation, ascending.
func newInterval(r filter.Range, by *collation.Collation) interval {
	i := interval{values: r, from: by.AppendKey(nil, r.Low), point: r.IsPoint()}
	if i.point {
		i.to = successor(i.from)
		return i
	}
	if r.LowOut {
		i.from = successor(i.from)
	}
	if i.to = by.AppendKey(nil, r.High); !r.HighOut {
		i.to = successor(i.to)
	}
	return i
}

func newIntervals(list []filter.Range, by *collation.Collation) []interval {
	out := make([]interval, 0, len(list))
	for _, r := range list {
		out = append(out, newInterval(r, by))
	}
	return out
}

// everything holds all values.
var everything = newInterval(filter.EveryValue, nil)

func allPoints(list []interval) bool {
	for _, i := range list {
		if !i.point {
			return false
		}
	}
	return true
}

// successor returns the smallest key after all keys that begin with k.
func successor(k []byte) []byte {
	end := bytes.Clone(k)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return append(bytes.Clone(k), 0xff)
}

// intersect returns what two lists, each in order and apart, have in common.
func intersect(a, b []interval) []interval {
	var out []interval
	for len(a) > 0 && len(b) > 0 {
		x, y := a[0], b[0]
		i := x
		if bytes.Compare(y.from, x.from) > 0 {
			i.from, i.values.Low, i.values.LowOut = y.from, y.values.Low, y.values.LowOut
		}
		if bytes.Compare(y.to, x.to) < 0 {
			i.to, i.values.High, i.values.HighOut = y.to, y.values.High, y.values.HighOut
			b = b[1:]
		} else {
			a = a[1:]
		}
		i.point = x.point || y.point || i.values.IsPoint()
		if bytes.Compare(i.from, i.to) < 0 {
			out = append(out, i)
		}
	}
	return out
}

// flip turns ascending intervals into those of a descending field, whose keys are the same bytes inverted: what was the end,
// which did not belong to it, is now the beginning behind all keys that begin like it.
func flip(list []interval) []interval {
	out := make([]interval, 0, len(list))
	for _, i := range slices.Backward(list) {
		flipped := interval{values: i.values, point: i.point, from: successor(invert(i.to)), to: successor(invert(i.from))}
		if i.point {
			flipped.from = invert(i.from)
		}
		out = append(out, flipped)
	}
	return out
}

func invert(k []byte) []byte {
	out := make([]byte, len(k))
	for i, b := range k {
		out[i] = ^b
	}
	return out
}

func concat(a, b []byte) []byte {
	return append(append(make([]byte, 0, len(a)+len(b)), a...), b...)
}

// share estimates which part of an index's entries has values in the intervals.
func share(list []interval) float64 {
	total := 0.0
	for _, i := range list {
		low, high := i.values.Sides()
		switch {
		case i.point:
			total += 0.02
		case low && high:
			total += 0.15
		case low || high:
			total += 0.35
		default:
			total += 0.7
		}
	}
	return min(total, 0.9)
}
