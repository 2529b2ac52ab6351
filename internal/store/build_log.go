package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// What writers log for the builds under way: a record an entry that goes or comes. Its value is one byte, whether the entry comes,
// the length of the key of _id (4), and the entry's key within its index.
const (
	logGone   = 0
	logAdded  = 1
	logHeader = 1 + 4
)

// buildEntries is what a write changes in an index that is being built.
type buildEntries struct {
	build       *Build
	index       *Index
	before, now indexKeys
}

// buildKeysOf computes the entries of a document, which may be nil before or after, in all indexes that are being built.
func buildKeysOf(c *Collection, old, doc bsonraw.Doc) ([]buildEntries, error) {
	var list []buildEntries
	for _, b := range c.Builds() {
		for _, x := range b.Indexes {
			of := buildEntries{build: b, index: x}
			var err error
			if doc != nil {
				if of.now, err = x.keysOf(doc); err != nil {
					return nil, err
				}
			}
			if old != nil {
				if of.before, err = x.keysOf(old); err != nil {
					of.before = indexKeys{} // it is from before the build, and has no entries
				}
			}
			list = append(list, of)
		}
	}
	return list, nil
}

// logBuilds logs what a write changes for the builds under way.
func (w *Write) logBuilds(list []buildEntries, idKey []byte) error {
	for _, of := range list {
		for _, k := range of.before.keys {
			if !containsKey(of.now.keys, k) {
				if err := w.logEntry(of, logGone, k, idKey); err != nil {
					return err
				}
			}
		}
		for _, k := range of.now.keys {
			// An entry that stays is logged too: the scan may have seen a state without it.
			if err := w.logEntry(of, logAdded, k, idKey); err != nil {
				return err
			}
		}
		if err := of.index.noteArrays(w.store, of.now.arrays); err != nil {
			return err
		}
	}
	return nil
}

func (w *Write) logEntry(of buildEntries, what byte, values, idKey []byte) error {
	key := binary.BigEndian.AppendUint64(numberedKey(kindBuildLog, of.index.ID), of.build.seq.Add(1))
	value := append(make([]byte, 0, logHeader+len(values)+len(idKey)), what)
	value = binary.BigEndian.AppendUint32(value, uint32(len(idKey)))
	return w.set(key, append(append(value, values...), idKey...))
}

// applyLog applies the log as it is now, and returns how many records it had. Each is deleted by itself: one with a lower number
// may still come, from a commit that was later; those of one document come in their order.
func (b *Build) applyLog(ctx context.Context) (n int, err error) {
	for i, x := range b.Indexes {
		applied, err := b.applyLogOf(ctx, i, x)
		n += applied
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (b *Build) applyLogOf(ctx context.Context, index int, x *Index) (n int, err error) {
	it, err := b.store.reader.db.NewIter(bounds(numberedKey(kindBuildLog, x.ID), Range{}))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, it.Error(), it.Close()) }()
	c := catchUp{Build: b, index: index, batch: b.store.db.NewBatch(), added: map[string]struct{}{}}
	for it.First(); it.Valid(); it.Next() {
		record, err := it.ValueAndErr()
		if err == nil {
			n++
			err = errors.Join(c.batch.Delete(it.Key(), nil), c.apply(record))
		}
		if err == nil && c.batch.Len() > scanBytes {
			if err = b.apply(c.batch); err != nil {
				return n, err
			}
			c.batch = b.store.db.NewBatch()
			clear(c.added)
			err = b.check(ctx)
		}
		if err != nil {
			return n, errors.Join(err, c.batch.Close())
		}
	}
	return n, b.apply(c.batch)
}

// catchUp applies records of the log for one index.
type catchUp struct {
	*Build
	index int
	batch *pebble.Batch
	added map[string]struct{} // unique values in the batch, which cannot be read yet
}

func (c *catchUp) apply(record []byte) error {
	x := c.Indexes[c.index]
	if len(record) < logHeader {
		return fmt.Errorf("log of the build of index %q: a record has %d bytes", x.Name, len(record))
	}
	n := int(binary.BigEndian.Uint32(record[1:]))
	entry := record[logHeader:]
	values, idKey := entry[:len(entry)-n], entry[len(entry)-n:]
	key := x.entryKey(nil, values, idKey)
	if record[0] == logGone {
		return c.batch.Delete(key, nil)
	}
	if x.Unique && c.checked {
		_, taken := c.added[string(values)]
		var err error
		if !taken {
			taken, err = c.store.takenByOther(x, values, idKey)
		}
		if err != nil {
			return err
		}
		if taken {
			c.note(c.index, values)
		}
		c.added[string(values)] = struct{}{}
	}
	return c.batch.Set(key, entryValue(idKey), nil)
}

// forgetBuilds deletes what builds left that were under way when the store was closed: the logs, and whatever belongs to indexes
// that the catalog does not have, whose numbers are given out again.
func forgetBuilds(s *Store, known map[uint32]*Index) error {
	batch := s.db.NewBatch()
	defer batch.Close()
	if err := batch.DeleteRange([]byte{kindBuildLog}, []byte{kindBuildLog + 1}, nil); err != nil {
		return err
	}
	for _, kind := range []byte{kindIndex, kindMultikey} {
		it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kind}, UpperBound: []byte{kind + 1}})
		if err != nil {
			return err
		}
		for valid := it.First(); valid; {
			id := binary.BigEndian.Uint32(it.Key()[1:])
			prefix := numberedKey(kind, id)
			if known[id] == nil {
				if err := batch.DeleteRange(prefix, after(prefix), nil); err != nil {
					return errors.Join(err, it.Close())
				}
			}
			valid = it.SeekGE(after(prefix))
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil {
			return err
		}
	}
	return s.commit.apply(batch)
}
