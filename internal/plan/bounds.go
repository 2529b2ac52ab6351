package plan

import (
	"bytes"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// interval is a range of keys: from included, to not. A point has one key, from, and to is behind all keys that begin with it.
type interval struct {
	from, to []byte
	point    bool
}

// predicates are the conditions of a filter by the path that they are on.
type predicates map[string][]filter.Predicate

func byPath(f *filter.Filter) predicates {
	p := predicates{}
	for _, c := range f.Conjuncts() {
		p[c.Path] = append(p[c.Path], c)
	}
	return p
}

// intervals returns the ranges in which a field's values must lie for a document to match, sorted and apart from each other;
// ok is false when the conditions say nothing about that. A sparse index has no entries for documents that lack its fields. On a field that has met arrays only one condition may be used: each
// may be met by another element.
func intervals(list []filter.Predicate, multikey, sparse bool) (out []interval, ok bool) {
	for _, p := range list {
		of, usable := predicateIntervals(p)
		if !usable || sparse && p.MatchesMissing() {
			continue
		}
		switch {
		case !ok:
			out, ok = of, true
		case !multikey:
			out = intersect(out, of)
		case allPoints(of) && !allPoints(out):
			out = of
		}
	}
	return out, ok
}

func allPoints(list []interval) bool {
	for _, i := range list {
		if !i.point {
			return false
		}
	}
	return true
}

func predicateIntervals(p filter.Predicate) ([]interval, bool) {
	switch p.Op {
	case filter.Eq:
		return []interval{pointInterval(p.Value)}, true
	case filter.In:
		var list []interval
		for _, v := range p.Values {
			list = append(list, pointInterval(v))
		}
		return normalize(list), true
	case filter.Gt, filter.Gte, filter.Lt, filter.Lte:
		return []interval{rangeInterval(p)}, true
	}
	return nil, false
}

// rangeInterval holds the values of the bound's class on one side of it.
func rangeInterval(p filter.Predicate) interval {
	from, to := bsonraw.KeyClassBounds(p.Value.Type)
	key := bsonraw.AppendKey(nil, p.Value)
	switch p.Op {
	case filter.Gt:
		from = successor(key)
	case filter.Gte:
		from = key
	case filter.Lt:
		to = key
	case filter.Lte:
		to = successor(key)
	}
	return interval{from: from, to: to}
}

// pointInterval holds one value. Null also asks for what is missing or undefined; undefined sorts right before null.
func pointInterval(v bsonraw.Value) interval {
	if v.Type == bsonraw.TypeNull || v.Type == bsonraw.TypeUndefined {
		return interval{from: bsonraw.AppendKey(nil, bsonraw.Value{Type: bsonraw.TypeUndefined}), to: successor(bsonraw.AppendKey(nil, bsonraw.NullValue))}
	}
	key := bsonraw.AppendKey(nil, v)
	return interval{from: key, to: successor(key), point: true}
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

// normalize sorts intervals and joins those that overlap.
func normalize(list []interval) []interval {
	slices.SortFunc(list, func(a, b interval) int { return bytes.Compare(a.from, b.from) })
	var out []interval
	for _, i := range list {
		if n := len(out); n > 0 && bytes.Compare(i.from, out[n-1].to) < 0 {
			if bytes.Compare(i.to, out[n-1].to) > 0 {
				out[n-1].to, out[n-1].point = i.to, false
			}
			continue
		}
		out = append(out, i)
	}
	return out
}

func intersect(a, b []interval) []interval {
	var out []interval
	for _, x := range a {
		for _, y := range b {
			i := interval{from: x.from, to: x.to, point: x.point || y.point}
			if bytes.Compare(y.from, i.from) > 0 {
				i.from = y.from
			}
			if bytes.Compare(y.to, i.to) < 0 {
				i.to = y.to
			}
			if bytes.Compare(i.from, i.to) < 0 {
				out = append(out, i)
			}
		}
	}
	return out
}

// flip turns ascending intervals into those of a descending field, whose keys are the same bytes inverted.
func flip(list []interval) []interval {
	out := make([]interval, 0, len(list))
	for _, i := range slices.Backward(list) {
		if i.point {
			key := invert(i.from)
			out = append(out, interval{from: key, to: successor(key), point: true})
			continue
		}
		// [from, to) becomes (^to, ^from], where every key that begins with ^from belongs to it. The bound ^to itself stays in:
		// the range grows by keys that the filter sorts out.
		out = append(out, interval{from: invert(i.to), to: successor(invert(i.from)), point: i.point})
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
