package store

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Write is one commit in the making: documents, index entries, oplog entries and the record of a retryable write, which enter
// the store together or not at all. It is used by one goroutine and ends with Commit or Discard.
type Write struct {
	store   *Store
	batch   *pebble.Batch
	txn     *txnWrite // of a transaction, which takes what the write has in place of the batch; else nil
	ofTxn   txnWrite  // the memory of that
	records []record
	patches []patch
	counts  []countChange
	rows    rowChanges            // of documents that are not new
	apply   func(oplog.Timestamp) // runs under the commit lock once the batch is in
	inserts inserts
	stmt    int // the record of the last statement of a retryable write, from 1; 0: there is none
	scratch []byte
	keys    []byte // of what is inserted
	encoded []byte // the entries

	// Awaited says that who commits calls [Store.WaitDurable] for it at once, or [Store.SyncSoon]: nobody else need see to it that
	// it becomes durable.
	Awaited bool
}

// record is an encoded oplog entry that waits for its timestamp.
type record struct {
	at, end int    // where it is among the encoded ones
	own     []byte // it, where it is large and has memory of its own; else nil
	places  oplog.Places
}

// patch is a place in the batch that takes the timestamp of an entry when it is known.
type patch struct {
	at     int
	record int
	little bool // as BSON has it; keys and prefixes are big-endian
}

type countChange struct {
	shared  *Shared
	by      Stats
	deletes bool // some document
}

// NewWrite begins a write.
func (s *Store) NewWrite() *Write {
	w, _ := s.writes.Get().(*Write)
	if w == nil {
		w = &Write{store: s}
	}
	w.batch = s.db.NewBatch()
	return w
}

// Discard drops everything.
func (w *Write) Discard() {
	if w.batch != nil {
		_ = w.batch.Close()
	}
	w.recycle()
}

func (w *Write) recycle() {
	clear(w.inserts)
	clear(w.records)
	w.ofTxn.clear()
	*w = Write{
		store: w.store, records: w.records[:0], patches: w.patches[:0], counts: w.counts[:0], rows: w.rows[:0], inserts: w.inserts[:0],
		scratch: w.scratch[:0], keys: w.keys[:0], encoded: w.encoded[:0], ofTxn: w.ofTxn,
	}
	if cap(w.encoded) > keptScratch {
		w.encoded = nil
	}
	if max(cap(w.records), cap(w.patches), cap(w.rows), cap(w.inserts)) > keptRecords {
		w.records, w.patches, w.rows, w.inserts, w.keys = nil, nil, nil, nil, nil
	}
	w.store.writes.Put(w)
}

// Log adds an oplog entry; its timestamp follows at commit. What e holds is copied.
func (w *Write) Log(e *oplog.Entry) {
	if e.Wall == 0 {
		e.Wall = time.Now().UnixMilli()
	}
	if w.txn != nil {
		w.txn.log(e)
		return
	}
	if e.HasStmtID {
		if w.stmt > 0 {
			e.Back = len(w.records) + 1 - w.stmt
		}
		w.stmt = len(w.records) + 1
	}
	at := len(w.encoded)
	encoded, places := e.Append(w.encoded)
	w.encoded = encoded
	raw := encoded[at:]
	op := w.batch.SetDeferred(9, len(raw))
	op.Key[0] = kindOplog
	copy(op.Value, raw)
	w.finish(op)
	valueAt := w.batch.Len() - len(raw)
	r := record{at: at, end: len(encoded), places: places}
	if len(raw) > largeEntry {
		r.own = bytes.Clone(raw)
		w.encoded = encoded[:at]
	}
	w.records = append(w.records, r)
	w.patches = append(w.patches,
		patch{valueAt - uvarintLen(len(raw)) - 8, len(w.records) - 1, false},
		patch{valueAt + places.TS, len(w.records) - 1, true})
	if places.Prev != 0 {
		w.patches = append(w.patches, patch{valueAt + places.Prev, len(w.records) - 1 - places.Back, true})
	}
}

