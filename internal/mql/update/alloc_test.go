//go:build !race

package update

import (
	"strings"
	"testing"
)

func TestApplyAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	doc := parseDoc(t, strings.ReplaceAll(order, "\n\t", ""))
	for _, text := range []string{
		`{"$set":{"status":"paid"}}`, `{"$inc":{"version":1}}`, `{"$set":{"address.city":"Shelbyville","new.field":1}}`, `{"$unset":{"tags":1}}`,
		`{"$set":{"items.1.n":5}}`, `{"$push":{"tags":"gift"}}`, `{"$set":{"status":"open"}}`,
	} {
		u := compile(t, text)
		apply(t, u, Input{Doc: doc, Position: -1})
		allocs := testing.AllocsPerRun(100, func() {
			if _, err := u.Apply(Input{Doc: doc, Position: -1}); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations a document", text, allocs)
		}
	}
}
