package bsonraw

// Leaf says what a walk gives for an array at the end of its path.
type Leaf uint8

const (
	// LeafSpread gives each element of the array, then the array itself. Comparisons read paths so: {a: 1} matches a: [1, 2],
	// and {a: [1, 2]} does too.
	LeafSpread Leaf = iota
	// LeafWhole gives the array alone. $size and $elemMatch read paths so.
	LeafWhole
	// LeafElements gives each element of the array, without the array itself.
	LeafElements
)

// Visitor takes one value of a walk and reports whether the walk shall go on. position is where the value was found in the
// outermost array that the walk spread over, -1 when it spread over none: the position that the positional operator $ stands
// for.
type Visitor func(v Value, position int) (more bool)

// Walk visits every value that the path leads to, in the way that MongoDB's query language reads paths, until the visitor has
// enough; it returns false then.
//
//   - A document on the way that lacks the name, or anything but a document or array, gives one missing value.
//   - An array on the way is spread: each of its documents is walked; its other elements give nothing, not even a missing
//     value. A document's arrays within arrays are not spread.
//   - A part that spells a position also names that element of an array. When the path ends there, the element is given as it
//     is, not spread.
//
// Walk does not allocate; a visitor that keeps no reference to itself need not either.
func (p Path) Walk(doc Doc, leaf Leaf, visit Visitor) bool {
	return walkDoc(doc, p.parts, leaf, -1, visit)
}

// WalkValue is [Path.Walk] from a value that stands at the beginning of the path, as if it had been found under a name before
// it: an array is spread. The empty Path leads to the value itself.
func (p Path) WalkValue(v Value, leaf Leaf, visit Visitor) bool {
	switch {
	case len(p.parts) == 0:
		return walkLeaf(v, leaf, -1, visit)
	case v.Type == TypeDocument:
		return walkDoc(v.Doc(), p.parts, leaf, -1, visit)
	case v.Type == TypeArray:
		return walkArray(v.Doc(), p.parts, leaf, -1, visit)
	}
	return visit(Value{}, -1)
}

func walkDoc(doc Doc, parts []PathPart, leaf Leaf, position int, visit Visitor) bool {
	for i := range parts {
		v := doc.Lookup(parts[i].Name)
		switch {
		case i == len(parts)-1:
			return walkLeaf(v, leaf, position, visit)
		case v.Type == TypeDocument:
			doc = v.Doc()
		case v.Type == TypeArray:
			return walkArray(v.Doc(), parts[i+1:], leaf, position, visit)
		default:
			return visit(Value{}, position)
		}
	}
	return true
}

func walkLeaf(v Value, leaf Leaf, position int, visit Visitor) bool {
	if v.Type == TypeArray && leaf != LeafWhole {
		i := 0
		for it := v.Doc().Iter(); it.Next(); i++ {
			if !visit(it.Value(), outermost(position, i)) {
				return false
			}
		}
		if leaf == LeafElements {
			return true
		}
	}
	return visit(v, position)
}

func walkArray(array Doc, parts []PathPart, leaf Leaf, position int, visit Visitor) bool {
	i := 0
	for it := array.Iter(); it.Next(); i++ {
		v := it.Value()
		if v.Type == TypeDocument && !walkDoc(v.Doc(), parts, leaf, outermost(position, i), visit) {
			return false
		}
		if parts[0].Index != i {
			continue
		}
		if !walkElement(v, parts[1:], leaf, position, visit) {
			return false
		}
	}
	return true
}

func outermost(position, i int) int {
	if position >= 0 {
		return position
	}
	return i
}

// walkElement goes on from the element of an array that a part named by its position.
func walkElement(v Value, parts []PathPart, leaf Leaf, position int, visit Visitor) bool {
	switch {
	case len(parts) == 0:
		return visit(v, position)
	case v.Type == TypeDocument:
		return walkDoc(v.Doc(), parts, leaf, position, visit)
	case v.Type == TypeArray:
		return walkArray(v.Doc(), parts, leaf, position, visit)
	}
	return true
}
