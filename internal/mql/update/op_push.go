package update

import (
	"bytes"
	"math"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// push is $push.
type push struct {
	creating
	values   bsonraw.Doc // an array
	empty    bool        // values has none
	position int         // where the values go; none is the end
	fromEnd  bool        // position counts from the end
	slice    int         // how many elements stay: of the front, or, below zero, of the end
	sliced   bool
	sort     *elementOrder // nil without $sort
}

func compilePush(c *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	if arg.Type != bsonraw.TypeDocument || arg.Doc().Lookup("$each").IsMissing() {
		list := bsonraw.BeginArray(make([]byte, 0, len(arg.Data)+16))
		list.Append(arg)
		return &push{values: list.End(), position: none}, nil
	}
	p := &push{position: none}
	for it := arg.Doc().Iter(); it.Next(); {
		if err := p.clause(c, string(it.Key()), it.Value()); err != nil {
			return nil, err
		}
	}
	p.empty = p.values.IsEmpty()
	return p, nil
}

func (p *push) clause(c *compiler, name string, v bsonraw.Value) (err error) {
	switch name {
	case "$each":
		if v.Type != bsonraw.TypeArray {
			return mongoerr.New(mongoerr.BadValue, "The argument to $each in $push must be an array but it was of type: %s", v.Type.Name())
		}
		p.values = v.Doc()
	case "$position":
		n, ok := wholeNumber(v)
		if !ok {
			return mongoerr.New(mongoerr.BadValue, "The value for $position must be an integer value, not of type: %s", v.Type.Name())
		}
		p.position, p.fromEnd = n, n < 0
		if p.fromEnd {
			p.position = -n
		}
	case "$slice":
		n, ok := wholeNumber(v)
		if !ok {
			return mongoerr.New(mongoerr.BadValue, "The value for $slice must be an integer value but was given type: %s", v.Type.Name())
		}
		p.slice, p.sliced = n, true
	case "$sort":
		p.sort, err = compileElementOrder(v, c.opts.Scope.Collation())
	default:
		err = mongoerr.New(mongoerr.BadValue, "Unrecognized clause in $push: %s", name)
	}
	return err
}

// wholeNumber reads a number without a fraction; beyond what counts elements it becomes the largest or smallest such number.
func wholeNumber(v bsonraw.Value) (int, bool) {
	n, ok := v.AsInt64()
	if !ok || bsonraw.Compare(v, bsonraw.Int64Value(n)) != 0 {
		return 0, false
	}
	return int(min(max(n, -math.MaxInt32), math.MaxInt32)), true
}

func (p *push) apply(a *applier, old bsonraw.Value) (effect, error) {
	switch old.Type {
	case bsonraw.TypeArray:
	case bsonraw.TypeMissing:
		return effect{kind: assign, value: p.rebuild(a, bsonraw.Empty, 0)}, nil
	default:
		return effect{}, mongoerr.New(mongoerr.BadValue, "The field '%s' must be an array but is of type %s in document {%s}",
			a.trail, old.Type.Name(), documentID(a.doc))
	}
	length := old.Doc().Len()
	trims := p.trims(length)
	switch {
	case p.empty && !trims && p.sort == nil:
		return effect{}, nil
	case p.empty && length == 0:
		return effect{kind: touch}, nil
	case length > 0 && !trims && p.sort == nil && p.appends(length):
		return effect{kind: extend, value: bsonraw.Value{Type: bsonraw.TypeArray, Data: p.values}, length: length}, nil
	}
	return effect{kind: assign, value: p.rebuild(a, old.Doc(), length)}, nil
}

// trims reports whether $slice takes elements away.
func (p *push) trims(length int) bool {
	if !p.sliced {
		return false
	}
	if !p.empty {
		length += p.values.Len()
	}
	return length > max(p.slice, -p.slice)
}

// appends reports whether the values go to the end without a position saying so: a position at the very end says so, and then
// MongoDB records the whole array.
func (p *push) appends(length int) bool {
	return p.position == none || !p.fromEnd && p.position > length
}

// rebuild makes the new array: the values put in, all sorted, the rest cut off.
func (p *push) rebuild(a *applier, old bsonraw.Doc, length int) bsonraw.Value {
	at := length
	switch {
	case p.fromEnd:
		at = max(length-p.position, 0)
	case p.position != none:
		at = min(p.position, length)
	}
	elements := make([]bsonraw.Value, 0, length+8)
	for it := old.Iter(); it.Next(); {
		if len(elements) == at {
			elements = appendElements(elements, p.values)
		}
		elements = append(elements, it.Value())
	}
	if at == length {
		elements = appendElements(elements, p.values)
	}
	if p.sort != nil {
		slices.SortStableFunc(elements, p.sort.compare)
	}
	if p.sliced {
		elements = cut(elements, p.slice)
	}
	return a.values.array(elements)
}

func appendElements(dst []bsonraw.Value, array bsonraw.Doc) []bsonraw.Value {
	for it := array.Iter(); it.Next(); {
		dst = append(dst, it.Value())
	}
	return dst
}

func cut(elements []bsonraw.Value, n int) []bsonraw.Value {
	if n >= 0 {
		return elements[:min(n, len(elements))]
	}
	return elements[max(len(elements)+n, 0):]
}

// elementOrder is the $sort of $push: by whole elements, or by fields in them.
type elementOrder struct {
	whole int // 1 or -1; 0 by fields
	keys  []elementKey
	by    *collation.Collation
}

type elementKey struct {
	parts     [][]byte
	direction int
}

func compileElementOrder(v bsonraw.Value, by *collation.Collation) (*elementOrder, error) {
	if v.Type.IsNumber() {
		n, ok := direction(v)
		if !ok {
			return nil, mongoerr.New(mongoerr.BadValue, "The $sort element value must be either 1 or -1")
		}
		return &elementOrder{whole: n, by: by}, nil
	}
	if v.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(mongoerr.BadValue,
			"The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields")
	}
	if v.Doc().IsEmpty() {
		return nil, mongoerr.New(mongoerr.BadValue, "The sort pattern is empty when it should be a set of fields.")
	}
	o := &elementOrder{by: by}
	for it := v.Doc().Iter(); it.Next(); {
		n, ok := direction(it.Value())
		path := it.Key()
		switch {
		case !ok:
			return nil, mongoerr.New(mongoerr.BadValue, "The sort element value must be either 1 or -1")
		case len(path) == 0:
			return nil, mongoerr.New(mongoerr.BadValue, "The sort field cannot be empty")
		}
		parts := bytes.Split(path, []byte{'.'})
		if slices.ContainsFunc(parts, func(p []byte) bool { return len(p) == 0 }) {
			return nil, mongoerr.New(mongoerr.BadValue, "The sort field is a dotted field but has an empty part: %s", path)
		}
		o.keys = append(o.keys, elementKey{parts, n})
	}
	return o, nil
}

// direction reads 1 or -1 of any numeric type.
func direction(v bsonraw.Value) (int, bool) {
	n, ok := wholeNumber(v)
	return n, ok && (n == 1 || n == -1)
}

func (o *elementOrder) compare(x, y bsonraw.Value) int {
	if o.whole != 0 {
		return o.whole * o.by.Compare(x, y)
	}
	for _, k := range o.keys {
		if c := o.by.Compare(k.of(x), k.of(y)); c != 0 {
			return k.direction * c
		}
	}
	return 0
}

// of returns the key of an element. Only objects have fields; arrays in them are entered by index; what is not there counts as
// null.
func (k elementKey) of(element bsonraw.Value) bsonraw.Value {
	if element.Type != bsonraw.TypeDocument {
		return bsonraw.NullValue
	}
	for _, part := range k.parts {
		if element.Type != bsonraw.TypeDocument && element.Type != bsonraw.TypeArray {
			return bsonraw.NullValue
		}
		element = field(element.Doc(), part)
	}
	if element.IsMissing() {
		return bsonraw.NullValue
	}
	return element
}
