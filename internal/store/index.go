package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

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
	Prepared  bool // it is to become unique: no document gets an entry that another one has, but some may share one already
	Sparse    bool
	Hidden    bool       // plans do not use it
	Clustered bool       // the one on _id of a clustered collection, or the order of measurements
	Rules     IndexRules // nil: it has all documents, and orders strings by their bytes
	Fields    []IndexField

	Since time.Time    // it is there, or the store is open
	Uses  atomic.Int64 // by plans since then

	wildcard *wildcard // of a wildcard index, or of a part of one
	text     bool      // of texts: it is kept as a specification and has no entries

	arrays []atomic.Uint64 // by field; see multikey.go
	walks  sync.Pool       // of *bsonraw.KeyWalk over the fields
}

// IndexField is one field of a key pattern.
type IndexField struct {
	Path       string
	Descending bool
	Hashed     bool // arrays are refused; otherwise it is a field as others are
}

// IndexRules are what only the query language can say of an index. They are immutable and may be used concurrently.
type IndexRules interface {
	// Has reports whether the index has entries of a document.
	Has(doc bsonraw.Doc) (bool, error)
	// AppendKey appends the key of a value of a document, descending or not.
	AppendKey(dst []byte, v bsonraw.Value, descending bool) []byte
}

// ruled are the fields of a specification that make rules.
var ruled = []string{"collation", "partialFilterExpression"}

// compiler makes the rules of indexes; nil refuses those that have some.
type compiler func(spec bsonraw.Doc) (IndexRules, error)

// index makes an index from its specification, which was checked before.
func (c compiler) index(spec bsonraw.Doc) (*Index, error) {
	x, err := parseIndex(spec)
	if err != nil || !slices.ContainsFunc(ruled, func(name string) bool { return !spec.Lookup(name).IsMissing() }) {
		return x, err
	}
	if c == nil {
		return nil, fmt.Errorf("index %q: the store was opened without a compiler for its rules: %s", x.Name, spec.Shell())
	}
	x.Rules, err = c(spec)
	return x, err
}

func parseIndex(spec bsonraw.Doc) (*Index, error) {
	x := &Index{Spec: spec, Since: time.Now()}
	for it := spec.Iter(); it.Next(); {
		switch v := it.Value(); string(it.Key()) {
		case "name":
			x.Name = v.Str()
		case "key":
			x.Key = v.Doc()
		case "unique":
			x.Unique = v.Truthy()
		case "prepareUnique":
			x.Prepared = v.Truthy()
		case "sparse":
			x.Sparse = v.Truthy()
		case "clustered":
			x.Clustered = v.Truthy()
		case "hidden":
			x.Hidden = v.Truthy()
		}
	}
	var paths []bsonraw.Path
	for it := x.Key.Iter(); it.Next(); {
		v, path := it.Value(), string(it.Key())
		direction, _ := v.AsFloat64()
		x.Fields = append(x.Fields, IndexField{Path: path, Descending: direction < 0, Hashed: v.Str() == "hashed"})
		x.text = x.text || v.Str() == "text"
		paths = append(paths, bsonraw.NewPath(path))
	}
	if x.wildcard = parseWildcard(spec); x.wildcard != nil {
		x.Fields = []IndexField{{Path: pathName}, {Path: wildcardName}}
		x.arrays = make([]atomic.Uint64, len(x.Fields))
		return x, nil
	}
	if x.Name == "" && !x.Clustered || len(x.Fields) == 0 {
		return nil, mongoerr.New(mongoerr.CannotCreateIndex, "index specification needs a name and a key: %d bytes", len(spec))
	}
	x.Unique = x.Unique || x.IsID() && x.Fields[0].Path == "_id"
	x.arrays = make([]atomic.Uint64, len(paths))
	x.walks.New = func() any { return bsonraw.NewKeyWalk(paths) }
	return x, nil
}

// IsID reports whether this is the index on _id, or the order of measurements, which has no entries: documents are stored in its order.
func (x *Index) IsID() bool { return x.Name == "_id_" || x.Clustered }

// Guarded reports whether an entry that a document gets must not be another document's, in an index that has entries.
func (x *Index) Guarded() bool { return (x.Unique || x.Prepared) && !x.IsID() }

