package expression

import "github.com/sluicestream/sluice/internal/bsonraw"

// Equality is a field that a document must have with one value. The value is no array, and neither missing nor undefined.
type Equality struct {
	Path  []string
	Value bsonraw.Value
}

// Equalities returns equalities without which the expression is not true for a document, for whoever plans how to find the documents
// that it is true for. It is for expressions on which Optimize has run. Two values are equal as $eq has it, by the collation of the
// expression's scope: null is not a missing field, and an array is not its elements.
func (e *Expression) Equalities() []Equality { return equalities(nil, e.root) }

func equalities(dst []Equality, n node) []Equality {
	switch n := n.(type) {
	case *junction:
		if !n.stop {
			for _, arg := range n.args {
				dst = equalities(dst, arg)
			}
		}
	case *binaryCall:
		if n.equal {
			dst = appendEquality(dst, n.left, n.right)
			dst = appendEquality(dst, n.right, n.left)
		}
	}
	return dst
}

func appendEquality(dst []Equality, path, value node) []Equality {
	p, isPath := path.(*fieldPath)
	c, isConstant := value.(*constant)
	if !isPath || len(p.fields) == 0 || !isConstant {
		return dst
	}
	switch c.value.Type {
	case 0, bsonraw.TypeUndefined, bsonraw.TypeArray: // the first two equal each other
		return dst
	}
	return append(dst, Equality{p.fields, c.value})
}