const (
	// keptScratch is how much memory a write that is over leaves to the next one.
	keptScratch = 512 << 10
	// keptRecords is for how many entries.
	keptRecords = 4096
	// largeEntry is the size from which on an entry has memory of its own.
	largeEntry = 64 << 10
)

// raw is the encoded entry. Those that have no memory of their own are in encoded.
func (r *record) raw(encoded []byte) []byte {
	if r.own != nil {
		return r.own
	}
	return encoded[r.at:r.end:r.end]
}

// entries copies the encoded entries to where they stay while they are in the tail, in no more memory than they need. While the tail
// has one of them it has all but the large ones.
func (w *Write) entries() []logged {
	kept := bytes.Clone(w.encoded)
	entries := make([]logged, len(w.records))
	for i := range w.records {
		entries[i].raw = w.records[i].raw(kept)
	}
	return entries
}

// finish completes an operation of the batch. It fails only for batches that can be read, which these are not.
func (w *Write) finish(op *pebble.DeferredBatchOp) {
	if err := op.Finish(); err != nil {
		panic(err)
	}
}

func uvarintLen(n int) int {
	l := 1
	for ; n >= 0x80; n >>= 7 {
		l++
	}
	return l
}

// Insert adds a document that is not there yet, with its index entries. idKey is the key of its _id, e its entry. Into a capped collection
// only one document is inserted by a write, since it may push others out.
func (w *Write) Insert(c *Collection, idKey []byte, d Indexed, e *oplog.Entry) error {
	if err := w.index(c, idKey, nil, d); err != nil {
		return err
	}
	w.Log(e)
	if w.txn != nil {
		w.txn.put(c, idKey, d.Doc, true)
	} else {
		at := len(w.keys)
		w.keys = append(appendNumbered(w.keys, kindDocument, c.ID), idKey...)
		w.inserts = append(w.inserts, inserted{c.Shared, w.keys[at:len(w.keys):len(w.keys)], len(w.records) - 1, len(d.Doc)})
	}
	w.counted(c, Stats{1, int64(len(d.Doc))})
	if c.Order != nil {
		return w.enlist(c, idKey, len(d.Doc))
	}
	return nil
}

// Update replaces a document, the old one as it stands, by its successor with the same _id. Where the collection has images the
// old one is kept.
func (w *Write) Update(c *Collection, idKey []byte, old bsonraw.Doc, d Indexed, e *oplog.Entry) error {
	if err := w.index(c, idKey, old, d); err != nil {
		return err
	}
	w.Log(e)
	if c.Images {
		w.image(old, 0)
	}
	w.put(c, idKey, d.Doc)
	w.counted(c, Stats{0, int64(len(d.Doc) - len(old))})
	return nil
}

// Delete removes a document. Where the collection has images it is kept as one.
func (w *Write) Delete(c *Collection, idKey []byte, old bsonraw.Doc, e *oplog.Entry) error {
	if err := w.index(c, idKey, old, Indexed{}); err != nil {
		return err
	}
	w.Log(e)
	if c.Images {
		w.image(old, 0)
	}
	w.scratch = append(appendNumbered(w.scratch[:0], kindDocument, c.ID), idKey...)
	w.counted(c, Stats{-1, -int64(len(old))})
	if err := w.delete(w.scratch); err != nil || c.Order == nil {
		return err
	}
	return w.delist(c, idKey)
}

// put stores a document behind the timestamp of the entry that was logged last.
func (w *Write) put(c *Collection, idKey []byte, doc bsonraw.Doc) {
	if w.txn != nil {
		w.txn.put(c, idKey, doc, false)
		return
	}
	w.scratch = append(appendNumbered(w.scratch[:0], kindDocument, c.ID), idKey...)
	putStamped(w, w.scratch, doc, len(w.records)-1)
	w.rows.add(w.batch, w.scratch, stampLen+len(doc))
}