// IsText reports whether this is an index of texts, which has no entries.
func (x *Index) IsText() bool { return x.text }

// MaxIndexFields is how many fields a compound index may have, as in MongoDB.
const MaxIndexFields = 32

// indexKeys are the entries of one document in one index: the keys of its values, each without the index's prefix, sorted and
// different from each other.
type indexKeys struct {
	keys   [][]byte
	arrays []uint64 // by field, where the document has arrays that the index does not know of; otherwise nil
}

// keysOf computes the entries of a document. Two fields may not both run into different arrays (171).
func (x *Index) keysOf(doc bsonraw.Doc) (indexKeys, error) {
	var out indexKeys
	collated := x.collated()
	arrays, err := x.tuples(doc, func(values []bsonraw.Value) error {
		if collated && slices.ContainsFunc(values, hasSymbol) {
			return x.errSymbol()
		}
		out.keys = append(out.keys, x.AppendKey(nil, values))
		return nil
	})
	if len(out.keys) > 1 { // as many as an array has elements
		slices.SortFunc(out.keys, bytes.Compare)
		out.keys = slices.CompactFunc(out.keys, bytes.Equal)
	}
	out.arrays = arrays
	return out, err
}

func (x *Index) errSymbol() error {
	return mongoerr.New(cannotBuildIndexKeys, "Cannot index type Symbol with a collation. Failed to index document for index '%s'", x.Name)
}

// hasSymbol reports whether a value is a symbol or has one, which no collation orders.
func hasSymbol(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeSymbol:
		return true
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			if hasSymbol(it.Value()) {
				return true
			}
		}
	}
	return false
}

// tuples calls visit with the values of each entry of a document, and returns which parts of the fields' paths have led to
// arrays, nil if the index knows them all.
func (x *Index) tuples(doc bsonraw.Doc, visit func([]bsonraw.Value) error) (arrays []uint64, err error) {
	if x.Rules != nil {
		if has, err := x.Rules.Has(doc); err != nil || !has {
			return nil, err
		}
	}
	switch {
	case x.text:
		return nil, nil
	case x.IsWildcard():
		return nil, x.wildcard.entries(doc, visit)
	case x.wildcard != nil:
		return x.Whole().tuples(doc, func(values []bsonraw.Value) error {
			if values[0].Str() != x.wildcard.below {
				return nil
			}
			return visit(values)
		})
	}
	walk := x.walks.Get().(*bsonraw.KeyWalk)
	defer func() {
		if err == nil && arrays == nil { // otherwise it remembers arrays that the index does not have, and may never have
			x.walks.Put(walk)
		}
	}()
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
	if err == nil {
		err = x.refuseHashed(walk.Arrays())
	}
	return x.unknown(walk.Arrays()), err
}

// refuseHashed refuses arrays in hashed fields.
func (x *Index) refuseHashed(arrays []uint64) error {
	for i, f := range x.Fields {
		if f.Hashed && arrays[i] != 0 {
			return mongoerr.New(hashedArray, "hashed indexes do not currently support array values. Found array at path: %s", f.Path)
		}
	}
	return nil
}

// The codes of documents that an index cannot hold.
const (
	cannotIndexParallelArrays mongoerr.Code = 171
	ambiguousIndexField       mongoerr.Code = 16746
	hashedArray               mongoerr.Code = 16766
)

// EachEntry calls visit with the values of each entry that the index has of a document, valid during the call.
func (x *Index) EachEntry(doc bsonraw.Doc, visit func([]bsonraw.Value) error) error {
	_, err := x.tuples(doc, visit)
	return err
}

// AppendKey appends the key of one entry's values, of which there is one for each field. What is missing is indexed as null.
func (x *Index) AppendKey(dst []byte, values []bsonraw.Value) []byte {
	for i, v := range values {
		if v.IsMissing() {
			v = bsonraw.NullValue
		}
		if i == 0 && x.wildcard != nil {
			dst = bsonraw.AppendKey(dst, v) // a path, whatever the collation
			continue
		}
		dst = x.appendValue(dst, v, x.Fields[i].Descending)
	}
	return dst
}

func (x *Index) appendValue(dst []byte, v bsonraw.Value, descending bool) []byte {
	switch {
	case x.Rules != nil:
		return x.Rules.AppendKey(dst, v, descending)
	case descending:
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
