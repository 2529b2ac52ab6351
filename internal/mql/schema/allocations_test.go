//go:build !race

package schema_test

import "testing"

// The race detector makes pools drop memory, so this file is built without it.

func TestMatchAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	s, err := compile(t, everyday)
	if err != nil {
		t.Fatal(err)
	}
	doc := parse(t, everydayDoc)
	if !s.Match(doc) {
		t.Fatal("the document does not match")
	}
	if n := testing.AllocsPerRun(200, func() { s.Match(doc) }); n != 0 {
		t.Errorf("%v allocations a document", n)
	}
}
