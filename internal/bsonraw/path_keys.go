package bsonraw

import (
	"fmt"
	"math/bits"
)

// KeyWalk enumerates the keys that a document has in an index, or in a sort, over several paths: tuples with one value for
// each path. Arrays are expanded as MongoDB expands them: an array gives a tuple for each of its elements, for all paths that
// lead through it at once; an empty array gives undefined where a path ends in it. Paths that lead nowhere give missing values.
//
// A KeyWalk is made once and used for many documents, without allocating. It is not safe for concurrent use.
type KeyWalk struct {
	paths  []Path
	arrays []uint64 // by path: see Arrays
	levels []*keyLevel
}

// keyLevel is the state between two arrays, one inside the other.
type keyLevel struct {
	values []Value
	rest   [][]PathPart // what is still to be walked; nil when the value is known
	at     []positioned // elements that the first part of rest names by their position in the array around this level
}

// positioned is what a part that spells a position leads to. Every element of the array sees the same.
type positioned struct {
	found  bool
	nested bool // the element is an array
	array  Doc
	value  Value
	rest   []PathPart
}

// MaxKeyPaths is how many paths a [KeyWalk] can have.
const MaxKeyPaths = 64

// ParallelArraysError says that two paths run into different arrays of one document: their tuples would be a product.
type ParallelArraysError struct {
	First, Second string // the names of the arrays, the later path's first
}

func (e *ParallelArraysError) Error() string {
	return fmt.Sprintf("parallel arrays [%s] [%s]", e.First, e.Second)
}

// AmbiguousFieldError says that a path's number names both an element of an array and a field of a document in it.
type AmbiguousFieldError struct {
	Field string
	Array Doc
}

func (e *AmbiguousFieldError) Error() string {
	return fmt.Sprintf("Ambiguous field name found in array (do not use numeric field names in embedded elements in an array), field: '%s' for array: %s", e.Field, e.Array.Shell())
}

// NewKeyWalk makes a walk over at most [MaxKeyPaths] paths, none of which is empty.
func NewKeyWalk(paths []Path) *KeyWalk {
	return &KeyWalk{paths: paths, arrays: make([]uint64, len(paths))}
}

// Arrays returns, for each path, which of its parts have led to an array since the walk was made: a bit for each part, the
// lowest for the first; the highest stands for all parts behind it too. The slice is the walk's own.
func (w *KeyWalk) Arrays() []uint64 { return w.arrays }

// Each calls visit with each tuple; the same tuple may come more than once. The values are valid during the call. Errors are
// *ParallelArraysError, *AmbiguousFieldError and those of visit.
func (w *KeyWalk) Each(doc Doc, visit func(values []Value) error) error {
	l := w.level(0)
	for i, p := range w.paths {
		l.rest[i], l.at[i] = p.parts, positioned{}
	}
	return w.expand(0, doc, visit)
}

func (w *KeyWalk) level(depth int) *keyLevel {
	if depth == len(w.levels) {
		n := len(w.paths)
		w.levels = append(w.levels, &keyLevel{values: make([]Value, n), rest: make([][]PathPart, n), at: make([]positioned, n)})
	}
	return w.levels[depth]
}

// expand walks every path from doc as far as an array. Without one the values are a tuple.
func (w *KeyWalk) expand(depth int, doc Doc, visit func([]Value) error) error {
	l := w.level(depth)
	var array Value
	var through uint64
	whole := false
	for i, rest := range l.rest {
		if rest == nil {
			continue
		}
		v, rest, nested, err := l.next(i, doc)
		if err != nil {
			return err
		}
		if v.Type != TypeArray {
			l.values[i], l.rest[i] = v, nil
			continue
		}
		if through != 0 && &v.Data[0] != &array.Data[0] {
			other := bits.TrailingZeros64(through)
			return &ParallelArraysError{First: w.arrayName(i, rest), Second: w.arrayName(other, l.rest[other])}
		}
		array, l.rest[i] = v, rest
		through |= 1 << i
		w.arrays[i] |= 1 << min(len(w.paths[i].parts)-len(rest)-1, 63)
		whole = whole || nested
	}
	if through == 0 {
		return visit(l.values)
	}
	return w.expandArray(depth, array, through, whole, visit)
}

// next walks one path to its end or to an array.
func (l *keyLevel) next(i int, doc Doc) (v Value, rest []PathPart, nested bool, err error) {
	rest = l.rest[i]
	v = doc.Lookup(rest[0].Name)
	at := &l.at[i]
	switch {
	case v.IsMissing() && at.found:
		return at.value, at.rest, at.nested, nil
	case at.found:
		return v, rest, false, &AmbiguousFieldError{Field: rest[0].Name, Array: at.array}
	}
	v, rest = toArray(v, rest[1:])
	return v, rest, false, nil
}

// toArray follows a path from a value through documents, to its end or to the first array.
func toArray(v Value, rest []PathPart) (Value, []PathPart) {
	for v.Type != TypeArray && len(rest) > 0 {
		if v.Type != TypeDocument {
			return Value{}, nil
		}
		v, rest = v.Doc().Lookup(rest[0].Name), rest[1:]
	}
	return v, rest
}

// expandArray goes on with each element of an array. whole says that the array was named by its position in another one: it is
// then a value as it is.
func (w *KeyWalk) expandArray(depth int, array Value, through uint64, whole bool, visit func([]Value) error) error {
	from, to := w.level(depth), w.level(depth+1)
	if array.Doc().IsEmpty() {
		from.enter(to, through, Value{Type: TypeUndefined})
		clear(to.at)
		return w.expand(depth+1, Empty, visit)
	}
	for i, rest := range from.rest {
		to.at[i] = position(array.Doc(), rest)
	}
	for it := array.Doc().Iter(); it.Next(); {
		elem := it.Value()
		if whole {
			from.enter(to, through, array)
		} else {
			from.enter(to, through, elem)
		}
		doc := Empty
		if elem.Type == TypeDocument {
			doc = elem.Doc()
		}
		if err := w.expand(depth+1, doc, visit); err != nil {
			return err
		}
	}
	return nil
}

// enter copies the state into the level of an array's element. Paths that end in the array get the element as their value.
func (l *keyLevel) enter(to *keyLevel, through uint64, elem Value) {
	copy(to.values, l.values)
	copy(to.rest, l.rest)
	for i := range l.rest {
		if through>>i&1 != 0 && len(l.rest[i]) == 0 {
			to.values[i], to.rest[i] = elem, nil
		}
	}
}

// position returns the element of an array that the first part of rest names, and walks on from it.
func position(array Doc, rest []PathPart) positioned {
	if len(rest) == 0 || rest[0].Index < 0 {
		return positioned{}
	}
	elem := array.At(rest[0].Index)
	if elem.IsMissing() {
		return positioned{}
	}
	v, left := toArray(elem, rest[1:])
	return positioned{found: true, nested: elem.Type == TypeArray, array: array, value: v, rest: left}
}

// arrayName returns the name under which path i met an array when rest was left of it.
func (w *KeyWalk) arrayName(i int, rest []PathPart) string {
	parts := w.paths[i].parts
	return parts[len(parts)-len(rest)-1].Name
}
