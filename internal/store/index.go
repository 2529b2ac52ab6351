package store

import (
	"encoding/binary"
	"strings"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Index is one index of a collection.
type Index struct {
	ID     uint32
	Name   string
	Spec   bsonraw.Doc // as listIndexes shows it
	Key    bsonraw.Doc // the key pattern
	Unique bool
	Sparse bool
	Fields []IndexField

	// multikey has a bit for each field whose path has ever met an array. It is set before the commit that makes it so, and
	// never taken back: a plan that takes an index for multikey is slower, never wrong.
	multikey atomic.Uint64
}

// IndexField is one field of a key pattern.
type IndexField struct {
	Path       string
	Descending bool
	parts      []string
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
		}
	}
	for it := x.Key.Iter(); it.Next(); {
		direction, _ := it.Value().AsFloat64()
		path := string(it.Key())
		x.Fields = append(x.Fields, IndexField{Path: path, Descending: direction < 0, parts: strings.Split(path, ".")})
	}
	if x.Name == "" || len(x.Fields) == 0 {
		return nil, mongoerr.New(mongoerr.CannotCreateIndex, "index specification needs a name and a key: %d bytes", len(spec))
	}
	x.Unique = x.Unique || x.IsID()
	return x, nil
}

// IsID reports whether this is the index on _id, which has no entries: documents are stored in its order.
func (x *Index) IsID() bool { return x.Name == "_id_" }

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
	g := keyGenerator{index: x}
	fixed := make([]bsonraw.Value, len(x.Fields))
	rest := make([][]string, len(x.Fields))
	for i, f := range x.Fields {
		rest[i] = f.parts
	}
	if err := g.expand(doc, rest, fixed); err != nil {
		return indexKeys{}, err
	}
	if x.Sparse && !g.present {
		return indexKeys{}, nil
	}
	return g.out, nil
}

type keyGenerator struct {
	index   *Index
	out     indexKeys
	present bool // some field exists: a sparse index has an entry then
}

// expand walks every field from doc as far as an array. Without one the values make a key; otherwise each element of the array
// makes keys of its own, for all the fields that lead through it.
func (g *keyGenerator) expand(doc bsonraw.Doc, rest [][]string, fixed []bsonraw.Value) error {
	fixed = append([]bsonraw.Value(nil), fixed...)
	rest = append([][]string(nil), rest...)
	var array bsonraw.Value
	through := -1
	inArray := make([]bool, len(rest))
	for i := range rest {
		if rest[i] == nil {
			continue
		}
		v, left := walk(doc, rest[i])
		if v.Type != bsonraw.TypeArray {
			fixed[i], rest[i] = v, nil
			continue
		}
		if through >= 0 && &v.Data[0] != &array.Data[0] {
			return mongoerr.New(171, "cannot index parallel arrays [%s] [%s]", g.index.Fields[i].parts[len(g.index.Fields[i].parts)-len(left)-1],
				g.index.Fields[through].parts[len(g.index.Fields[through].parts)-len(rest[through])-1])
		}
		array, through, inArray[i] = v, i, true
		rest[i] = left
		g.out.multikey |= 1 << i
	}
	if through < 0 {
		g.emit(fixed)
		return nil
	}
	return g.expandArray(array.Doc(), inArray, rest, fixed)
}

func (g *keyGenerator) expandArray(array bsonraw.Doc, inArray []bool, rest [][]string, fixed []bsonraw.Value) error {
	elements := 0
	for it := array.Iter(); it.Next(); {
		elements++
		if err := g.expandElement(it.Value(), array, inArray, rest, fixed); err != nil {
			return err
		}
	}
	if elements > 0 {
		return nil
	}
	// An empty array is indexed as undefined where the path ends in it, as missing where it goes on.
	fixed = append([]bsonraw.Value(nil), fixed...)
	rest = append([][]string(nil), rest...)
	for i := range rest {
		if inArray[i] {
			if len(rest[i]) == 0 {
				fixed[i] = bsonraw.Value{Type: bsonraw.TypeUndefined}
			} else {
				fixed[i] = bsonraw.Value{}
			}
			rest[i] = nil
		}
	}
	return g.expand(bsonraw.Empty, rest, fixed)
}

func (g *keyGenerator) expandElement(v bsonraw.Value, array bsonraw.Doc, inArray []bool, rest [][]string, fixed []bsonraw.Value) error {
	fixed = append([]bsonraw.Value(nil), fixed...)
	next := append([][]string(nil), rest...)
	for i := range rest {
		switch {
		case !inArray[i]:
		case len(rest[i]) == 0:
			fixed[i], next[i] = v, nil
		case v.Type == bsonraw.TypeDocument:
		case isNumeric(rest[i][0]):
			// "a.0" names a position: the element there, the same for every turn of the loop.
			at, left := walk(array, rest[i])
			if len(left) > 0 {
				at = bsonraw.Value{}
			}
			fixed[i], next[i] = at, nil
		default:
			fixed[i], next[i] = bsonraw.Value{}, nil
		}
	}
	doc := bsonraw.Empty
	if v.Type == bsonraw.TypeDocument {
		doc = v.Doc()
	}
	return g.expand(doc, next, fixed)
}

// emit makes one key of the values.
func (g *keyGenerator) emit(values []bsonraw.Value) {
	var key []byte
	for i, v := range values {
		if v.IsMissing() {
			v = bsonraw.NullValue
		} else {
			g.present = true
		}
		key = AppendIndexValue(key, v, g.index.Fields[i].Descending)
	}
	for _, k := range g.out.keys {
		if string(k) == string(key) {
			return
		}
	}
	g.out.keys = append(g.out.keys, key)
}

// AppendIndexValue appends one value to an index key, in the field's direction.
func AppendIndexValue(dst []byte, v bsonraw.Value, descending bool) []byte {
	if descending {
		return bsonraw.AppendKeyDescending(dst, v)
	}
	return bsonraw.AppendKey(dst, v)
}

// walk follows a path through documents to its end or to the first array, and returns the value there and the rest of the
// path. What is not there is missing.
func walk(doc bsonraw.Doc, path []string) (bsonraw.Value, []string) {
	for i, name := range path {
		v := doc.Lookup(name)
		switch {
		case v.Type == bsonraw.TypeArray:
			return v, path[i+1:]
		case i == len(path)-1:
			return v, nil
		case v.Type != bsonraw.TypeDocument:
			return bsonraw.Value{}, nil
		}
		doc = v.Doc()
	}
	return bsonraw.Value{}, nil
}

func isNumeric(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
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