// putStamped stores a document behind the timestamp of a record.
func putStamped(w *Write, key []byte, doc bsonraw.Doc, record int) {
	op := w.batch.SetDeferred(len(key), stampLen+len(doc))
	copy(op.Key, key)
	copy(op.Value[stampLen:], doc)
	w.finish(op)
	w.patches = append(w.patches, patch{w.batch.Len() - stampLen - len(doc), record, false})
}

// inserts are documents that enter the batch when all are known.
type inserts []inserted

type inserted struct {
	shared *Shared
	key    []byte
	record int // that has the document
	length int
}

// put stores the documents in the order of their keys: Pebble then finds the place of each beside the one before.
func (l inserts) put(w *Write) {
	slices.SortFunc(l, func(a, b inserted) int { return bytes.Compare(a.key, b.key) })
	for _, n := range l {
		r := &w.records[n.record]
		doc := r.raw(w.encoded)[r.places.O:]
		putStamped(w, n.key, doc[:n.length], n.record)
	}
	l.note(w.store)
}

// fewInserts is how many new keys are noted one by one.
const fewInserts = 16

// note notes the keys, which are in order, before they enter the store.
func (l inserts) note(s *Store) {
	for i, n := range l {
		switch {
		case len(l) <= fewInserts:
			n.shared.recent.add(n.key, s.reader.db)
		case i == len(l)-1 || l[i+1].shared != n.shared:
			n.shared.recent.addMany(n.key, s.reader.db)
		}
	}
}

// set stores a key that takes no timestamp.
func (w *Write) set(key, value []byte) error {
	if w.txn != nil {
		w.txn.set(key, value)
		return nil
	}
	return w.batch.Set(key, value, nil)
}

func (w *Write) delete(key []byte) error {
	if w.txn != nil {
		w.txn.delete(key)
		return nil
	}
	if err := w.batch.Delete(key, nil); err != nil {
		return err
	}
	if key[0] == kindDocument {
		w.rows.add(w.batch, key, 0)
	}
	return nil
}

func (w *Write) counted(c *Collection, by Stats) {
	if n := len(w.counts); n > 0 && w.counts[n-1].shared == c.Shared {
		w.counts[n-1].by.Docs += by.Docs
		w.counts[n-1].by.Bytes += by.Bytes
		w.counts[n-1].deletes = w.counts[n-1].deletes || by.Docs < 0
		return
	}
	w.counts = append(w.counts, countChange{c.Shared, by, by.Docs < 0})
}

// index brings the entries of all indexes from the old document to the new one; the old one may be nil, the new one empty. Nothing is
// written when a document cannot be indexed.
func (w *Write) index(c *Collection, idKey []byte, old bsonraw.Doc, d Indexed) error {
	if d.refused != nil {
		return d.refused
	}
	building, err := buildKeysOf(c, old, d.Doc)
	if err != nil || len(c.Indexes) == 1 && building == nil {
		return err
	}
	before := c.Indexed(old)
	if before.refused != nil {
		return before.refused
	}
	for i, x := range c.Indexes {
		if err := w.indexEntries(x, idKey, before.of(i).keys, d.of(i).keys); err != nil {
			return err
		}
		if err := x.noteArrays(w.store, d.of(i).arrays); err != nil {
			return err
		}
	}
	return w.logBuilds(building, idKey)
}

func (w *Write) indexEntries(x *Index, idKey []byte, before, now [][]byte) error {
	for _, k := range before {
		if !containsKey(now, k) {
			w.scratch = x.entryKey(w.scratch[:0], k, idKey)
			if err := w.delete(w.scratch); err != nil {
				return err
			}
		}
	}
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(idKey)))
	for _, k := range now {
		if !containsKey(before, k) {
			w.scratch = x.entryKey(w.scratch[:0], k, idKey)
			if err := w.set(w.scratch, length[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// containsKey looks for a key among sorted ones.
func containsKey(keys [][]byte, k []byte) bool {
	_, found := slices.BinarySearchFunc(keys, k, bytes.Compare)
	return found
}
