package filter

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

func parseElemMatch(p *parser, c condition) (*clause, error) {
	if !c.arg.IsDoc() {
		return nil, badValue("$elemMatch needs an Object")
	}
	out := &clause{op: opElemMatchObject, path: c.path, value: c.arg}
	outer := p.inner
	p.inner = true
	var inner *clause
	var err error
	// Operators that stand in no field make it a condition on documents even where they come first.
	if _, whole := p.documents[firstName(c.arg.Doc())]; isOperators(c.arg, true) && !whole {
		out.op = opElemMatchValue
		inner, err = p.operators(elementPath, c.arg.Doc())
	} else {
		inner, err = p.document(c.arg.Doc())
	}
	p.inner = outer
	if err != nil {
		return nil, err
	}
	out.children = []*clause{inner}
	return out, nil
}

func parseSize(_ *parser, c condition) (*clause, error) {
	n, err := argument.Natural(c.name, c.arg)
	switch {
	case err != nil:
		return nil, badValue("Failed to parse $size. %s", err)
	case n > math.MaxInt32:
		return nil, badValue("Failed to parse $size. Cannot represent $size: %s in an int", c.arg.Shell())
	}
	return &clause{op: opSize, path: c.path, value: c.arg, test: sizeTest(n)}, nil
}

type sizeTest int

func (x sizeTest) holds(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeArray {
		return false
	}
	n := 0
	for it := v.Doc().Iter(); it.Next(); {
		if n++; n > int(x) {
			return false
		}
	}
	return n == int(x)
}

func parseAll(p *parser, c condition) (*clause, error) {
	if c.arg.Type != bsonraw.TypeArray {
		return nil, badValue("$all needs an array")
	}
	array := c.arg.Doc()
	if array.IsEmpty() {
		return &clause{op: opFalse, path: c.path}, nil
	}
	if first := array.At(0); first.IsDoc() && firstName(first.Doc()) == "$elemMatch" {
		return p.allElemMatch(c, array)
	}
	all := &clause{op: opAnd, path: c.path}
	for it := array.Iter(); it.Next(); {
		v := it.Value()
		if isOperators(v, false) {
			return nil, badValue("no $ expressions in $all")
		}
		one, err := p.field(c.path, v)
		if err != nil {
			return nil, err
		}
		all.children = append(all.children, one)
	}
	return all, nil
}

// allElemMatch reads {$all: [{$elemMatch: ..}, ..]}: each condition is met by some element.
func (p *parser) allElemMatch(c condition, array bsonraw.Doc) (*clause, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	all := &clause{op: opAnd, path: c.path}
	for it := array.Iter(); it.Next(); {
		v := it.Value()
		if !v.IsDoc() || firstName(v.Doc()) != "$elemMatch" {
			return nil, badValue("$all/$elemMatch has to be consistent")
		}
		one, err := parseElemMatch(p, condition{path: c.path, name: "$elemMatch", arg: v.Doc().Lookup("$elemMatch")})
		if err != nil {
			return nil, err
		}
		all.children = append(all.children, one)
	}
	return all, nil
}

func failedToParse(err error) error { return mongoerr.New(mongoerr.FailedToParse, "%s", err) }
