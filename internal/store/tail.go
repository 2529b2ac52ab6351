package store

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// tail holds the newest durable oplog entries in memory, shared by all streams. It is bounded in bytes.
type tail struct {
	limit int64

	mu struct {
		sync.RWMutex
		bytes int64
		ring  []*logged // its length is a power of two
		first int       // place of the oldest entry
		n     int
		since oplog.Timestamp // every durable entry after this is in the ring
		kept  oplog.Timestamp // of what the ring holds, the oplog has no more than this and what comes after
	}
}

// logged is an entry of the tail. It is taken apart when somebody first reads it, so that writers do not have to where nobody does.
type logged struct {
	ts     oplog.Timestamp
	raw    bsonraw.Doc
	parsed atomic.Pointer[oplog.Entry]
}

// entry takes the entry apart. All readers get the same one.
func (l *logged) entry() (*oplog.Entry, error) {
	if e := l.parsed.Load(); e != nil {
		return e, nil
	}
	e, err := oplog.Parse(l.raw)
	if err != nil {
		return nil, err
	}
	if !l.parsed.CompareAndSwap(nil, e) {
		e = l.parsed.Load()
	}
	return e, nil
}

func (t *tail) init(limit int64, since oplog.Timestamp) {
	t.limit = limit
	t.mu.ring = make([]*logged, 1024)
	t.mu.since = since
}

// append adds a commit's entries, which are durable now. What they hold of memory belongs to the tail then.
func (t *tail) append(entries []logged) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range entries {
		if t.mu.n == len(t.mu.ring) {
			t.grow()
		}
		e := &entries[i]
		if len(e.raw) > largeEntry { // apart from the others, so that it can go before them
			e = &logged{ts: e.ts, raw: e.raw}
			entries[i].raw = nil
		}
		t.mu.ring[(t.mu.first+t.mu.n)&(len(t.mu.ring)-1)] = e
		t.mu.n++
		t.mu.bytes += entryBytes(e)
	}
	for t.mu.bytes > t.limit && t.mu.n > 1 {
		t.evict()
	}
}

// evict takes out the oldest entry.
func (t *tail) evict() {
	e := t.mu.ring[t.mu.first]
	t.mu.ring[t.mu.first] = nil
	t.mu.first = (t.mu.first + 1) & (len(t.mu.ring) - 1)
	t.mu.n--
	t.mu.since = e.ts
	t.mu.bytes -= entryBytes(e)
}

// trim notes that the oplog does not hold any more what there was up to ts. It stays in memory for those who are on their way.
func (t *tail) trim(ts oplog.Timestamp) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.kept = ts + 1
}

// checkKept fails where one would begin to read what is in memory alone.
func (t *tail) checkKept(from oplog.Timestamp) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if from < t.mu.kept {
		return historyLost(from, t.mu.kept)
	}
	return nil
}

// entryBytes is the memory that an entry takes once it is taken apart.
func entryBytes(l *logged) int64 {
	return int64(unsafe.Sizeof(*l)) + int64(unsafe.Sizeof(oplog.Entry{})) + int64(len(l.raw))
}

func (t *tail) grow() {
	bigger := make([]*logged, 2*len(t.mu.ring))
	for i := range t.mu.n {
		bigger[i] = t.mu.ring[(t.mu.first+i)&(len(t.mu.ring)-1)]
	}
	t.mu.ring, t.mu.first = bigger, 0
}

// read copies entries with TS >= from into buf. covered is false when from lies before what the ring holds; since is then
// where it begins.
func (t *tail) read(from oplog.Timestamp, buf []*logged) (n int, covered bool, since oplog.Timestamp) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if from <= t.mu.since {
		return 0, false, t.mu.since
	}
	mask := len(t.mu.ring) - 1
	low, high := 0, t.mu.n
	for low < high {
		if mid := (low + high) / 2; t.mu.ring[(t.mu.first+mid)&mask].ts < from {
			low = mid + 1
		} else {
			high = mid
		}
	}
	for n < len(buf) && low+n < t.mu.n {
		buf[n] = t.mu.ring[(t.mu.first+low+n)&mask]
		n++
	}
	return n, true, t.mu.since
}
