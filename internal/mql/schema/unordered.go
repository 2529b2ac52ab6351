package schema

import (
	"bytes"
	"cmp"
	"slices"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Schemas compare documents without regard to the order of their fields. A value's key is that of the value with the fields
// sorted at all levels: values are equal if their keys are.

// keyer makes keys; it is kept for its memory.
type keyer struct {
	sorted []byte
	key    []byte
	fields []field
	spans  [][2]int // of the keys of an array's elements
}

type field struct {
	name  []byte
	value bsonraw.Value
}

var keyers = sync.Pool{New: func() any { return new(keyer) }}

// append appends the key of a value.
func (k *keyer) append(dst []byte, v bsonraw.Value) []byte {
	if v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray {
		return bsonraw.AppendKey(dst, v)
	}
	k.sorted = k.appendSorted(k.sorted[:0], v)
	return bsonraw.AppendKey(dst, bsonraw.Value{Type: v.Type, Data: k.sorted})
}

// appendSorted appends a document or array with the fields of documents sorted.
func (k *keyer) appendSorted(dst []byte, v bsonraw.Value) []byte {
	first := len(k.fields)
	for it := v.Doc().Iter(); it.Next(); {
		k.fields = append(k.fields, field{it.Key(), it.Value()})
	}
	list := k.fields[first:]
	if v.Type == bsonraw.TypeDocument {
		slices.SortStableFunc(list, func(a, b field) int { return bytes.Compare(a.name, b.name) })
	}
	dst, at := bsonraw.BeginDoc(dst)
	for i := range list {
		// Deeper levels may move the fields, but this level's list still sees its own.
		f := list[i]
		if f.value.Type != bsonraw.TypeDocument && f.value.Type != bsonraw.TypeArray {
			dst = bsonraw.AppendValue(dst, f.name, f.value)
			continue
		}
		dst = k.appendSorted(bsonraw.AppendHeader(dst, f.value.Type, f.name), f.value)
	}
	k.fields = k.fields[:first]
	return bsonraw.EndDoc(dst, at)
}

// repeated returns the first element of an array that is equal to one before it, or a missing value.
func repeated(array bsonraw.Doc) bsonraw.Value {
	k, _ := keyers.Get().(*keyer)
	defer keyers.Put(k)
	k.key, k.spans = k.key[:0], k.spans[:0]
	for it := array.Iter(); it.Next(); {
		from := len(k.key)
		k.key = k.append(k.key, it.Value())
		k.spans = append(k.spans, [2]int{from, len(k.key)})
	}
	if at := k.firstRepeated(); at >= 0 {
		return array.At(at)
	}
	return bsonraw.Value{}
}

// firstRepeated returns the position of the first key that is equal to one before it, or -1. Few keys are compared with each
// other; many are sorted.
func (k *keyer) firstRepeated() int {
	const few = 8
	if len(k.spans) <= few {
		for i := range k.spans {
			for j := range i {
				if bytes.Equal(k.keyAt(i), k.keyAt(j)) {
					return i
				}
			}
		}
		return -1
	}
	order := make([]int, len(k.spans))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Or(bytes.Compare(k.keyAt(i), k.keyAt(j)), cmp.Compare(i, j)) })
	first := -1
	for i := 1; i < len(order); i++ {
		if bytes.Equal(k.keyAt(order[i-1]), k.keyAt(order[i])) && (first < 0 || order[i] < first) {
			first = order[i]
		}
	}
	return first
}

func (k *keyer) keyAt(i int) []byte { return k.key[k.spans[i][0]:k.spans[i][1]] }

// valueSet is a set of values.
type valueSet struct{ keys map[string]struct{} }

func newValueSet() valueSet { return valueSet{map[string]struct{}{}} }

// add adds a value and reports whether it is new.
func (s valueSet) add(v bsonraw.Value) bool {
	key := string(new(keyer).append(nil, v))
	_, there := s.keys[key]
	s.keys[key] = struct{}{}
	return !there
}

func (s valueSet) has(v bsonraw.Value) bool {
	k, _ := keyers.Get().(*keyer)
	defer keyers.Put(k)
	k.key = k.append(k.key[:0], v)
	_, ok := s.keys[string(k.key)]
	return ok
}
