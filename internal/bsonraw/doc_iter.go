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
	rest []byte // what follows the current element; not empty after the last Next where the bytes are malformed
	elem []byte
	key  int // length of the key in elem
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
	if len(it.rest) < 2 {
		return false
	}
	k := bytes.IndexByte(it.rest[1:], 0)
	if k < 0 {
		return false
	}
	n := valueSize(Type(it.rest[0]), it.rest[k+2:])
	if n < 0 {
		return false
	}
	end := k + 2 + n
	it.elem, it.rest, it.key = it.rest[:end:end], it.rest[end:], k
	return true
}

// Key returns the current element's name.
func (it *Iter) Key() []byte { return it.elem[1 : 1+it.key] }

// Value returns the current element's value.
func (it *Iter) Value() Value { return Value{Type(it.elem[0]), it.elem[it.key+2:]} }

// Elem returns the current element's bytes: type, name and value.
func (it *Iter) Elem() []byte { return it.elem }

// Lookup returns the value of the first element of that name, or a missing value.
func (d Doc) Lookup(key string) Value {
	for it := d.Iter(); it.Next(); {
		if string(it.Key()) == key {
			return it.Value()
		}
	}
	return Value{}
}

// IsEmpty reports whether the document has no elements.
func (d Doc) IsEmpty() bool { return len(d) <= 5 }

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

// valueSize returns the number of bytes that a value of type t takes at the start of b, or -1 when b does not hold it.
func valueSize(t Type, b []byte) int {
	n := -1
	switch t {
	case TypeDouble, TypeDate, TypeTimestamp, TypeInt64:
		n = 8
	case TypeString, TypeJavaScript, TypeSymbol:
		n = prefixed(b, 4, 1)
	case TypeDocument, TypeArray:
		n = prefixed(b, 0, 5)
	case TypeBinary:
		n = prefixed(b, 5, 0)
	case TypeUndefined, TypeNull, TypeMinKey, TypeMaxKey:
		n = 0
	case TypeObjectID:
		n = 12
	case TypeBool:
		n = 1
	case TypeRegex:
		n = regexSize(b)
	case TypeDBPointer:
		if n = prefixed(b, 4, 1); n >= 0 {
			n += 12
		}
	case TypeCodeScope:
		n = prefixed(b, 0, 14)
	case TypeInt32:
		n = 4
	case TypeDecimal128:
		n = 16
	}
	if n > len(b) {
		return -1
	}
	return n
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
