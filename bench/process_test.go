package main

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	line := "4242 (a) b (c) S 1 4242 4242 0 -1 4194560 7 8 9 10 150 50 0 0 20 0 12 0 99 1000000 25 18446744073709551615 1 1\n"
	cpu, resident, err := parseStat([]byte(line), 4096)
	if err != nil || cpu != 2*time.Second || resident != 25*4096 {
		t.Errorf("got %v, %d bytes, %v; want 2 s, 102400 bytes", cpu, resident, err)
	}
	for _, bad := range []string{"", "1 (x) S 1", "1 (x) S 1 2 3 4 5 6 7 8 9 10 x 12 13 14 15 16 17 18 19 20 21 22"} {
		if _, _, err := parseStat([]byte(bad), 4096); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
