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

// The codes with which mongod says that a change stream can be opened again, those of its own and those of networks and of primaries that
// are none any more.
func TestCodesThatLeaveAStreamResumable(t *testing.T) {
	t.Parallel()
	resumable := map[Code]bool{}
	for _, c := range []Code{6, 7, 63, 89, 91, 133, 150, 189, 234, 262, 317, 358, 9001, 10107, 11600, 11602, 13388, 13435, 13436} {
		resumable[c] = true
	}
	for c := range Code(20_000) {
		if got := c.ResumableChangeStream(); got != resumable[c] {
			t.Errorf("%d (%s): %v", c, c.Name(), got)
		}
	}
}
