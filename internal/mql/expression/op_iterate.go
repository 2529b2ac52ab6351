package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// mapArray is $map.
type mapArray struct {
	input node
	item  Slot
	in    node
}

func compileMap(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(16878, "$map only supports an object as its argument")
	}
	var input, as, in bsonraw.Value
	for it := argument.Doc().Iter(); it.Next(); {
		switch string(it.Key()) {
		case "input":
			input = it.Value()
		case "as":
			as = it.Value()
		case "in":
			in = it.Value()
		default:
			return nil, mongoerr.New(16879, "Unrecognized parameter to $map: %s", it.Key())
		}
	}
	if input.IsMissing() {
		return nil, mongoerr.New(16880, "Missing 'input' parameter to $map")
	}
	if in.IsMissing() {
		return nil, mongoerr.New(16882, "Missing 'in' parameter to $map")
	}
	n := &mapArray{}
	var err error
	if n.input, err = c.operand(input); err != nil {
		return nil, err
	}
	n.item, n.in, err = c.body(as, in)
	return n, err
}

// body reads an expression that runs for every item of an array, the item's name being given by as, else "this".
func (c *compiler) body(as, in bsonraw.Value) (item Slot, body node, err error) {
	name := "this"
	if !as.IsMissing() {
		name = as.Str()
		if err := CheckUserVariable(name); err != nil {
			return 0, nil, err
		}
	}
	item, restore := c.bind(name)
	defer restore()
	body, err = c.operand(in)
	return item, body, err
}

func (n *mapArray) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(input) {
		return bsonraw.NullValue, nil
	}
	if input.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(16883, "input to $map must be an array not %s", input.Type.Name())
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for it := input.Doc().Iter(); it.Next(); {
		ctx.vars[n.item] = it.Value()
		// What one item needs is free again once its value is in the array.
		before := ctx.mark()
		err := appendItem(&out, n.in, ctx)
		ctx.release(before)
		if err == nil && out.Size() > memoryLimit {
			err = errMemory()
		}
		if err == nil {
			err = ctx.spend(itemEffort)
		}
		if err != nil {
			ctx.Discard(out.End())
			return bsonraw.Value{}, err
		}
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

func (n *mapArray) children(visit func(*node)) {
	visit(&n.input)
	visit(&n.in)
}

// filterArray is $filter.
type filterArray struct {
	input node
	item  Slot
	cond  node
	limit node // nil without a limit
}

func compileFilter(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(28646, "$filter only supports an object as its argument")
	}
	var input, as, cond, limit bsonraw.Value
	for it := argument.Doc().Iter(); it.Next(); {
		switch string(it.Key()) {
		case "input":
			input = it.Value()
		case "as":
			as = it.Value()
		case "cond":
			cond = it.Value()
		case "limit":
			limit = it.Value()
		default:
			return nil, mongoerr.New(28647, "Unrecognized parameter to $filter: %s", it.Key())
		}
	}
	if input.IsMissing() {
		return nil, mongoerr.New(28648, "Missing 'input' parameter to $filter")
	}
	if cond.IsMissing() {
		return nil, mongoerr.New(28650, "Missing 'cond' parameter to $filter")
	}
	n := &filterArray{}
	var err error
	if n.input, err = c.operand(input); err != nil {
		return nil, err
	}
	if n.item, n.cond, err = c.body(as, cond); err != nil {
		return nil, err
	}
	if !limit.IsMissing() {
		n.limit, err = c.operand(limit)
	}
	return n, err
}

func (n *filterArray) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(input) {
		return bsonraw.NullValue, nil
	}
	if input.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(28651, "input to $filter must be an array not %s", input.Type.Name())
	}
	if input.Doc().IsEmpty() {
		return input, nil
	}
	limit, err := n.evalLimit(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for it := input.Doc().Iter(); it.Next() && out.Len() != limit; {
		item := it.Value()
		ctx.vars[n.item] = item
		before := ctx.mark()
		keep, err := n.cond.eval(ctx)
		truth := keep.Truthy()
		ctx.release(before)
		if err == nil {
			err = ctx.spend(itemEffort)
		}
		if err != nil {
			ctx.Discard(out.End())
			return bsonraw.Value{}, err
		}
		if truth {
			out.Append(item)
		}
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

// evalLimit returns how many items to take, -1 for all.
func (n *filterArray) evalLimit(ctx *Context) (int, error) {
	if n.limit == nil {
		return -1, nil
	}
	v, err := n.limit.eval(ctx)
	if err != nil || isNullish(v) {
		return -1, err
	}
	limit, ok := asInt32(v)
	if !ok {
		return 0, mongoerr.New(327391, "$filter: limit must be represented as a 32-bit integral value: %s", Text(v))
	}
	if limit <= 0 {
		return 0, mongoerr.New(327392, "$filter: limit must be greater than 0: %d", limit)
	}
	return limit, nil
}

func (n *filterArray) children(visit func(*node)) {
	visit(&n.input)
	visit(&n.cond)
	visitPresent(&n.limit, visit)
}
