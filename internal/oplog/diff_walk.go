package oplog

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// ChangeKind says what happened at a path.
type ChangeKind uint8

// The kinds of changes that a diff describes.
const (
	FieldChanged   ChangeKind = iota + 1 // an existing field, or an array's element, has a new value
	FieldCreated                         // a field was added at its object's end
	FieldRemoved                         // a field is gone
	ArrayTruncated                       // an array has only its first NewSize elements left
)

// Component is one step of a path: a field's name, or the index of an array's element.
type Component struct {
	Name  []byte // an index is spelled out in digits here
	Index int    // -1 for a field's name
}

// IsIndex reports whether c is an index, not a field's name.
func (c Component) IsIndex() bool { return c.Index >= 0 }

// Path leads from a document's root to a value.
type Path []Component

// Append appends the path's dotted form. Dots inside names are not escaped, as in MongoDB's updateDescription.
func (p Path) Append(dst []byte) []byte {
	for i, c := range p {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = append(dst, c.Name...)
	}
	return dst
}

// Ambiguous reports whether the dotted form does not tell the components: a field's name contains a dot, or is a number and
// not the first component.
func (p Path) Ambiguous() bool {
	for i, c := range p {
		if !c.IsIndex() && (bytes.IndexByte(c.Name, '.') >= 0 || i > 0 && isNumeric(c.Name)) {
			return true
		}
	}
	return false
}

// AppendComponents appends the path as an array, with strings for names and ints for indexes, as disambiguatedPaths shows it.
func (p Path) AppendComponents(dst []byte) []byte {
	dst, at := bsonraw.BeginDoc(dst)
	for i, c := range p {
		key := strconv.Itoa(i)
		if c.IsIndex() {
			dst = bsonraw.AppendInt32(dst, key, int32(c.Index))
		} else {
			dst = bsonraw.AppendString(dst, key, c.Name)
		}
	}
	return bsonraw.EndDoc(dst, at)
}

// Change is one leaf of a diff.
type Change struct {
	Kind    ChangeKind
	Path    Path          // valid until the visitor returns
	Value   bsonraw.Value // of FieldChanged and FieldCreated; a view of the diff
	NewSize int32         // of ArrayTruncated
}

// Walk calls visit for every change that the diff describes, in the order in which MongoDB's updateDescription lists them: of
// an object the changed fields, the created, the removed, then what is nested; of an array the truncation, then its elements
// in order. It ends at the first error of visit, and returns it as it is. A diff that does not have the form of one gives an
// error, after the visits before that place.
func Walk(diff bsonraw.Doc, visit func(Change) error) error {
	w := walker{visit: visit, path: make(Path, 0, 8)}
	return w.walk(diff, 0)
}

// maxDiffNesting is far above what a diff of a document that can be stored needs.
const maxDiffNesting = bsonraw.MaxMessageDepth

// maxIndexDigits is enough for every index that a document of 16 MiB has room for.
const maxIndexDigits = 9

type walker struct {
	visit func(Change) error
	path  Path
}

var errDiffTooDeep = errors.New("read diff: it is nested too deeply")

