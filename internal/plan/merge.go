package plan

import (
	"github.com/sluicestream/sluice/internal/mql/ordering"
)

// branch is a part of a scan whose entries come in the order asked for, so that several can be merged: the keys that the order
// compares are head, and behind it an entry's key from skip on.
type branch struct {
	scan *scan
	at   keyRange
	head []byte
	skip int
}

// maxBranches is how many scans one plan has at most.
const maxBranches = 1000

// maxMerged is how many scans are merged at most, as in MongoDB: each holds a place in the store.
const maxMerged = 200

// split cuts a scan into branches of the order; nil where it cannot be had so. The order's first fields are fixed in each range,
// the others follow them in the index.
func (s *scan) split(order *ordering.Ordering) []branch {
	if !order.Collation().Same(RulesOf(s.index).Collation) || len(s.ranges) > maxMerged {
		return nil
	}
	wants := order.Fields()
	fixed := 0
	for fixed < len(wants) && s.pointField(wants[fixed].Path) >= 0 {
		fixed++
	}
	direction := 0
	for i, want := range wants[fixed:] {
		at := s.points + i
		if at >= len(s.index.Fields) || s.index.Fields[at].Path != want.Path || !s.sortable(at) {
			return nil
		}
		d := turn(s.index.Fields[at], want)
		if direction != 0 && d != direction {
			return nil
		}
		direction = d
	}
	directed := *s
	directed.reverse = direction < 0
	out := make([]branch, 0, len(s.ranges))
	for _, r := range s.ranges {
		b := branch{scan: &directed, at: r}
		for _, want := range wants[:fixed] {
			key := r.parts[s.pointField(want.Path)].from
			if want.Descending {
				key = invert(key)
			}
			b.head = append(b.head, key...)
		}
		for _, p := range r.parts[:s.points] {
			b.skip += len(p.from)
		}
		out = append(out, b)
	}
	return out
}

// pointField returns which field of the index has a path and is fixed in each range, to the only value that documents have there;
// -1 if none is.
func (s *scan) pointField(path string) int {
	for i := range s.points {
		if s.index.Fields[i].Path == path && !s.isMultikey(i) {
			return i
		}
	}
	return -1
}

// compareKeys orders the entries that two branches are at. Keys of a branch that is walked backwards are compared inverted: its
// index has the opposite order of the one asked for.
func compareKeys(a, b *stream) int {
	x, y := keyParts{a.branch.head, a.key()[a.branch.skip:], a.scan.reverse}, keyParts{b.branch.head, b.key()[b.branch.skip:], b.scan.reverse}
	n, m := len(x.head)+len(x.tail), len(y.head)+len(y.tail)
	for i := range min(n, m) {
		if p, q := x.at(i), y.at(i); p != q {
			return int(p) - int(q)
		}
	}
	return n - m
}

type keyParts struct {
	head, tail []byte
	inverted   bool
}

func (k keyParts) at(i int) byte {
	switch {
	case i < len(k.head):
		return k.head[i]
	case k.inverted:
		return ^k.tail[i-len(k.head)]
	}
	return k.tail[i-len(k.head)]
}

// heap holds streams, the one with the least key first.
type heap []*stream

// push adds a stream.
func (h *heap) push(s *stream) {
	*h = append(*h, s)
	list := *h
	for i := len(list) - 1; i > 0; {
		parent := (i - 1) / 2
		if compareKeys(list[parent], list[i]) <= 0 {
			return
		}
		list[parent], list[i] = list[i], list[parent]
		i = parent
	}
}

// pop takes the first stream out.
func (h *heap) pop() *stream {
	list := *h
	first, last := list[0], len(list)-1
	list[0] = list[last]
	list[last] = nil
	list = list[:last]
	*h = list
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return first
		}
		if child+1 < last && compareKeys(list[child+1], list[child]) < 0 {
			child++
		}
		if compareKeys(list[i], list[child]) <= 0 {
			return first
		}
		list[i], list[child] = list[child], list[i]
		i = child
	}
}
