package aggregation

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// needed returns what must hold for the stage to let a document through, as far as that may be asked before a barrier. Of conditions that
// may be asked there as they are there is nothing: they are moved.
func (s *match) needed(passes Barrier) (out []bsonraw.Doc) {
	if s.takesNothing() {
		return nil
	}
	for _, spec := range s.conjuncts() {
		for _, one := range conditions(nil, spec) {
			if weaker := weakened(one, passes); weaker != nil {
				out = append(out, weaker)
			}
		}
	}
	return out
}

// weakened returns a filter that everything meets that meets a condition, made of those parts of the condition that may be asked before a
// barrier; nil if there are none.
func weakened(one bsonraw.Doc, passes Barrier) bsonraw.Doc {
	it := one.Iter()
	it.Next()
	switch v := it.Value(); string(it.Key()) {
	case "$expr":
		if part, ok := part(v, passes, true); ok {
			return condition("$expr", part)
		}
	case "$or":
		branches := bsonraw.BeginArray(nil)
		for branch := v.Doc().Iter(); branch.Next(); {
			var parts []bsonraw.Doc
			for _, one := range conditions(nil, branch.Value().Doc()) {
				if weaker := weakened(one, passes); weaker != nil {
					parts = append(parts, weaker)
				}
			}
			if len(parts) == 0 {
				return nil
			}
			branches.AppendDoc(all(parts))
		}
		return condition("$or", bsonraw.Value{Type: bsonraw.TypeArray, Data: branches.End()})
	default:
		if passes(one) {
			return one
		}
	}
	return nil
}

// part returns an expression that is true whenever another one is, or, if wider is false, only when that is: made of the parts that may be
// evaluated before a barrier. ok is false if it can not be made. What may fail is no such part: one before it may have kept it from that.
func part(e bsonraw.Value, passes Barrier, wider bool) (_ bsonraw.Value, ok bool) {
	name, args := operator(e)
	if name == "$not" && len(args) == 1 {
		inner, ok := part(args[0], passes, !wider)
		return operation(name, []bsonraw.Value{inner}), ok
	}
	if name != "$and" && name != "$or" {
		return e, neverFails(e) && passes(condition("$expr", e))
	}
	var parts []bsonraw.Value
	for _, arg := range args {
		if p, ok := part(arg, passes, wider); ok {
			parts = append(parts, p)
		}
	}
	if few := name == "$and" == wider; !few && len(parts) < len(args) {
		return e, false // one may be left out of what must all hold, and of what is to hold less often
	}
	return operation(name, parts), len(parts) > 0
}

// operator takes an expression apart; name is empty if it is none with an operator.
func operator(e bsonraw.Value) (name string, args []bsonraw.Value) {
	if e.Type != bsonraw.TypeDocument {
		return "", nil
	}
	it := e.Doc().Iter()
	if !it.Next() || len(it.Key()) == 0 || it.Key()[0] != '$' {
		return "", nil
	}
	name, v := string(it.Key()), it.Value()
	if v.Type != bsonraw.TypeArray {
		return name, []bsonraw.Value{v}
	}
	for it := v.Doc().Iter(); it.Next(); {
		args = append(args, it.Value())
	}
	return name, args
}

func operation(name string, args []bsonraw.Value) bsonraw.Value {
	list := bsonraw.BeginArray(nil)
	for _, arg := range args {
		list.Append(arg)
	}
	return condition(name, bsonraw.Value{Type: bsonraw.TypeArray, Data: list.End()}).Value()
}

// total are the operators that have a value for every argument.
var total = map[string]bool{
	"$eq": true, "$ne": true, "$gt": true, "$gte": true, "$lt": true, "$lte": true, "$cmp": true,
	"$and": true, "$or": true, "$not": true, "$ifNull": true, "$type": true,
}

// neverFails reports whether an expression has a value for every document.
func neverFails(e bsonraw.Value) bool {
	if e.Type != bsonraw.TypeDocument && e.Type != bsonraw.TypeArray {
		return true
	}
	switch name, args := operator(e); {
	case name == "$literal":
		return true
	case name == "":
		for it := e.Doc().Iter(); it.Next(); {
			if !neverFails(it.Value()) {
				return false
			}
		}
		return true
	case name == "$in" && len(args) == 2:
		return args[1].Type == bsonraw.TypeArray && neverFails(args[0]) && neverFails(args[1])
	default:
		return total[name] && !slices.ContainsFunc(args, func(arg bsonraw.Value) bool { return !neverFails(arg) })
	}
}
