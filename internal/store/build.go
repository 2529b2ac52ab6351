package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Build makes the entries of new indexes while their collection is read and written: see [Store.StartBuild]. It is used by one
// goroutine, but for Done and Kill.
//
// The scan reads the documents as they are when it comes to them, and writes their entries. Whoever writes a document from the
// start of the build on also logs which entries that takes away and adds, in the same commit. The log is applied when the scan is
// over. This is right whatever the scan saw of a document: it wrote the entries of one of its states, and of the log's records
// for this document, which are in the order of its states, those behind that state take them away again, and those before it
// are overtaken by those behind.
type Build struct {
	UUID    [16]byte
	Indexes []*Index

	store   *Store
	coll    *Collection // as it was when the build began
	seq     atomic.Uint64
	killed  atomic.Pointer[mongoerr.Error]
	done    chan struct{}
	checked bool // unique indexes were looked through: from now on what is applied is looked at
	suspect map[suspect]struct{}
	many    bool // there were more suspects than are kept
}

// suspect is a unique entry that two documents had at some moment of the build.
type suspect struct {
	index  int
	values string
}

// maxSuspects bounds how many suspects a build keeps. With more of them it looks through the whole index at its end.
const maxSuspects = 10_000

// builds are the builds under way on a collection.
type builds struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*Build]
}

// Builds returns the index builds under way. The list does not change.
func (s *Shared) Builds() []*Build {
	if list := s.builds.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (b *builds) change(fn func([]*Build) []*Build) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []*Build
	if old := b.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = fn(list)
	b.list.Store(&list)
}

// StartBuild begins to build indexes that nobody else knows, by [Change.NewIndex]. The caller holds the lock of the collection
// exclusively, so that no write is under way, and gives it back then. Fill follows without the lock, Finish under it again;
// Close ends the build, whatever came of it.
func (s *Store) StartBuild(c *Collection, uuid [16]byte, indexes []*Index) *Build {
	b := &Build{UUID: uuid, Indexes: indexes, store: s, coll: c, done: make(chan struct{}), suspect: map[suspect]struct{}{}}
	c.builds.change(func(list []*Build) []*Build { return append(list, b) })
	return b
}

// Done is closed when the build has ended.
func (b *Build) Done() <-chan struct{} { return b.done }

// Kill has the build fail with an error of the code IndexBuildAborted. The caller holds the collection's lock exclusively.
func (b *Build) Kill(reason string) {
	b.killed.CompareAndSwap(nil, mongoerr.New(mongoerr.IndexBuildAborted, "Index build aborted: %x: %s", b.UUID, reason))
}

