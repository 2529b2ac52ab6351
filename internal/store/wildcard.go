package store

import (
	"slices"
	"strings"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// A wildcard index has an entry for each value in a document, wherever it stands: the path as a text, then the value. Elements of an array are at the
// path of the array. Documents and arrays themselves have no entries, so whoever looks for those must look elsewhere.

// wildcardName is the part of a path that makes an index a wildcard index.
const wildcardName = "$**"

// pathName is the name of the first field of a wildcard index.
const pathName = "$_path"

// wildcard says which paths an index has.
type wildcard struct {
	paths []string // without their parts behind
	only  bool     // only these and what is below them; otherwise all but these
	below string   // of an index at one path: that path
	of    *Index   // the whole index
}

// parseWildcard reads which paths there are; nil for other indexes.
func parseWildcard(spec bsonraw.Doc) *wildcard {
	key := spec.Lookup("key").Doc().Iter()
	if !key.Next() || !key.Value().Type.IsNumber() {
		return nil
	}
	switch path := string(key.Key()); {
	case strings.HasSuffix(path, "."+wildcardName):
		return &wildcard{paths: []string{strings.TrimSuffix(path, "."+wildcardName)}, only: true}
	case path != wildcardName:
		return nil
	}
	w := &wildcard{}
	hasID := false
	for _, p := range flatProjection("", spec.Lookup("wildcardProjection").Doc()) {
		if p.path == "_id" {
			hasID = p.wanted
			continue
		}
		w.paths, w.only = append(w.paths, p.path), p.wanted
	}
	switch {
	case w.paths == nil && hasID && onlyID(spec): // nothing but _id
		w.only, w.paths = true, []string{"_id"}
	case w.only && hasID:
		w.paths = append(w.paths, "_id")
	case !w.only && !hasID:
		w.paths = append(w.paths, "_id")
	}
	return w
}

// onlyID reports whether a projection has nothing but _id, which then is all that is wanted.
func onlyID(spec bsonraw.Doc) bool { return spec.Lookup("wildcardProjection").Doc().Len() == 1 }

type projected struct {
	path   string
	wanted bool
}

// flatProjection reads a projection, in which documents stand for the paths below a field.
func flatProjection(before string, d bsonraw.Doc) (out []projected) {
	for it := d.Iter(); it.Next(); {
		path := before + string(it.Key())
		if v := it.Value(); v.Type == bsonraw.TypeDocument {
			out = append(out, flatProjection(path+".", v.Doc())...)
		} else {
			out = append(out, projected{path, v.Truthy()})
		}
	}
	return out
}

// has reports whether the index has entries at a path.
func (w *wildcard) has(path string) bool {
	return slices.ContainsFunc(w.paths, func(p string) bool { return isBelow(path, p) }) == w.only
}

// enters reports whether there may be entries below a path.
func (w *wildcard) enters(path string) bool {
	if w.has(path) {
		return true
	}
	return w.only && slices.ContainsFunc(w.paths, func(p string) bool { return isBelow(p, path) })
}

// isBelow reports whether a path is another or below it.
func isBelow(path, top string) bool {
	return strings.HasPrefix(path, top) && (len(path) == len(top) || path[len(top)] == '.')
}

// IsWildcard reports whether the index has entries of all paths, or of all below one.
func (x *Index) IsWildcard() bool { return x.wildcard != nil && x.wildcard.of == nil }

// At returns the part of a wildcard index that has the values at one path, as an index of its own: of two fields, the path and the value. It is
// nil where there is no such part: the index does not have the path, or there are numbers in it, which may mean places in arrays.
func (x *Index) At(path string) *Index {
	if !x.IsWildcard() || !x.wildcard.has(path) || hasNumber(path) {
		return nil
	}
	key, at := bsonraw.BeginDoc(nil)
	key = bsonraw.AppendInt32(key, pathName, 1)
	key = bsonraw.EndDoc(bsonraw.AppendInt32(key, path, 1), at)
	part := &Index{
		ID: x.ID, Name: x.Name, Spec: x.Spec, Key: key, Sparse: true, Hidden: x.Hidden, Rules: x.Rules, Since: x.Since,
		Fields:   []IndexField{{Path: pathName}, {Path: path}},
		arrays:   make([]atomic.Uint64, 2),
		wildcard: &wildcard{below: path, of: x},
	}
	part.arrays[1].Store(^uint64(0)) // which paths have arrays is not known
	return part
}

// Whole returns the index of which this one is a part, or itself.
func (x *Index) Whole() *Index {
	if x != nil && x.wildcard != nil && x.wildcard.of != nil {
		return x.wildcard.of
	}
	return x
}

// PathKey returns the beginning of the keys of a part's entries.
func (x *Index) PathKey() []byte {
	return bsonraw.AppendKey(nil, bsonraw.StringValue(x.wildcard.below))
}

func hasNumber(path string) bool {
	for part := range strings.SplitSeq(path, ".") {
		if part != "" && strings.Trim(part, "0123456789") == "" {
			return true
		}
	}
	return false
}

// maxWildcardBytes bounds what the paths of one document's entries take: a document of many fields far down has each of them with its whole path.
const maxWildcardBytes = 64 << 20

// wildcardWalk goes through the values of a document.
type wildcardWalk struct {
	*wildcard
	values []bsonraw.Value // the path and the value
	path   []byte
	size   int
	visit  func([]bsonraw.Value) error
}

// entries calls visit with the path and the value of each entry of a document.
func (w *wildcard) entries(doc bsonraw.Doc, visit func([]bsonraw.Value) error) error {
	walk := wildcardWalk{wildcard: w, values: make([]bsonraw.Value, 2), visit: visit}
	return walk.document(doc)
}

func (w *wildcardWalk) document(d bsonraw.Doc) error {
	length := len(w.path)
	for it := d.Iter(); it.Next(); {
		if length > 0 {
			w.path = append(w.path, '.')
		}
		w.path = append(w.path, it.Key()...)
		if err := w.value(it.Value()); err != nil {
			return err
		}
		w.path = w.path[:length]
	}
	return nil
}

func (w *wildcardWalk) value(v bsonraw.Value) error {
	if !w.enters(string(w.path)) {
		return nil
	}
	switch v.Type {
	case bsonraw.TypeDocument:
		return w.document(v.Doc())
	case bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			switch e := it.Value(); e.Type {
			case bsonraw.TypeArray: // an array in an array is a value
			case bsonraw.TypeDocument:
				if err := w.document(e.Doc()); err != nil {
					return err
				}
			default:
				if err := w.give(e); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return w.give(v)
}

func (w *wildcardWalk) give(v bsonraw.Value) error {
	if !w.has(string(w.path)) {
		return nil
	}
	if w.size += len(w.path); w.size > maxWildcardBytes {
		return mongoerr.New(cannotBuildIndexKeys, "a document has so many fields so far down that their paths take more than %d bytes in a wildcard index", maxWildcardBytes)
	}
	w.values[0], w.values[1] = bsonraw.StringValue(string(w.path)), v
	return w.visit(w.values)
}

const cannotBuildIndexKeys mongoerr.Code = 201
