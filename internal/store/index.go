package store

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Index is one index of a collection.
type Index struct {
	ID        uint32
	Name      string
	Spec      bsonraw.Doc // as listIndexes shows it
	Key       bsonraw.Doc // the key pattern
	Unique    bool
	Sparse    bool
	Clustered bool // the one on _id of a clustered collection
	Fields    []IndexField

	// multikey has a bit for each field whose path has ever met an array. It is set before the commit that makes it so, and
	// never taken back: a plan that takes an index for multikey is slower, never wrong.
	multikey atomic.Uint64
	walks    sync.Pool // of *bsonraw.KeyWalk over the fields
}

// IndexField is one field of a key pattern.
type IndexField struct {
	Path       string
	Descending bool
}

// NewIndex makes an index from its specification, which the caller has checked.
func NewIndex(spec bsonraw.Doc) (*Index, error) {
	x := &Index{Spec: spec}
	for it := spec.Iter(); it.Next(); {
		switch v := it.Value(); string(it.Key()) {
		case "name":
			x.Name = v.Str()
		case "key":
			x.Key = v.Doc()
		case "unique":
			x.Unique = v.Truthy()
		case "sparse":
			x.Sparse = v.Truthy()
		case "clustered":
			x.Clustered = v.Truthy()
		}
	}
	var paths []bsonraw.Path
	for it := x.Key.Iter(); it.Next(); {
		direction, _ := it.Value().AsFloat64()
		path := string(it.Key())
		x.Fields = append(x.Fields, IndexField{Path: path, Descending: direction < 0})
		paths = append(paths, bsonraw.NewPath(path))
	}
	if x.Name == "" && !x.Clustered || len(x.Fields) == 0 {
		return nil, mongoerr.New(mongoerr.CannotCreateIndex, "index specification needs a name and a key: %d bytes", len(spec))
	}
	x.Unique = x.Unique || x.IsID()
	x.walks.New = func() any { return bsonraw.NewKeyWalk(paths) }
	return x, nil
}

// IsID reports whether this is the index on _id, which has no entries: documents are stored in its order.
func (x *Index) IsID() bool { return x.Name == "_id_" || x.Clustered }

// Multikey reports whether field i may have several entries a document.
func (x *Index) Multikey(i int) bool { return x.multikey.Load()&(1<<i) != 0 }

// AnyMultikey reports whether a document may have several entries.
func (x *Index) AnyMultikey() bool { return x.multikey.Load() != 0 }

// MaxIndexFields is how many fields a compound index may have, as in MongoDB.
const MaxIndexFields = 32

// indexKeys are the entries of one document in one index: the keys of its values, each without the index's prefix.
type indexKeys struct {
	keys     [][]byte
	multikey uint64
}

// keysOf computes the entries of a document. Two fields may not both run into different arrays (171).
func (x *Index) keysOf(doc bsonraw.Doc) (indexKeys, error) {
	var out indexKeys
	arrays, err := x.tuples(doc, func(values []bsonraw.Value) error {
		if key := x.appendTuple(nil, values); !containsKey(out.keys, key) {
			out.keys = append(out.keys, key)
		}
		return nil
	})
	out.multikey = arrays
	return out, err
}

// tuples calls visit with the values of each entry of a document, and returns which fields have met arrays, in this document or
// in one before.
func (x *Index) tuples(doc bsonraw.Doc, visit func([]bsonraw.Value) error) (arrays uint64, err error) {
	walk := x.walks.Get().(*bsonraw.KeyWalk)
	defer x.walks.Put(walk)
	err = walk.Each(doc, func(values []bsonraw.Value) error {
		if x.Sparse && !slices.ContainsFunc(values, func(v bsonraw.Value) bool { return !v.IsMissing() }) {
			return nil
		}
		return visit(values)
	})
	var parallel *bsonraw.ParallelArraysError
	var ambiguous *bsonraw.AmbiguousFieldError
	switch {
	case errors.As(err, &parallel):
		err = mongoerr.New(cannotIndexParallelArrays, "cannot index parallel arrays [%s] [%s]", parallel.First, parallel.Second)
	case errors.As(err, &ambiguous):
		err = mongoerr.New(ambiguousIndexField, "%v", ambiguous)
	}
	return walk.Arrays(), err
}

// The codes of documents that an index cannot hold.
const (
	cannotIndexParallelArrays mongoerr.Code = 171
	ambiguousIndexField       mongoerr.Code = 16746
)

// appendTuple appends the key of one entry's values. What is missing is indexed as null.
func (x *Index) appendTuple(dst []byte, values []bsonraw.Value) []byte {
	for i, v := range values {
		if v.IsMissing() {
			v = bsonraw.NullValue
		}
		dst = AppendIndexValue(dst, v, x.Fields[i].Descending)
	}
	return dst
}

// AppendIndexValue appends one value to an index key, in the field's direction.
func AppendIndexValue(dst []byte, v bsonraw.Value, descending bool) []byte {
	if descending {
		return bsonraw.AppendKeyDescending(dst, v)
	}
	return bsonraw.AppendKey(dst, v)
}

// entryKey puts an index entry's key together.
func (x *Index) entryKey(dst, values, idKey []byte) []byte {
	dst = appendNumbered(dst, kindIndex, x.ID)
	dst = append(dst, values...)
	return append(dst, idKey...)
}

// splitEntry takes an index entry's key apart: the keys of the values and the key of _id.
func splitEntry(key, value []byte) (values, idKey []byte) {
	n := int(binary.BigEndian.Uint32(value))
	return key[5 : len(key)-n], key[len(key)-n:]
}

// setMultikey adds to the fields that have met arrays. The mark comes before the write that makes it so and is not part of it:
// it may stay when that write is dropped, and must not be lost when another one relies on it.
func (x *Index) setMultikey(s *Store, bits uint64) error {
	s.multikey.Lock()
	defer s.multikey.Unlock()
	known := x.multikey.Load()
	if bits&^known == 0 {
		return nil
	}
	value := binary.BigEndian.AppendUint64(nil, known|bits)
	if err := s.db.Set(numberedKey(kindMultikey, x.ID), value, pebble.NoSync); err != nil {
		s.failed.set(err)
		return s.failed.get()
	}
	x.multikey.Store(known | bits)
	return nil
}
