package update

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// valueSet is a set of values, equal when they compare so.
type valueSet struct {
	values []bsonraw.Value
	by     *collation.Collation
}

// fewValues is up to where comparing with each is faster than searching.
const fewValues = 8

// newValueSet makes a set of an array's elements, each once.
func newValueSet(array bsonraw.Doc, by *collation.Collation) valueSet {
	list := appendElements(nil, array)
	slices.SortFunc(list, by.Compare)
	return valueSet{values: slices.CompactFunc(list, by.Equal), by: by}
}

// find returns the place of a value in the set, or none.
func (s valueSet) find(v bsonraw.Value) int {
	if len(s.values) <= fewValues {
		return slices.IndexFunc(s.values, func(w bsonraw.Value) bool { return s.by.Equal(v, w) })
	}
	if i, found := slices.BinarySearchFunc(s.values, v, s.by.Compare); found {
		return i
	}
	return none
}

// addToSet is $addToSet.
type addToSet struct {
	creating
	list bsonraw.Doc // an array; what may be added, in its order
	set  valueSet
}

func compileAddToSet(c *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	it := bsonraw.Iter{}
	if arg.Type == bsonraw.TypeDocument {
		it = arg.Doc().Iter()
	}
	if !it.Next() || string(it.Key()) != "$each" {
		list := bsonraw.BeginArray(make([]byte, 0, len(arg.Data)+16))
		list.Append(arg)
		array := bsonraw.Doc(list.End())
		return &addToSet{list: array, set: newValueSet(array, c.opts.Scope.Collation())}, nil
	}
	each := it.Value()
	if each.Type != bsonraw.TypeArray {
		return nil, mongoerr.New(mongoerr.TypeMismatch, "The argument to $each in $addToSet must be an array but it was of type %s", each.Type.Name())
	}
	if it.Next() {
		return nil, mongoerr.New(mongoerr.BadValue, "Found unexpected fields after $each in $addToSet: %s", arg.Shell())
	}
	return &addToSet{list: each.Doc(), set: newValueSet(each.Doc(), c.opts.Scope.Collation())}, nil
}

func (s *addToSet) apply(a *applier, old bsonraw.Value) (effect, error) {
	array := bsonraw.Empty
	switch old.Type {
	case bsonraw.TypeArray:
		array = old.Doc()
	case bsonraw.TypeMissing:
	default:
		return effect{}, mongoerr.New(mongoerr.BadValue,
			"Cannot apply $addToSet to non-array field. Field named '%s' has non-array type %s", a.trail.last(), old.Type.Name())
	}
	present := make([]bool, len(s.set.values))
	var elements []bsonraw.Value
	for it := array.Iter(); it.Next(); {
		elements = append(elements, it.Value())
		if i := s.set.find(it.Value()); i != none {
			present[i] = true
		}
	}
	length := len(elements)
	for it := s.list.Iter(); it.Next(); {
		if i := s.set.find(it.Value()); !present[i] {
			present[i] = true
			elements = append(elements, it.Value())
		}
	}
	if len(elements) == length && !old.IsMissing() {
		return effect{}, nil
	}
	return effect{kind: assign, value: a.values.array(elements)}, nil
}

// pop is $pop.
type pop struct {
	traversing
	first bool
}

func compilePop(_ *compiler, path []byte, arg bsonraw.Value) (modifier, error) {
	if !arg.Type.IsNumber() {
		return nil, mongoerr.New(mongoerr.FailedToParse, "Expected a number in: %s", named(path, arg))
	}
	n, ok := wholeNumber(arg)
	switch {
	case !ok && arg.Type == bsonraw.TypeDouble:
		return nil, mongoerr.New(mongoerr.FailedToParse, "Expected an integer: %s", named(path, arg))
	case !ok:
		return nil, mongoerr.New(mongoerr.FailedToParse, "Cannot represent as a 64-bit integer: %s", named(path, arg))
	case n != 1 && n != -1:
		return nil, mongoerr.New(mongoerr.FailedToParse, "$pop expects 1 or -1, found: %d", n)
	}
	return &pop{first: n < 0}, nil
}

func (p *pop) apply(a *applier, old bsonraw.Value) (effect, error) {
	switch {
	case old.IsMissing():
		return effect{}, nil
	case old.Type != bsonraw.TypeArray:
		return effect{}, mongoerr.New(mongoerr.TypeMismatch, "Path '%s' contains an element of non-array type '%s'", a.trail, old.Type.Name())
	case old.Doc().IsEmpty():
		return effect{}, nil
	}
	elements := appendElements(nil, old.Doc())
	if p.first {
		elements = elements[1:]
	} else {
		elements = elements[:len(elements)-1]
	}
	return effect{kind: assign, value: a.values.array(elements)}, nil
}

// pull is $pull and $pullAll: it takes out the elements that match.
type pull struct {
	traversing
	condition *filter.ElemFilter // of $pull
	set       valueSet           // of $pullAll
}

func compilePull(c *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	if arg.Type == bsonraw.TypeDocument {
		if err := refuseExpr(arg.Doc()); err != nil {
			return nil, err
		}
		if it := arg.Doc().Iter(); it.Next() && string(it.Key()) == "$not" {
			return nil, mongoerr.New(mongoerr.BadValue,
				"unknown top level operator: $not. If you are trying to negate an entire expression, use $nor.")
		}
	}
	condition, err := filter.CompileElem(arg, filter.Options{Scope: c.opts.Scope})
	if err != nil {
		return nil, err
	}
	return &pull{condition: condition}, nil
}

func compilePullAll(c *compiler, _ []byte, arg bsonraw.Value) (modifier, error) {
	if arg.Type != bsonraw.TypeArray {
		return nil, mongoerr.New(mongoerr.BadValue, "$pullAll requires an array argument but was given a %s", arg.Type.Name())
	}
	return &pull{set: newValueSet(arg.Doc(), c.opts.Scope.Collation())}, nil
}

func (p *pull) apply(a *applier, old bsonraw.Value) (effect, error) {
	switch old.Type {
	case bsonraw.TypeMissing:
		return effect{}, nil
	case bsonraw.TypeArray:
	default:
		return effect{}, mongoerr.New(mongoerr.BadValue, "Cannot apply $pull to a non-array value")
	}
	// What stays is written as it is found; most often all of it does, and the bytes are given back.
	start := len(a.values.bytes)
	list, pulled := bsonraw.BeginArray(a.values.bytes), false
	for it := old.Doc().Iter(); it.Next(); {
		gone, err := p.matches(it.Value())
		if err != nil {
			return effect{}, err
		}
		if gone {
			pulled = true
		} else {
			list.Append(it.Value())
		}
	}
	out := list.End()
	if !pulled {
		a.values.bytes = out[:start]
		return effect{}, nil
	}
	a.values.bytes = out
	return effect{kind: assign, value: bsonraw.Value{Type: bsonraw.TypeArray, Data: out[start:]}}, nil
}

func (p *pull) matches(v bsonraw.Value) (bool, error) {
	if p.condition != nil {
		return p.condition.MatchValue(v)
	}
	return p.set.find(v) != none, nil
}
