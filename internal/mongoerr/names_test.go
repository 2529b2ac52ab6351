package mongoerr

import "testing"

func TestACodeHasOneName(t *testing.T) {
	t.Parallel()
	codes := map[string]Code{}
	for _, table := range []map[Code]string{names, otherNames} {
		for c, name := range table {
			if other, taken := codes[name]; taken && other != c {
				t.Errorf("%d and %d are both called %s", c, other, name)
			}
			codes[name] = c
			if c.Name() != name {
				t.Errorf("%d is called %s and %s", c, c.Name(), name)
			}
		}
	}
}
