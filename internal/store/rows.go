package store

import (
	"bytes"
	"hash/maphash"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// rows are documents that are read again and again by their _id, as Pebble has them, so that they need not be looked for in its tables.
// There is one slot for each hash of a key: what is read for the second time takes it, and what was there before gives way. Readers
// take no lock. Every change of a slot puts a new row there, so that a reader who has looked at the slot, and then into Pebble, can tell
// whether what it found may have become old meanwhile.
type rows struct {
	seed  maphash.Seed
	slots []atomic.Pointer[row]
	asked []atomic.Uint32 // of each slot: a hash of the key that was last asked for in vain
	bytes atomic.Int64    // of all rows
	limit int64
	hand  atomic.Uint32 // where the last row was put out because there were too many
}

// row is what a slot has. It is never changed.
type row struct {
	both    []byte // the document's key and its value, the commit's timestamp and the document; nil: nothing
	key     int    // the length of the key
	writing bool   // a commit that concerns the slot is under way: what Pebble has may be old at any moment
	several bool   // of its documents have the slot
}

const (
	rowSlots = 1 << 16
	// rowBytes is how much memory the rows of a store take.
	rowBytes = 16 << 20
	// largestRow is the size of a key with its value from which on it is not kept: of a large document the look takes little.
	largestRow = 4 << 10
)

func newRows(slots int, limit int64) *rows {
	return &rows{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[row], slots), asked: make([]atomic.Uint32, slots), limit: limit}
}

// of returns the value of a key; nil where the row is another one's.
func (w *row) of(key []byte) []byte {
	if w == nil || w.key != len(key) || !bytes.Equal(w.both[:w.key], key) {
		return nil
	}
	return w.both[w.key:]
}

func (w *row) size() int64 {
	if w == nil {
		return 0
	}
	return int64(len(w.both))
}

// rowPlace is a slot as it was when a key was looked for.
type rowPlace struct {
	slot *atomic.Pointer[row]
	seen *row
	hash uint64
}

// at looks at the slot of a key.
func (r *rows) at(key []byte) rowPlace {
	h := maphash.Bytes(r.seed, key)
	slot := &r.slots[h%uint64(len(r.slots))]
	return rowPlace{slot, slot.Load(), h}
}

// keep notes that a key was not in its slot, and which value it has in Pebble. The second time it is kept, unless there was a commit in
// between.
func (r *rows) keep(p rowPlace, key, value []byte) {
	if len(key)+len(value) > largestRow || p.seen != nil && p.seen.writing {
		return
	}
	asked, mark := &r.asked[p.hash%uint64(len(r.slots))], uint32(p.hash>>32)
	if asked.Load() != mark {
		asked.Store(mark)
		return
	}
	r.swap(p.slot, p.seen, newRow(key, value))
}

func newRow(key, value []byte) *row {
	both := make([]byte, 0, len(key)+len(value))
	return &row{both: append(append(both, key...), value...), key: len(key)}
}

// swap puts a row into a slot, unless there is another one by now.
func (r *rows) swap(slot *atomic.Pointer[row], old, now *row) {
	if !slot.CompareAndSwap(old, now) {
		return
	}
	by := now.size() - old.size()
	if r.bytes.Add(by) > r.limit && by > 0 {
		r.putOut()
	}
}

// putOut empties slots, one after another, until the rest is within the limit.
func (r *rows) putOut() {
	for range r.slots {
		slot := &r.slots[r.hand.Add(1)%uint32(len(r.slots))]
		old := slot.Load()
		if old.size() == 0 || old.writing || !slot.CompareAndSwap(old, &row{}) {
			continue
		}
		if r.bytes.Add(-old.size()) <= r.limit {
			return
		}
	}
}

// rowChange is a document that a commit replaces or deletes: where its key and its value are in the batch. It may also be one that is new.
type rowChange struct {
	key, keyEnd     int
	value, valueEnd int // the same: it is deleted
	slot            *atomic.Pointer[row]
	kept            bool // there is a row of it
}

// begin has the rows that a commit changes read from Pebble until end. Commits come one after another.
func (r *rows) begin(changes rowChanges, batch []byte) {
	for i := range changes {
		c := &changes[i]
		place := r.at(batch[c.key:c.keyEnd])
		c.slot = place.slot
		for old := place.seen; ; old = c.slot.Load() {
			now := &row{writing: true, several: old != nil && old.writing}
			if c.kept = old.of(batch[c.key:c.keyEnd]) != nil; !c.kept && old != nil && !now.several {
				now.both, now.key = old.both, old.key
			}
			if c.slot.CompareAndSwap(old, now) {
				r.bytes.Add(now.size() - old.size())
				break
			}
		}
	}
}

// end puts the new values of rows that there were in their places, once Pebble has them.
func (r *rows) end(changes rowChanges, batch []byte) {
	for _, c := range changes {
		key, value := batch[c.key:c.keyEnd], batch[c.value:c.valueEnd]
		old := c.slot.Load() // nobody but a commit changes a row that is being written; one that is not any more had several changes
		if c.kept && old.writing && !old.several && len(value) > 0 && len(key)+len(value) <= largestRow {
			r.swap(c.slot, old, newRow(key, value))
		} else {
			r.swap(c.slot, old, &row{both: old.both, key: old.key})
		}
	}
}

// rowChanges are those of one commit.
type rowChanges []rowChange

// add notes the operation that was added to a batch last: one that replaces a document by a value of some bytes, or deletes it.
func (l *rowChanges) add(batch *pebble.Batch, key []byte, value int) {
	end := batch.Len()
	c := rowChange{keyEnd: end, value: end, valueEnd: end}
	if value > 0 {
		c.value -= value
		c.keyEnd = c.value - uvarintLen(value)
	}
	c.key = c.keyEnd - len(key)
	*l = append(*l, c)
}