// check returns the error that ends the build from outside.
func (b *Build) check(ctx context.Context) error {
	if err := b.killed.Load(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return nil
}

// Close ends the build. What it wrote is deleted unless the indexes are in the catalog.
func (b *Build) Close(kept bool) error {
	b.coll.builds.change(func(list []*Build) []*Build {
		return slices.DeleteFunc(list, func(other *Build) bool { return other == b })
	})
	close(b.done)
	if b.store.failed.get() != nil {
		return nil //nolint:nilerr // the store tells of its failure itself, and nothing can be deleted any more
	}
	batch := b.store.db.NewBatch()
	for _, x := range b.Indexes {
		kinds := []byte{kindBuildLog, kindIndex, kindMultikey}
		if kept {
			kinds = kinds[:1]
		}
		for _, kind := range kinds {
			prefix := numberedKey(kind, x.ID)
			if err := batch.DeleteRange(prefix, after(prefix), nil); err != nil {
				return err
			}
		}
	}
	return b.apply(batch)
}

// apply writes a batch of the build. It need not be durable: a build that was not finished is forgotten when the store is opened
// again, and its end waits for all that came before.
func (b *Build) apply(batch *pebble.Batch) error {
	return errors.Join(b.store.commit.apply(batch), batch.Close())
}

const (
	scanDocs  = 1000 // after so many documents, or so many bytes of entries, the scan lets go of the store
	scanBytes = 1 << 20
	// lastRecords is how much of the log may be left for the end, when nobody else may write.
	lastRecords = 500
	maxCatchUps = 50
)

// Fill makes the entries of all documents and catches up with what was written meanwhile.
func (b *Build) Fill(ctx context.Context) error {
	var skipped [][]byte
	for next := []byte(nil); ; {
		var err error
		if next, err = b.scan(next, &skipped); err != nil {
			return err
		}
		if err := b.check(ctx); err != nil {
			return err
		}
		if next == nil {
			break
		}
	}
	if err := b.recheck(skipped); err != nil {
		return err
	}
	for i := range maxCatchUps {
		if i == 1 {
			if err := b.lookThrough(ctx); err != nil {
				return err
			}
		}
		n, err := b.applyLog(ctx)
		if err != nil {
			return err
		}
		if n < lastRecords && i > 0 {
			break
		}
	}
	return b.check(ctx)
}

// scan writes the entries of some documents from a key of _id on, and returns where it goes on, nil at the end. Documents that
// cannot be indexed are skipped.
func (b *Build) scan(from []byte, skipped *[][]byte) (next []byte, err error) {
	docs, err := b.store.Docs(b.coll, Range{From: from}, false)
	if err != nil {
		return nil, err
	}
	batch := b.store.db.NewBatch()
	for n := 0; docs.Next(); n++ {
		if n == scanDocs || batch.Len() > scanBytes {
			next = bytes.Clone(docs.IDKey())
			break
		}
		for _, x := range b.Indexes {
			keys, err := x.keysOf(docs.Doc())
			if err != nil && len(*skipped) < maxSuspects {
				*skipped = append(*skipped, bytes.Clone(docs.IDKey()))
				continue
			}
			if err == nil {
				err = b.add(batch, x, docs.IDKey(), keys)
			}
			if err != nil {
				return nil, errors.Join(err, docs.Close(), batch.Close())
			}
		}
	}
	if err := docs.Close(); err != nil {
		return nil, errors.Join(err, batch.Close())
	}
	return next, b.apply(batch)
}

func (b *Build) add(batch *pebble.Batch, x *Index, idKey []byte, keys indexKeys) error {
	for _, k := range keys.keys {
		if err := batch.Set(x.entryKey(nil, k, idKey), entryValue(idKey), nil); err != nil {
			return err
		}
	}
	return x.noteArrays(b.store, keys.arrays)
}

// recheck looks again at documents that could not be indexed: whoever has changed one since has logged its entries, and could not
// make it such a document again.
func (b *Build) recheck(skipped [][]byte) error {
	for _, idKey := range skipped {
		doc, _, ok, err := b.store.GetOnce(nil, b.coll, idKey)
		if err != nil {
			return err
		}
		for _, x := range b.Indexes {
			if !ok {
				break
			}
			if _, err := x.keysOf(doc); err != nil {
				return err
			}
		}
	}
	return nil
}

// Finish applies what is left of the log, and fails if a unique index has an entry of two documents (11000). The caller holds the
// collection's lock exclusively until the indexes are in the catalog or the build is closed.
func (b *Build) Finish(ctx context.Context) error {
	for {
		n, err := b.applyLog(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	if b.many {
		clear(b.suspect)
		b.many = false
		if err := b.lookThrough(ctx); err != nil {
			return err
		}
	}
	list := make([]suspect, 0, len(b.suspect))
	for one := range b.suspect {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b suspect) int {
		if a.index != b.index {
			return a.index - b.index
		}
		return bytes.Compare([]byte(a.values), []byte(b.values))
	})
	for _, one := range list {
		if err := b.judge(b.Indexes[one.index], []byte(one.values)); err != nil {
			return err
		}
	}
	return b.check(ctx)
}

// judge returns the error of an entry that two documents have.
func (b *Build) judge(x *Index, values []byte) error {
	it, err := b.store.Entries(x, Range{From: values, To: after(values)}, false)
	if err != nil {
		return err
	}
	var second []byte
	for n := 0; second == nil && it.Next(); {
		if bytes.Equal(it.values, values) {
			if n++; n == 2 {
				second = bytes.Clone(it.idKey)
			}
		}
	}
	if err := it.Close(); err != nil || second == nil {
		return err
	}
	doc, _, _, err := b.store.GetOnce(nil, b.coll, second)
	if err != nil {
		return err
	}
	return DuplicateKey(b.coll, x, doc, values)
}

// lookThrough notes the unique entries that several documents have.
func (b *Build) lookThrough(ctx context.Context) error {
	b.checked = true
	for i, x := range b.Indexes {
		if !x.Unique {
			continue
		}
		it, err := b.store.Entries(x, Range{}, false)
		if err != nil {
			return err
		}
		var last []byte
		for n := 1; it.Next(); n++ {
			if n%scanDocs == 0 {
				if err := b.check(ctx); err != nil {
					return errors.Join(err, it.Close())
				}
			}
			if bytes.Equal(last, it.values) {
				b.note(i, last)
			}
			last = append(last[:0], it.values...)
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Build) note(index int, values []byte) {
	if len(b.suspect) >= maxSuspects {
		b.many = true
		return
	}
	b.suspect[suspect{index, string(values)}] = struct{}{}
}

// entryValue is the value of an index entry: the length of the key of _id in its key.
func entryValue(idKey []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(len(idKey)))
}
