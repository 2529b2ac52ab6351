package engine

import "testing"

func TestFilesAreDivided(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit          int64
		store, sockets int
	}{
		{0, 1000, 65_536},
		{100, 64, 25},
		{256, 64, 128},
		{1024, 256, 704},
		{20_000, 1000, 18_936},
		{1 << 40, 1000, 65_536},
	} {
		store, sockets := divideFiles(c.limit)
		if store != c.store || sockets != c.sockets {
			t.Errorf("of %d files %d are for the store and %d for sockets, want %d and %d", c.limit, store, sockets, c.store, c.sockets)
		}
		if c.limit > 0 && int64(store+sockets) > c.limit {
			t.Errorf("%d files are too few for %d and %d", c.limit, store, sockets)
		}
	}
}
