package store

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// imageKeyLen is the length of an image's key: kind, timestamp, index of the operation in its transaction.
const imageKeyLen = 1 + 8 + 4

// image keeps a document as it was before an operation of the entry that was logged last: the one of that index, which is 0 for
// the only one of an entry.
func (w *Write) image(old bsonraw.Doc, index int32) {
	if w.txn != nil {
		w.txn.image(old)
		return
	}
	op := w.batch.SetDeferred(imageKeyLen, len(old))
	clear(op.Key)
	op.Key[0] = kindImage
	binary.BigEndian.PutUint32(op.Key[imageKeyLen-4:], uint32(index))
	copy(op.Value, old)
	w.finish(op)
	keyAt := w.batch.Len() - len(old) - uvarintLen(len(old)) - imageKeyLen
	w.patches = append(w.patches, patch{keyAt + 1, len(w.records) - 1, false})
}

// images gives out the documents as they were before they changed, and deletes those that have expired.
type images struct {
	commit  *committer
	db      *pebble.DB
	failure *failure
	expiry  atomic.Pointer[ImageExpiry] // nil: never set
	setter  sync.Mutex                  // one change of the expiry at a time
}

// PreImage returns the document as it was before an operation; nil when that was not recorded, or is kept no longer. The
// operation is that of the timestamp, and in a transaction the one of that index: it has one document, so the collection's UUID
// adds nothing.
func (m *images) PreImage(_ context.Context, _ [16]byte, ts oplog.Timestamp, index int32) (bsonraw.Doc, error) {
	return m.preImage(ts, index, time.Now())
}

func (m *images) preImage(ts oplog.Timestamp, index int32, now time.Time) (bsonraw.Doc, error) {
	if ts < m.ImageExpiry().cutoff(now) {
		return nil, nil
	}
	key := binary.BigEndian.AppendUint32(timestampKey(kindImage, ts), uint32(index))
	value, closer, err := m.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, m.failure.get()
	}
	if err != nil {
		return nil, err
	}
	return bsonraw.Doc(value).Clone(), closer.Close()
}

// ImageExpiry says how long images are kept at most. They never outlive the oplog entries of their operations.
type ImageExpiry struct {
	Seconds int64           // 0: as long as the oplog
	SetAt   oplog.Timestamp // when it was set; 0: never
}

// cutoff returns the timestamp before which images are no longer given out.
func (e ImageExpiry) cutoff(now time.Time) oplog.Timestamp {
	if e.Seconds == 0 {
		return 0
	}
	return oplog.MakeTimestamp(uint32(max(now.Unix()-e.Seconds, 0)), 0)
}

var imageExpiryKey = metaKey("image expiry")

// ImageExpiry returns how long images are kept.
func (m *images) ImageExpiry() ImageExpiry {
	if e := m.expiry.Load(); e != nil {
		return *e
	}
	return ImageExpiry{}
}

// SetImageExpiry sets how long images are kept. It is durable when SetImageExpiry returns.
func (m *images) SetImageExpiry(e ImageExpiry) (err error) {
	m.setter.Lock()
	defer m.setter.Unlock()
	if err := m.failure.get(); err != nil {
		return err
	}
	defer m.failure.guard(&err)
	value := binary.BigEndian.AppendUint64(nil, uint64(e.Seconds))
	value = binary.BigEndian.AppendUint64(value, uint64(e.SetAt))
	if err := m.commit.set(imageExpiryKey, value); err != nil {
		return err
	}
	if err := m.commit.sync(); err != nil {
		return err
	}
	m.expiry.Store(&e)
	return nil
}

// loadExpiry reads the setting when the store is opened.
func (m *images) loadExpiry() error {
	value, closer, err := m.db.Get(imageExpiryKey)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(value) == 16 {
		m.expiry.Store(&ImageExpiry{
			Seconds: int64(binary.BigEndian.Uint64(value)),
			SetAt:   oplog.Timestamp(binary.BigEndian.Uint64(value[8:])),
		})
	}
	return closer.Close()
}

// imagesExpireEvery is how often images that have expired are deleted. Nobody sees them before that either.
const imagesExpireEvery = 10 * time.Second

// deleteExpired deletes the images that have expired.
func (m *images) deleteExpired(now time.Time) error {
	cutoff := m.ImageExpiry().cutoff(now)
	if cutoff == 0 {
		return nil
	}
	from, to := timestampKey(kindImage, 0), timestampKey(kindImage, cutoff)
	it, err := m.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	some := it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil || !some {
		return err
	}
	b := m.db.NewBatch()
	defer b.Close()
	if err := b.DeleteRange(from, to, nil); err != nil {
		return err
	}
	return m.commit.apply(b)
}
