package store

import (
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/sluicestream/sluice/internal/oplog"
)

// The tail keeps no more in memory than what it has: large entries go one by one, also those that were of one commit.
func TestLargeEntriesOfACommitLeaveTheTailOneByOne(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	var l tail
	l.init(1<<20+1<<16, 0)
	first, last := appendLarge(s, &l)
	runtime.GC()
	if first.Value() != nil {
		t.Error("the first entry is in memory, though the tail has only the last two of the commit")
	}
	if last.Value() == nil {
		t.Error("an entry of the tail is gone")
	}
	if l.mu.n != 2 {
		t.Errorf("the tail has %d entries", l.mu.n)
	}
	runtime.KeepAlive(&l)
}

// appendLarge gives the tail some large entries and a small one, and returns where the first and the last large one are.
func appendLarge(s *Store, l *tail) (first, last weak.Pointer[byte]) {
	w := s.NewWrite()
	const entries = 4
	for range entries {
		w.Log(&oplog.Entry{Op: oplog.NoOp, O: doc("text", strings.Repeat("x", 1<<20))})
	}
	w.Log(&oplog.Entry{Op: oplog.NoOp, O: doc("text", "x")})
	logged := w.entries()
	first, last = weak.Make(&logged[0].raw[0]), weak.Make(&logged[entries-1].raw[0])
	l.append(logged)
	w.Discard()
	return first, last
}
