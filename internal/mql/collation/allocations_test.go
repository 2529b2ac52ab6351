//go:build !race

package collation_test

import (
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// The race detector makes pools drop memory, so this file is built without it.

// TestAllocations holds comparisons to no memory of their own. x/text takes some where a contraction may begin, as at the l of
// Catalan.
func TestAllocations(t *testing.T) { //nolint:paralleltest // testing.AllocsPerRun does not go with parallel tests
	c := parse(t, `{"locale": "en", "strength": 1}`)
	a, b := bsonraw.StringValue("résumé of Zürich"), bsonraw.StringValue("Resume of Zurich")
	operand := c.Operand(a)
	if n := testing.AllocsPerRun(100, func() { operand.Compare(b) }); n >= 1 {
		t.Errorf("a comparison with an operand allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { c.Compare(a, b) }); n >= 1 {
		t.Errorf("a comparison allocates %v times", n)
	}
}