func (w *walker) walk(diff bsonraw.Doc, depth int) error {
	if depth > maxDiffNesting {
		return errDiffTooDeep
	}
	if isArrayDiff(diff) {
		return w.walkArray(diff, depth)
	}
	parts, err := splitObjectDiff(diff)
	if err != nil {
		return err
	}
	for _, s := range [...]struct {
		fields bsonraw.Doc
		kind   ChangeKind
	}{{parts[changed], FieldChanged}, {parts[created], FieldCreated}, {parts[removed], FieldRemoved}} {
		for it := s.fields.Iter(); it.Next(); {
			c := Change{Kind: s.kind, Value: it.Value()}
			if s.kind == FieldRemoved {
				c.Value = bsonraw.Value{}
			}
			if err := w.leaf(Component{it.Key(), none}, c); err != nil {
				return err
			}
		}
	}
	for it := diff.Iter(); it.Next(); {
		if it.Key()[0] != sectionNested {
			continue
		}
		if err := w.nested(Component{it.Key()[1:], none}, it.Value().Doc(), depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) walkArray(diff bsonraw.Doc, depth int) error {
	for it := diff.Iter(); it.Next(); {
		c, err := parseArrayChange(it.Key(), it.Value())
		if err != nil {
			return err
		}
		switch c.kind {
		case arrayHead:
		case arrayShorter:
			err = w.visit(Change{Kind: ArrayTruncated, Path: w.path, NewSize: int32(c.index)})
		case arrayElement:
			err = w.leaf(Component{it.Key()[1:], c.index}, Change{Kind: FieldChanged, Value: it.Value()})
		case arrayNested:
			err = w.nested(Component{it.Key()[1:], c.index}, it.Value().Doc(), depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(at Component, c Change) error {
	w.path = append(w.path, at)
	c.Path = w.path
	err := w.visit(c)
	w.path = w.path[:len(w.path)-1]
	return err
}

func (w *walker) nested(at Component, diff bsonraw.Doc, depth int) error {
	w.path = append(w.path, at)
	err := w.walk(diff, depth+1)
	w.path = w.path[:len(w.path)-1]
	return err
}

// isArrayDiff reports whether the diff begins as one of an array does.
func isArrayDiff(diff bsonraw.Doc) bool {
	it := diff.Iter()
	return it.Next() && string(it.Key()) == arrayMark
}

// splitObjectDiff returns the sections of an object's diff; absent ones are nil.
func splitObjectDiff(diff bsonraw.Doc) (parts [nested]bsonraw.Doc, err error) {
	for it := diff.Iter(); it.Next(); {
		key, v := it.Key(), it.Value()
		if v.Type != bsonraw.TypeDocument {
			return parts, fmt.Errorf("read diff: section %q is of type %s, not object", key, v.Type.Name())
		}
		switch {
		case string(key) == sectionRemoved:
			parts[removed] = v.Doc()
		case string(key) == sectionChanged:
			parts[changed] = v.Doc()
		case string(key) == sectionCreated:
			parts[created] = v.Doc()
		case len(key) > 0 && key[0] == sectionNested:
		default:
			return parts, fmt.Errorf("read diff: unknown section %q of an object", key)
		}
	}
	return parts, nil
}

// arrayChange is one element of an array's diff.
type arrayChange struct {
	kind  uint8
	index int // of the element; the new length of a shorter array
}

const (
	arrayHead uint8 = iota
	arrayShorter
	arrayElement
	arrayNested
)

func parseArrayChange(key []byte, v bsonraw.Value) (arrayChange, error) {
	switch {
	case string(key) == arrayMark:
		return arrayChange{kind: arrayHead}, nil
	case string(key) == arrayNewLength:
		if n, ok := v.AsInt64(); ok && n >= 0 && n <= bsonraw.MaxDocumentSize {
			return arrayChange{arrayShorter, int(n)}, nil
		}
		return arrayChange{}, errors.New("read diff: an array's new length is not a length")
	}
	index, ok := 0, false
	if len(key) > 0 {
		index, ok = parseIndex(key[1:])
	}
	switch {
	case ok && key[0] == arrayChanged:
		return arrayChange{arrayElement, index}, nil
	case ok && key[0] == sectionNested && v.Type == bsonraw.TypeDocument:
		return arrayChange{arrayNested, index}, nil
	}
	return arrayChange{}, fmt.Errorf("read diff: unknown element %q of an array's diff", key)
}

// parseIndex reads an array's index: digits, and no more of them than a document has room for.
func parseIndex(digits []byte) (int, bool) {
	if len(digits) == 0 || len(digits) > maxIndexDigits {
		return 0, false
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, n <= bsonraw.MaxDocumentSize
}

// isNumeric reports whether a field's name reads as an index: digits without a leading zero.
func isNumeric(name []byte) bool {
	for _, c := range name {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(name) == 1 || len(name) > 1 && name[0] != '0'
}
