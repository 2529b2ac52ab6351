package bsonraw

import "bytes"

// A document that passes from stage to stage keeps the places of the fields that are taken away: one that gets a value again has it
// where it was. Such a place is an element of type [TypeVacant]. Everything reads over it, but for [Doc.Places]; [Doc.Settled] ends it.

// AppendVacant appends the place of a field without a value.
func AppendVacant[K string | []byte](dst []byte, key K) []byte {
	return AppendHeader(dst, TypeVacant, key)
}

// Places returns an iterator that stops at places without a value too: there the value is of type [TypeVacant].
func (d Doc) Places() Iter {
	it := d.Iter()
	it.vacant = true
	return it
}

// Settled returns the document without vacant places, at any depth: d itself if there are none, or what it appended to dst.
func (d Doc) Settled(dst []byte) Doc {
	if bytes.IndexByte(d, byte(TypeVacant)) < 0 || !d.hasVacant() {
		return d
	}
	return d.appendSettled(dst)
}

func (d Doc) hasVacant() bool {
	for it := d.Places(); it.Next(); {
		switch v := it.Value(); v.Type {
		case TypeVacant:
			return true
		case TypeDocument, TypeArray:
			if bytes.IndexByte(v.Data, byte(TypeVacant)) >= 0 && v.Doc().hasVacant() {
				return true
			}
		}
	}
	return false
}

func (d Doc) appendSettled(dst []byte) []byte {
	dst, at := BeginDoc(dst)
	for it := d.Iter(); it.Next(); {
		v := it.Value()
		if (v.Type == TypeDocument || v.Type == TypeArray) && bytes.IndexByte(v.Data, byte(TypeVacant)) >= 0 {
			dst = v.Doc().appendSettled(AppendHeader(dst, v.Type, it.Key()))
			continue
		}
		dst = append(dst, it.Elem()...)
	}
	return EndDoc(dst, at)
}
