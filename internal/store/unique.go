package store

import (
	"bytes"
	"context"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// LatchDocs waits until the caller alone may write the documents with these keys of _id. Latches come after a collection's
// lock and before the commit lock, those of documents before those of unique entries.
func (l *latches) LatchDocs(ctx context.Context, c *Collection, idKeys ...[]byte) (Held, error) {
	keys := make([]Latch, len(idKeys))
	for i, k := range idKeys {
		keys[i] = l.key(kindDocument, c.ID, k)
	}
	return l.acquire(ctx, keys)
}

// LatchUnique waits until the caller alone may write the unique index entries of these documents.
func (l *latches) LatchUnique(ctx context.Context, c *Collection, docs ...bsonraw.Doc) (Held, error) {
	var keys []Latch
	for _, x := range c.Indexes {
		if !x.Unique || x.IsID() {
			continue
		}
		for _, doc := range docs {
			entries, err := x.keysOf(doc)
			if err != nil {
				return Held{}, err
			}
			for _, k := range entries.keys {
				keys = append(keys, l.key(kindIndex, x.ID, k))
			}
		}
	}
	return l.acquire(ctx, keys)
}

// CheckUnique returns a duplicate key error (11000) if another document has a unique entry of doc. The caller holds the
// latches, so the answer stays true until it commits.
func (r reader) CheckUnique(c *Collection, idKey []byte, doc bsonraw.Doc) error {
	for _, x := range c.Indexes {
		if !x.Unique || x.IsID() {
			continue
		}
		entries, err := x.keysOf(doc)
		if err != nil {
			return err
		}
		for _, k := range entries.keys {
			taken, err := r.takenByOther(x, k, idKey)
			if err != nil {
				return err
			}
			if taken {
				return DuplicateKey(c, x, doc)
			}
		}
	}
	return nil
}

func (r reader) takenByOther(x *Index, values, idKey []byte) (bool, error) {
	it, err := r.Entries(x, Range{From: values, To: after(values)}, false)
	if err != nil {
		return false, err
	}
	for it.Next() {
		if bytes.Equal(it.values, values) && !bytes.Equal(it.idKey, idKey) {
			return true, it.Close()
		}
	}
	return false, it.Close()
}

// DuplicateKey makes the error that a document's entry in a unique index is taken, with keyPattern and keyValue.
func DuplicateKey(c *Collection, x *Index, doc bsonraw.Doc) error {
	value, at := bsonraw.BeginDoc(nil)
	for _, f := range x.Fields {
		v, rest := walk(doc, f.parts)
		if len(rest) > 0 && v.Type == bsonraw.TypeArray {
			v = firstThrough(v.Doc(), rest)
		}
		if v.IsMissing() {
			v = bsonraw.NullValue
		}
		value = bsonraw.AppendValue(value, f.Path, v)
	}
	value = bsonraw.EndDoc(value, at)
	extra := bsonraw.AppendDoc(nil, "keyPattern", x.Key)
	extra = bsonraw.AppendDoc(extra, "keyValue", bsonraw.Doc(value))
	return mongoerr.New(mongoerr.DuplicateKey, "E11000 duplicate key error collection: %s index: %s dup key: %s",
		c.NS(), x.Name, bsonraw.Doc(value).Shell()).WithExtra(extra)
}

// firstThrough finds the first value that a path leads to within an array's elements.
func firstThrough(array bsonraw.Doc, path []string) bsonraw.Value {
	for it := array.Iter(); it.Next(); {
		if v := it.Value(); v.Type == bsonraw.TypeDocument {
			if found, rest := walk(v.Doc(), path); len(rest) == 0 && !found.IsMissing() {
				return found
			}
		}
	}
	return bsonraw.Value{}
}
