//go:build !race

package ordering_test

import "testing"

func TestAppendKeyAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations of other tests would be counted
	doc := parse(t, everydayDoc)
	dst := make([]byte, 0, 256)
	for _, spec := range everydaySorts {
		o := compile(t, spec)
		if n := testing.AllocsPerRun(200, func() { dst, _ = o.AppendKey(dst[:0], doc) }); n != 0 {
			t.Errorf("%s: %v allocations", spec, n)
		}
	}
}
