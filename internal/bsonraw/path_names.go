package bsonraw

import "math/bits"

// Names are names that are looked up in a document together, in one walk.
type Names struct {
	list    []string
	lengths uint64 // a bit for each length of a name; those of 63 and more share one
}

// MaxNames is how many names [Names] can hold.
const MaxNames = 64

// NewNames makes the set of at most [MaxNames] distinct names.
func NewNames(list []string) Names {
	n := Names{list: list}
	for _, name := range list {
		n.lengths |= 1 << min(len(name), 63)
	}
	return n
}

// Visit calls found with the value of each name that the document has, in the document's order: the index of the name and its
// first value. It stops when found returns false, and returns false then. missing has a bit for each name that was not there,
// the lowest for the first name.
func (n *Names) Visit(doc Doc, found func(i int, v Value) bool) (missing uint64, finished bool) {
	missing = ^uint64(0) >> (MaxNames - len(n.list))
	if len(doc) < 5 {
		return missing, true
	}
	for b := doc[4 : len(doc)-1]; len(b) >= 2 && missing != 0; {
		k := keyEnd(b)
		if k == len(b) {
			break
		}
		size := valueSize(Type(b[0]), b[k+1:])
		if size < 0 {
			break
		}
		end := k + 1 + size
		if n.lengths>>min(k-1, 63)&1 != 0 && Type(b[0]) != TypeVacant {
			if i := n.find(b[1:k], missing); i >= 0 {
				missing &^= 1 << i
				if !found(i, Value{Type(b[0]), b[k+1 : end : end]}) {
					return missing, false
				}
			}
		}
		b = b[end:]
	}
	return missing, true
}

// find returns the index of a name among those of a set, or -1.
func (n *Names) find(key []byte, among uint64) int {
	for ; among != 0; among &= among - 1 {
		if i := bits.TrailingZeros64(among); string(key) == n.list[i] {
			return i
		}
	}
	return -1
}
