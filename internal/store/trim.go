package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/oplog"
)

// trimmer keeps the oplog within its size. It divides the oplog by marks, each with the bytes since the one before; when the
// sum is over the limit it deletes up to the oldest marks that are old enough. Its goroutine also deletes images that have
// expired and files of the journal. It never waits for a reader: those who are
// behind the new floor find it in the snapshot that they read.
type trimmer struct {
	store    *Store
	maxBytes int64
	minAge   time.Duration
	quit     chan struct{}
	done     chan struct{}
	due      chan struct{}

	mu struct {
		sync.Mutex
		marks []mark
		sum   int64
		open  int64 // bytes since the last mark
	}
}

type mark struct {
	ts    oplog.Timestamp
	bytes int64
}

// marksPerOplog is into how many pieces a full oplog is divided, so that a trim deletes little at a time.
const marksPerOplog = 32

func (t *trimmer) init(s *Store, maxBytes int64, minAge time.Duration) error {
	t.store, t.maxBytes, t.minAge = s, maxBytes, minAge
	t.quit, t.done, t.due = make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	return s.each(kindMark, func(key, value []byte) error {
		m := mark{keyTimestamp(key), int64(binary.BigEndian.Uint64(value))}
		t.mu.marks = append(t.mu.marks, m)
		t.mu.sum += m.bytes
		return nil
	})
}

// added counts a durable commit and sets a mark when enough has come together.
func (t *trimmer) added(c Commit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range c.entries {
		t.mu.open += int64(len(c.entries[i].raw))
	}
	if t.mu.open < t.maxBytes/marksPerOplog {
		return
	}
	m := mark{c.Last, t.mu.open}
	t.mu.marks = append(t.mu.marks, m)
	t.mu.sum += m.bytes
	t.mu.open = 0
	select {
	case t.due <- struct{}{}:
	default:
	}
}

// run is the trimming goroutine.
func (t *trimmer) run() {
	defer close(t.done)
	expire := time.NewTicker(imagesExpireEvery)
	defer expire.Stop()
	kept := 0
	for {
		select {
		case <-t.quit:
			return
		case now := <-expire.C:
			if err := t.store.deleteExpired(now); err != nil {
				t.store.failed.set(err)
				return
			}
			continue
		case <-t.store.flushed:
			if err := t.store.commit.shortenJournal(); err != nil {
				t.store.failed.set(err)
				return
			}
			continue
		case <-t.due:
		}
		if err := t.persist(&kept); err != nil {
			t.store.failed.set(err)
			return
		}
		if cut := t.cut(&kept); cut != 0 {
			if err := t.trim(cut); err != nil {
				t.store.failed.set(err)
				return
			}
		}
	}
}

func (t *trimmer) close() {
	close(t.quit)
	<-t.done
}

// persist stores the marks that are new since the last time. Losing one in a crash makes the oplog's size a little wrong,
// nothing else.
func (t *trimmer) persist(kept *int) error {
	t.mu.Lock()
	fresh := append([]mark(nil), t.mu.marks[min(*kept, len(t.mu.marks)):]...)
	*kept = len(t.mu.marks)
	t.mu.Unlock()
	for _, m := range fresh {
		value := binary.BigEndian.AppendUint64(nil, uint64(m.bytes))
		if err := t.store.commit.set(timestampKey(kindMark, m.ts), value); err != nil {
			return err
		}
	}
	return nil
}

// cut chooses the timestamp up to which entries go, and forgets the marks before it; 0 means that nothing has to go.
func (t *trimmer) cut(kept *int) oplog.Timestamp {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldEnough := oplog.MakeTimestamp(uint32(time.Now().Add(-t.minAge).Unix()), 0)
	var ts oplog.Timestamp
	n := 0
	for t.mu.sum > t.maxBytes && n < len(t.mu.marks)-1 && (t.minAge == 0 || t.mu.marks[n].ts < oldEnough) {
		ts = t.mu.marks[n].ts
		t.mu.sum -= t.mu.marks[n].bytes
		n++
	}
	t.mu.marks = append([]mark(nil), t.mu.marks[n:]...)
	*kept = max(0, *kept-n)
	return ts
}

// trim deletes the oplog up to and including ts, for good.
func (t *trimmer) trim(ts oplog.Timestamp) error {
	if err := t.remove(ts); err != nil {
		return err
	}
	// Who was told that entries are gone must not find them again after a crash.
	if err := t.store.commit.sync(); err != nil {
		return err
	}
	t.store.tail.trim(ts)
	return nil
}

// remove removes the oplog up to and including ts, with the marks and the images of that time, and moves the floor, all in one batch. The
// retry records of that time go before.
func (t *trimmer) remove(ts oplog.Timestamp) error {
	if err := t.removeRetries(ts); err != nil {
		return err
	}
	b := t.store.db.NewBatch()
	defer b.Close()
	for _, kind := range []byte{kindOplog, kindMark, kindImage} {
		if err := b.DeleteRange(timestampKey(kind, 0), timestampKey(kind, ts+1), nil); err != nil {
			return err
		}
	}
	if err := b.Set(floorKey, binary.BigEndian.AppendUint64(nil, uint64(ts+1)), nil); err != nil {
		return err
	}
	return t.store.commit.apply(b)
}

// removeRetries removes the retry records up to and including ts.
func (t *trimmer) removeRetries(ts oplog.Timestamp) error {
	var old [][]byte
	err := t.store.each(kindRetry, func(key, value []byte) error {
		if isRetryUpTo(value, ts) {
			old = append(old, bytes.Clone(key))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for keys := range slices.Chunk(old, retriesAtOnce) {
		b := t.store.db.NewBatch()
		err := t.store.commit.applyWith(b, func() error { return t.deleteRetries(b, keys, ts) })
		if err := errors.Join(err, b.Close()); err != nil {
			return err
		}
	}
	return nil
}

// retriesAtOnce is how many retry records are removed while no commit can come in between.
const retriesAtOnce = 128

// deleteRetries deletes those of the retry records that are still as old: a session that has written meanwhile has put a new one in its
// place. The commit lock is held.
func (t *trimmer) deleteRetries(b *pebble.Batch, keys [][]byte, ts oplog.Timestamp) error {
	for _, key := range keys {
		value, closer, err := t.store.db.Get(key)
		if errors.Is(err, pebble.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		old := isRetryUpTo(value, ts)
		if err := closer.Close(); err != nil {
			return err
		}
		if !old {
			continue
		}
		if err := b.Delete(key, nil); err != nil {
			return err
		}
	}
	return nil
}

// isRetryUpTo reports whether a retry record is of an entry up to and including ts.
func isRetryUpTo(record []byte, ts oplog.Timestamp) bool {
	return len(record) >= retryHeader && oplog.Timestamp(binary.BigEndian.Uint64(record[8:])) <= ts
}
