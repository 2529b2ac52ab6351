package update

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// positionalPart is the component that stands for the element which made the filter match.
const positionalPart = "$"

// maxParts is far beyond what a document can have, so that nothing but the stack's safety depends on it.
const maxParts = 1000

// splitPath splits a path at its dots and checks what can be checked without a document.
func splitPath(dst [][]byte, path []byte) ([][]byte, error) {
	if len(path) == 0 {
		return nil, mongoerr.New(mongoerr.EmptyFieldName, "An empty update path is not valid.")
	}
	parts, positions := dst, 0
	for rest, more := path, true; more; {
		var part []byte
		part, rest, more = bytes.Cut(rest, []byte{'.'})
		if len(part) == 0 {
			return nil, mongoerr.New(mongoerr.EmptyFieldName,
				"The update path '%s' contains an empty field name, which is not allowed.", path)
		}
		if string(part) == positionalPart {
			positions++
		}
		parts = append(parts, part)
		if len(parts)-len(dst) > maxParts {
			return nil, errTooDeep()
		}
	}
	switch {
	case string(parts[len(dst)]) == positionalPart:
		return nil, mongoerr.New(mongoerr.BadValue, "Cannot have positional (i.e. '$') element in the first position in path '%s'", path)
	case isFilterPart(parts[len(dst)]):
		return nil, mongoerr.New(mongoerr.BadValue,
			"Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '%s'", path)
	case positions > 1:
		return nil, mongoerr.New(mongoerr.BadValue, "Too many positional (i.e. '$') elements found in path '%s'", path)
	}
	return parts, nil
}

// isFilterPart reports whether a component is $[] or $[identifier].
func isFilterPart(part []byte) bool {
	return len(part) >= 3 && part[0] == '$' && part[1] == '[' && part[len(part)-1] == ']'
}

// isDynamic reports whether a path has components that stand for elements of arrays.
func isDynamic(parts [][]byte) bool {
	for _, part := range parts {
		if string(part) == positionalPart || isFilterPart(part) {
			return true
		}
	}
	return false
}

// none is the index of what is not an array's element.
const none = -1

// maxIndexDigits is enough for every index that a document has room for, and too few to overflow.
const maxIndexDigits = 9

// parseIndex reads a component as an index of an array; leading zeros do not matter.
func parseIndex(part []byte) int {
	digits := trimZeros(part)
	if !isNumeric(part) || len(digits) > maxIndexDigits {
		return none
	}
	n := 0
	for _, c := range digits {
		n = 10*n + int(c-'0')
	}
	return n
}

func isNumeric(part []byte) bool {
	for _, c := range part {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(part) > 0
}

// trimZeros cuts leading zeros off.
func trimZeros(part []byte) []byte {
	for len(part) > 1 && part[0] == '0' {
		part = part[1:]
	}
	return part
}

// compareParts is the order in which operators are applied: by name, but by number where both are numbers.
func compareParts(a, b []byte) int {
	if isNumeric(a) && isNumeric(b) {
		x, y := trimZeros(a), trimZeros(b)
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if c := bytes.Compare(x, y); c != 0 {
			return c
		}
	}
	return bytes.Compare(a, b)
}

// lookup follows names through objects, and indexes through arrays, as far as the document has them. It returns the value at
// the end, or a missing one; blocked is the last component that was found when its value cannot have the next one.
func lookup(doc bsonraw.Doc, parts [][]byte) (v bsonraw.Value, blocked int) {
	v = doc.Value()
	for i, part := range parts {
		switch v.Type {
		case bsonraw.TypeDocument:
			v = field(v.Doc(), part)
		case bsonraw.TypeArray:
			index := parseIndex(part)
			if index == none {
				return v, i - 1
			}
			v = element(v.Doc(), index)
		default:
			return v, i - 1
		}
		if v.IsMissing() {
			return v, none
		}
	}
	return v, none
}

func field(doc bsonraw.Doc, name []byte) bsonraw.Value {
	for it := doc.Iter(); it.Next(); {
		if bytes.Equal(it.Key(), name) {
			return it.Value()
		}
	}
	return bsonraw.Value{}
}

func element(array bsonraw.Doc, index int) bsonraw.Value {
	for it := array.Iter(); it.Next(); index-- {
		if index == 0 {
			return it.Value()
		}
	}
	return bsonraw.Value{}
}
