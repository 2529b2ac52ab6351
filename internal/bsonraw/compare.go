package bsonraw

import "bytes"

// Compare orders two values as MongoDB does (manual, "Comparison/Sort Order"): by class first, then by value; numbers of all
// types by their exact number, NaN before every other number. A missing value equals null. It returns -1, 0 or 1.
func Compare(a, b Value) int {
	ca, cb := a.Type.Class(), b.Type.Class()
	if ca != cb {
		return order(ca < cb)
	}
	switch a.Type {
	case TypeInt32, TypeInt64, TypeDouble, TypeDecimal128:
		return compareNumbers(a, b)
	case TypeString, TypeSymbol, TypeJavaScript:
		return bytes.Compare(a.Bytes(), b.Bytes())
	case TypeDocument, TypeArray:
		return compareDocs(a.Doc(), b.Doc(), a.Type == TypeDocument)
	case TypeBinary:
		return compareBinary(a, b)
	case TypeObjectID:
		return bytes.Compare(a.Data, b.Data)
	case TypeBool:
		return compareOrdered(b2i(a.Bool()), b2i(b.Bool()))
	case TypeDate:
		return compareOrdered(a.Int64(), b.Int64())
	case TypeTimestamp:
		return compareOrdered(uint64(a.Int64()), uint64(b.Int64()))
	case TypeRegex:
		return compareRegex(a, b)
	case TypeDBPointer:
		return compareDBPointer(a, b)
	case TypeCodeScope:
		return compareCodeScope(a, b)
	}
	return 0
}

// CompareDocs orders two documents: element by element, each first by class, then by name, then by value.
func CompareDocs(a, b Doc) int { return compareDocs(a, b, true) }

// Equal reports whether Compare gives 0.
func Equal(a, b Value) bool {
	if a.Type == b.Type && bytes.Equal(a.Data, b.Data) {
		return true
	}
	return Compare(a, b) == 0
}

func compareDocs(a, b Doc, names bool) int {
	x, y := a.Iter(), b.Iter()
	for {
		mx, my := x.Next(), y.Next()
		if !mx || !my {
			return compareOrdered(b2i(mx), b2i(my))
		}
		vx, vy := x.Value(), y.Value()
		if cx, cy := vx.Type.Class(), vy.Type.Class(); cx != cy {
			return order(cx < cy)
		}
		if names {
			if c := bytes.Compare(x.Key(), y.Key()); c != 0 {
				return c
			}
		}
		if c := Compare(vx, vy); c != 0 {
			return c
		}
	}
}

func compareBinary(a, b Value) int {
	// Lengths first, then the subtype, then the bytes: the length is the one that the element carries.
	if c := compareOrdered(len(a.Data), len(b.Data)); c != 0 {
		return c
	}
	return bytes.Compare(a.Data[4:], b.Data[4:])
}

func compareRegex(a, b Value) int {
	pa, oa := a.Regex()
	pb, ob := b.Regex()
	if c := bytes.Compare(pa, pb); c != 0 {
		return c
	}
	return bytes.Compare(oa, ob)
}

func compareDBPointer(a, b Value) int {
	if c := compareOrdered(len(a.Data), len(b.Data)); c != 0 {
		return c
	}
	return bytes.Compare(a.Data, b.Data)
}

func compareCodeScope(a, b Value) int {
	ca, sa := a.CodeScope()
	cb, sb := b.CodeScope()
	if c := bytes.Compare(ca, cb); c != 0 {
		return c
	}
	return CompareDocs(sa, sb)
}

func compareOrdered[T int | int64 | uint64 | float64](a, b T) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

func order(less bool) int {
	if less {
		return -1
	}
	return 1
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
