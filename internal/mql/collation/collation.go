package collation

import (
	"bytes"
	"encoding/binary"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Collation is a checked collation. It is immutable and may be used concurrently. The nil Collation is the simple one, which
// compares strings by their bytes; all methods accept it.
type Collation struct {
	spec    spec
	weights *weigher
}

// Compare orders two values as [bsonraw.Compare] does, but for strings, and strings inside of documents and arrays, which the
// collation orders. It returns -1, 0 or 1.
func (c *Collation) Compare(a, b bsonraw.Value) int {
	if c == nil || a.Type.Class() != b.Type.Class() {
		return bsonraw.Compare(a, b)
	}
	switch a.Type {
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		return c.compareText(a.Bytes(), b.Bytes())
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		return c.compareDocs(a.Doc(), b.Doc(), a.Type == bsonraw.TypeDocument)
	}
	return bsonraw.Compare(a, b)
}

// Equal reports whether Compare gives 0.
func (c *Collation) Equal(a, b bsonraw.Value) bool {
	if c == nil {
		return bsonraw.Equal(a, b)
	}
	return a.Same(b) || c.Compare(a, b) == 0
}

// Matters reports whether a comparison with v may come out otherwise than without a collation: when v is a string, or a document
// or array that holds one.
func (c *Collation) Matters(v bsonraw.Value) bool { return c != nil && HoldsText(v) }

// Same reports whether two collations order everything alike by what they say.
func (c *Collation) Same(other *Collation) bool {
	if c == nil || other == nil {
		return c == other
	}
	a, b := c.spec, other.spec
	a.backwardsGiven, b.backwardsGiven = false, false // what follows from the locale may be written out or not
	return a == b
}

// HoldsText reports whether v is a string, or a document or array that holds one.
func HoldsText(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		return true
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			if HoldsText(it.Value()) {
				return true
			}
		}
	}
	return false
}

// AppendKey appends a key that compares, byte by byte, as Compare does. Without a collation it is [bsonraw.AppendKey].
func (c *Collation) AppendKey(dst []byte, v bsonraw.Value) []byte {
	if !c.Matters(v) {
		return bsonraw.AppendKey(dst, v)
	}
	return bsonraw.AppendKey(dst, c.weighed(v))
}

// AppendKeyDescending is AppendKey for the opposite order.
func (c *Collation) AppendKeyDescending(dst []byte, v bsonraw.Value) []byte {
	if !c.Matters(v) {
		return bsonraw.AppendKeyDescending(dst, v)
	}
	return bsonraw.AppendKeyDescending(dst, c.weighed(v))
}

// AppendWeights appends what stands for a text in comparisons: texts compare as these bytes do. The collation must not be nil.
func (c *Collation) AppendWeights(dst, text []byte) []byte {
	return c.weights.append(dst, text)
}

func (c *Collation) compareText(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	return c.weights.compare(a, b)
}

func (c *Collation) compareDocs(a, b bsonraw.Doc, names bool) int {
	x, y := a.Iter(), b.Iter()
	for {
		more, other := x.Next(), y.Next()
		switch {
		case !more && !other:
			return 0
		case !more:
			return -1
		case !other:
			return 1
		}
		v, w := x.Value(), y.Value()
		if names && v.Type.Class() == w.Type.Class() {
			if order := bytes.Compare(x.Key(), y.Key()); order != 0 {
				return order
			}
		}
		if order := c.Compare(v, w); order != 0 {
			return order
		}
	}
}

// weighed returns v with the weights of strings in their place.
func (c *Collation) weighed(v bsonraw.Value) bsonraw.Value {
	element := c.appendWeighed(nil, "", v)
	return bsonraw.Value{Type: bsonraw.Type(element[0]), Data: element[2:]} // behind its empty name
}

// appendWeighed appends an element with v, the weights of strings in their place.
func (c *Collation) appendWeighed(dst []byte, name string, v bsonraw.Value) []byte {
	switch v.Type {
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		dst = bsonraw.AppendHeader(dst, bsonraw.TypeString, name)
		at := len(dst)
		dst = append(c.weights.append(append(dst, 0, 0, 0, 0), v.Bytes()), 0)
		binary.LittleEndian.PutUint32(dst[at:], uint32(len(dst)-at-4)) // the length of what follows it
		return dst
	case bsonraw.TypeDocument, bsonraw.TypeArray:
		dst, at := bsonraw.BeginElem(dst, v.Type, name)
		for it := v.Doc().Iter(); it.Next(); {
			dst = c.appendWeighed(dst, string(it.Key()), it.Value())
		}
		return bsonraw.EndDoc(dst, at)
	}
	return bsonraw.AppendValue(dst, name, v)
}

// Operand is one side of many comparisons. Of a string the weights are found once.
type Operand struct {
	collation *Collation
	value     bsonraw.Value
	weights   []byte
}

// Operand makes a side for comparisons from v, which must not change. The collation must not be nil.
func (c *Collation) Operand(v bsonraw.Value) Operand {
	o := Operand{collation: c, value: v}
	if isText(v) {
		o.weights = c.AppendWeights(nil, v.Bytes())
	}
	return o
}

// Compare orders v, which stands on the left, against the operand.
func (o *Operand) Compare(v bsonraw.Value) int {
	if o.weights == nil || !isText(v) {
		return o.collation.Compare(v, o.value)
	}
	return o.collation.weights.compareTo(v.Bytes(), o.weights)
}

func isText(v bsonraw.Value) bool {
	return v.Type == bsonraw.TypeString || v.Type == bsonraw.TypeSymbol
}
