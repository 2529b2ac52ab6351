package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// Findings is what a check of a collection has found.
type Findings struct {
	At      oplog.Timestamp // the moment that was looked at
	Docs    int64
	Invalid int64 // documents that are not well-formed, or not at their place
	Indexes []IndexFindings
	Errors  []string // what is wrong beside the entries of indexes; the first ones
}

// IndexFindings is what a check has found of one index.
type IndexFindings struct {
	Index          *Index
	Keys           int64          // entries, by the documents
	Missing, Extra []EntryFinding // entries that should be there, and that should not; the first ones
	Errors         []string       // what else is wrong; the first ones

	arrays bool // that it does not know of some is among the errors
}

// EntryFinding is an entry that is missing, or one too many.
type EntryFinding struct {
	ID     bsonraw.Value // of the document; missing when it cannot be told
	Values []byte        // the key of the values
}

// Valid reports whether nothing is wrong.
func (f *Findings) Valid() bool {
	for i := range f.Indexes {
		if !f.Indexes[i].Valid() {
			return false
		}
	}
	return f.Invalid == 0 && len(f.Errors) == 0
}

// Valid reports whether nothing is wrong with the index.
func (f *IndexFindings) Valid() bool { return len(f.Missing)+len(f.Extra)+len(f.Errors) == 0 }

// maxFindings bounds each list of findings.
const maxFindings = 100

func note(list *[]string, format string, args ...any) {
	if len(*list) < maxFindings {
		*list = append(*list, fmt.Sprintf(format, args...))
	}
}

func noteEntry(list *[]EntryFinding, id bsonraw.Value, values []byte) {
	if len(*list) < maxFindings {
		*list = append(*list, EntryFinding{bsonraw.Value{Type: id.Type, Data: bytes.Clone(id.Data)}, bytes.Clone(values)})
	}
}

// check is a check under way.
type check struct {
	*Findings
	view   *Snapshot
	ctx    context.Context
	c      *Collection
	each   func(bsonraw.Doc) error
	steps  int
	listed int64 // entries of the order of insertion, by the documents
}

// Check looks at everything that is stored of a collection, at one moment: whether documents are well-formed and at their place,
// whether each index has their entries and, in full or where the numbers differ, no others. Each is called with every
// document that is well-formed. The result is nil when there is no collection of the name.
func Check(ctx context.Context, s *Store, db, name string, full bool, each func(bsonraw.Doc) error) (*Findings, error) {
	s.commit.mu.Lock()
	snapshot := s.snapshot()
	c := snapshot.catalog.Collection(db, name)
	var kept Stats
	counted := c != nil && c.tally.known.Load()
	if counted {
		kept = c.tally.stats()
	}
	s.commit.mu.Unlock()
	defer snapshot.Close()
	if c == nil {
		return nil, nil
	}
	k := &check{Findings: &Findings{At: snapshot.At}, view: snapshot, ctx: ctx, c: c, each: each}
	for _, x := range c.Indexes {
		k.Indexes = append(k.Indexes, IndexFindings{Index: x})
	}
	found, err := k.documents()
	if err != nil {
		return nil, err
	}
	if counted && kept != found {
		note(&k.Errors, "%d documents of %d bytes are counted, but there are %d of %d bytes", kept.Docs, kept.Bytes, found.Docs, found.Bytes)
	}
	return k.Findings, k.indexes(full)
}

// step looks now and then whether the context has ended.
func (k *check) step() error {
	if k.steps++; k.steps%checkCountEvery == 0 && k.ctx.Err() != nil {
		return contextError(k.ctx)
	}
	return nil
}

// walk calls fn for each key with a prefix.
func (k *check) walk(prefix []byte, fn func(key, value []byte) error) error {
	it, err := k.view.reader.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	for it.First(); it.Valid(); it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = k.step()
		}
		if err == nil {
			err = fn(it.Key(), value)
		}
		if err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return errors.Join(it.Error(), it.Close())
}

func (k *check) documents() (found Stats, err error) {
	err = k.walk(numberedKey(kindDocument, k.c.ID), func(key, value []byte) error {
		found.Docs++
		found.Bytes += int64(max(len(value)-stampLen, 0))
		return k.document(key[5:], value)
	})
	k.Docs = found.Docs
	return found, err
}

