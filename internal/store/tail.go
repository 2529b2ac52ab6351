package store

import (
	"sync"
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
		ring  []*oplog.Entry // its length is a power of two
		first int            // place of the oldest entry
		n     int
		since oplog.Timestamp // every durable entry after this is in the ring
		kept  oplog.Timestamp // of what the ring holds, the oplog has no more than this and what comes after
	}
}

func (t *tail) init(limit int64, since oplog.Timestamp) {
	t.limit = limit
	t.mu.ring = make([]*oplog.Entry, 1024)
	t.mu.since = since
}

// append adds a commit's entries, which are durable now.
func (t *tail) append(records []record) error {
	entries := make([]oplog.Entry, len(records))
	for i, r := range records {
		if err := entries[i].Reset(bsonraw.Doc(r.raw)); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range entries {
		if t.mu.n == len(t.mu.ring) {
			t.grow()
		}
		t.mu.ring[(t.mu.first+t.mu.n)&(len(t.mu.ring)-1)] = &entries[i]
		t.mu.n++
		t.mu.bytes += entryBytes(&entries[i])
	}
	for t.mu.bytes > t.limit && t.mu.n > 1 {
		t.evict()
	}
	return nil
}

// evict takes out the oldest entry.
func (t *tail) evict() {
	e := t.mu.ring[t.mu.first]
	t.mu.ring[t.mu.first] = nil
	t.mu.first = (t.mu.first + 1) & (len(t.mu.ring) - 1)
	t.mu.n--
	t.mu.since = e.TS
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

// entryBytes is the memory that an entry takes.
func entryBytes(e *oplog.Entry) int64 { return int64(unsafe.Sizeof(*e)) + int64(len(e.Raw)) }

func (t *tail) grow() {
	bigger := make([]*oplog.Entry, 2*len(t.mu.ring))
	for i := range t.mu.n {
		bigger[i] = t.mu.ring[(t.mu.first+i)&(len(t.mu.ring)-1)]
	}
	t.mu.ring, t.mu.first = bigger, 0
}

// read copies entries with TS >= from into buf. covered is false when from lies before what the ring holds; since is then
// where it begins.
func (t *tail) read(from oplog.Timestamp, buf []*oplog.Entry) (n int, covered bool, since oplog.Timestamp) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if from <= t.mu.since {
		return 0, false, t.mu.since
	}
	mask := len(t.mu.ring) - 1
	low, high := 0, t.mu.n
	for low < high {
		if mid := (low + high) / 2; t.mu.ring[(t.mu.first+mid)&mask].TS < from {
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
