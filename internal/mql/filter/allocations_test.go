//go:build !race

package filter_test

import "testing"

// The race detector makes pools drop memory, so this file is built without it.

func TestMatchAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	doc := parse(t, order)
	for _, c := range everyday {
		f := compile(t, c.query)
		if ok, err := f.Match(doc); !ok || err != nil {
			t.Fatalf("%s does not take the document: %v", c.name, err)
		}
		if n := testing.AllocsPerRun(200, func() { _, _ = f.Match(doc) }); n != 0 {
			t.Errorf("%s: %v allocations a document", c.name, n)
		}
		if n := testing.AllocsPerRun(200, func() { _, _, _ = f.MatchAt(nil, doc) }); n != 0 {
			t.Errorf("%s: %v allocations a document with its position", c.name, n)
		}
	}
}