// document checks one document and that its entries are there.
func (k *check) document(idKey, value []byte) error {
	if len(value) < stampLen {
		k.Invalid++
		note(&k.Errors, "a document has %d bytes and no room for its timestamp", len(value))
		return nil
	}
	doc := bsonraw.Doc(value[stampLen:])
	if err := bsonraw.Validate(doc, bsonraw.MaxMessageDepth); err != nil {
		k.Invalid++
		note(&k.Errors, "a document is not well-formed: %v", err)
		return nil
	}
	id := doc.Lookup("_id")
	if k.c.Series != nil {
		if !k.c.holdsTime(idKey, doc) {
			k.Invalid++
			note(&k.Errors, "the measurement with the _id %s is stored under another time", id.Shell())
		}
	} else if !bytes.Equal(k.c.AppendIDKey(nil, id), idKey) {
		k.Invalid++
		note(&k.Errors, "the document with the _id %s is stored under another", id.Shell())
	}
	if err := k.each(doc); err != nil {
		return err
	}
	for i := range k.Indexes {
		if err := k.entries(&k.Indexes[i], idKey, doc); err != nil {
			return err
		}
	}
	if k.c.Order != nil {
		return k.place(idKey, id)
	}
	return nil
}

// entries checks that an index has the entries of a document.
func (k *check) entries(f *IndexFindings, idKey []byte, doc bsonraw.Doc) error {
	x := f.Index
	if x.IsID() {
		f.Keys++
		return nil
	}
	keys, err := x.keysOf(doc)
	if err != nil {
		note(&f.Errors, "the document with the _id %s cannot be indexed: %v", doc.Lookup("_id").Shell(), err)
		return nil
	}
	if keys.arrays != nil && !f.arrays {
		f.arrays = true
		note(&f.Errors, "documents have arrays that the index does not know of, the one with the _id %s for one", doc.Lookup("_id").Shell())
	}
	for _, values := range keys.keys {
		f.Keys++
		value, ok, err := k.get(x.entryKey(nil, values, idKey))
		if err != nil {
			return err
		}
		if !ok || len(value) != 4 || int(binary.BigEndian.Uint32(value)) != len(idKey) {
			noteEntry(&f.Missing, doc.Lookup("_id"), values)
		}
	}
	return nil
}

// place checks that a document is in the order of insertion.
func (k *check) place(idKey []byte, id bsonraw.Value) error {
	k.listed++
	stamp, ok, err := k.get(append(numberedKey(kindPlace, k.c.ID), idKey...))
	if err == nil && ok {
		_, ok, err = k.get(k.c.Order.entryKey(nil, stamp, idKey))
	}
	if err == nil && !ok {
		note(&k.Errors, "the document with the _id %s is missing in the order of insertion", id.Shell())
	}
	return err
}

func (k *check) get(key []byte) (value []byte, ok bool, err error) {
	value, closer, err := k.view.reader.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, k.view.failed.get()
	}
	if err != nil {
		return nil, false, err
	}
	return bytes.Clone(value), true, closer.Close()
}

// indexes checks that indexes have no more entries than the documents give.
func (k *check) indexes(full bool) error {
	for i := range k.Indexes {
		f := &k.Indexes[i]
		if f.Index.IsID() {
			continue
		}
		n, err := k.count(f.Index)
		if err == nil && (full || n != f.Keys || len(f.Missing) > 0) {
			err = k.extra(f)
		}
		if err != nil {
			return err
		}
	}
	if k.c.Order == nil {
		return nil
	}
	n, err := k.count(k.c.Order)
	if err == nil && n != k.listed {
		note(&k.Errors, "the order of insertion has %d entries for %d documents", n, k.listed)
	}
	return err
}

func (k *check) count(x *Index) (n int64, err error) {
	err = k.walk(numberedKey(kindIndex, x.ID), func(_, _ []byte) error {
		n++
		return nil
	})
	return n, err
}

// extra finds the entries of an index that no document gives.
func (k *check) extra(f *IndexFindings) error {
	x := f.Index
	return k.walk(numberedKey(kindIndex, x.ID), func(key, value []byte) error {
		if len(value) != 4 || int64(binary.BigEndian.Uint32(value)) > int64(len(key)-5) {
			note(&f.Errors, "an entry does not tell where its _id begins")
			return nil
		}
		values, idKey := splitEntry(key, value)
		stored, ok, err := k.get(append(numberedKey(kindDocument, k.c.ID), idKey...))
		if err != nil {
			return err
		}
		var id bsonraw.Value
		if ok && len(stored) > stampLen && bsonraw.Validate(stored[stampLen:], bsonraw.MaxMessageDepth) == nil {
			doc := bsonraw.Doc(stored[stampLen:])
			if keys, err := x.keysOf(doc); err == nil && containsKey(keys.keys, values) {
				return nil
			}
			id = doc.Lookup("_id")
		}
		noteEntry(&f.Extra, id, values)
		return nil
	})
}
