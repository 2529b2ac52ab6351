package bsonraw

import (
	"bytes"
	"encoding/binary"
)

// Doc is a whole BSON document or array: length, elements, terminating zero.
type Doc []byte

// Empty is the document without elements.
var Empty = Doc{5, 0, 0, 0, 0}

// Iter walks the elements of a document in their order. It stops at the end or where the bytes are not well formed.
//
//	for it := doc.Iter(); it.Next(); {
//		use(it.Key(), it.Value())
//	}
type Iter struct {
	rest   []byte // what follows the current element; not empty after the last Next where the bytes are malformed
	elem   []byte
	key    int  // length of the key in elem
	vacant bool // places without a value count
}

// Iter returns an iterator that stands before the first element.
func (d Doc) Iter() Iter {
	if len(d) < 5 {
		return Iter{}
	}
	return Iter{rest: d[4 : len(d)-1]}
}

// Next moves to the next element and reports whether there is one.
func (it *Iter) Next() bool {
	for len(it.rest) >= 2 {
		k := keyEnd(it.rest)
		if k == len(it.rest) {
			return false
		}
		n := valueSize(Type(it.rest[0]), it.rest[k+1:])
		if n < 0 {
			return false
		}
		end := k + 1 + n
		it.elem, it.rest, it.key = it.rest[:end:end], it.rest[end:], k-1
		if Type(it.elem[0]) != TypeVacant || it.vacant {
			return true
		}
	}
	return false
}

// Key returns the current element's name.
func (it *Iter) Key() []byte { return it.elem[1 : 1+it.key] }

// Value returns the current element's value.
func (it *Iter) Value() Value { return Value{Type(it.elem[0]), it.elem[it.key+2:]} }

// Elem returns the current element's bytes: type, name and value.
func (it *Iter) Elem() []byte { return it.elem }

// keyEnd returns where the zero byte behind an element's name is, or the length of b where there is none. Names are short: a
// loop beats a call that searches.
func keyEnd(b []byte) int {
	k := 1
	for k < len(b) && b[k] != 0 {
		k++
	}
	return k
}

// Lookup returns the value of the first element of that name, or a missing value.
func (d Doc) Lookup(key string) Value {
	if len(d) < 5 {
		return Value{}
	}
	for b := d[4 : len(d)-1]; len(b) >= 2; {
		k := len(key) + 1
		found := k < len(b) && b[k] == 0 && string(b[1:k]) == key
		if !found {
			if k = keyEnd(b); k == len(b) {
				return Value{}
			}
		}
		n := valueSize(Type(b[0]), b[k+1:])
		switch {
		case n < 0:
			return Value{}
		case found && Type(b[0]) == TypeVacant:
			return Value{}
		case found:
			return Value{Type(b[0]), b[k+1 : k+1+n : k+1+n]}
		}
		b = b[k+1+n:]
	}
	return Value{}
}

// IsEmpty reports whether the document has no elements.
func (d Doc) IsEmpty() bool {
	if len(d) <= 5 {
		return true
	}
	if Type(d[4]) != TypeVacant {
		return false
	}
	it := d.Iter()
	return !it.Next()
}

// Len counts the elements.
func (d Doc) Len() int {
	n := 0
	for it := d.Iter(); it.Next(); {
		n++
	}
	return n
}

// Value returns the document as a value of type document.
func (d Doc) Value() Value { return Value{TypeDocument, d} }

// Clone returns a copy that shares nothing with d.
func (d Doc) Clone() Doc { return bytes.Clone(d) }

// fixedSize holds the number of bytes of the types that all have the same, -1 for the others.
var fixedSize = func() (sizes [256]int8) {
	for i := range sizes {
		sizes[i] = -1
	}
	for size, types := range map[int8][]Type{
		0:  {TypeUndefined, TypeNull, TypeMinKey, TypeMaxKey, TypeVacant},
		1:  {TypeBool},
		4:  {TypeInt32},
		8:  {TypeDouble, TypeDate, TypeTimestamp, TypeInt64},
		12: {TypeObjectID},
		16: {TypeDecimal128},
	} {
		for _, t := range types {
			sizes[t] = size
		}
	}
	return sizes
}()

// valueSize returns the number of bytes that a value of type t takes at the start of b, or -1 when b does not hold it.
func valueSize(t Type, b []byte) int {
	n := int(fixedSize[t])
	if n < 0 {
		n = writtenSize(t, b)
	}
	if n > len(b) {
		return -1
	}
	return n
}

// writtenSize is valueSize for the types whose values say how long they are.
func writtenSize(t Type, b []byte) int {
	switch t {
	case TypeString, TypeJavaScript, TypeSymbol:
		return prefixed(b, 4, 1)
	case TypeDocument, TypeArray:
		return prefixed(b, 0, 5)
	case TypeBinary:
		return prefixed(b, 5, 0)
	case TypeRegex:
		return regexSize(b)
	case TypeDBPointer:
		if n := prefixed(b, 4, 1); n >= 0 {
			return n + 12
		}
	case TypeCodeScope:
		return prefixed(b, 0, 14)
	}
	return -1
}

// prefixed reads a length of four bytes and returns it with what stands outside of it; least is the smallest valid length.
func prefixed(b []byte, outside, least int) int {
	if len(b) < 4 {
		return -1
	}
	n := int(int32(binary.LittleEndian.Uint32(b)))
	if n < least || n > len(b) {
		return -1
	}
	return n + outside
}

func regexSize(b []byte) int {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return -1
	}
	j := bytes.IndexByte(b[i+1:], 0)
	if j < 0 {
		return -1
	}
	return i + j + 2
}
