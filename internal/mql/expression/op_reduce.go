package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// reduce is $reduce.
type reduce struct {
	late
	input, initial, in node
	item, value        Slot
}

func compileReduce(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40075, "$reduce requires an object as an argument, found: %s", argument.Type.Name())
	}
	n := &reduce{}
	for it := argument.Doc().Iter(); it.Next(); {
		var err error
		switch string(it.Key()) {
		case "input":
			n.input, err = c.operand(it.Value())
		case "initialValue":
			n.initial, err = c.operand(it.Value())
		case "in":
			err = n.compileBody(c, it.Value())
		default:
			err = unknownArgument(40076, name)(it.Key())
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case n.input == nil:
		return nil, mongoerr.New(40077, "$reduce requires 'input' to be specified")
	case n.initial == nil:
		return nil, mongoerr.New(40078, "$reduce requires 'initialValue' to be specified")
	case n.in == nil:
		return nil, mongoerr.New(40079, "$reduce requires 'in' to be specified")
	}
	return n, nil
}

func (n *reduce) compileBody(c *compiler, in bsonraw.Value) (err error) {
	item, restoreItem := c.bind("this")
	defer restoreItem()
	value, restoreValue := c.bind("value")
	defer restoreValue()
	n.item, n.value = item, value
	n.in, err = c.operand(in)
	return err
}

func (n *reduce) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(input) {
		return bsonraw.NullValue, nil
	}
	if input.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(40080, "$reduce requires that 'input' be an array, found: %s", Text(input))
	}
	value, err := n.initial.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	// The values so far take turns in two buffers, so that what each step computes is free again after it.
	last, next := ctx.Scratch(), ctx.Scratch()
	defer func() { ctx.Discard(last); ctx.Discard(next) }()
	for it := input.Doc().Iter(); it.Next(); {
		ctx.vars[n.item], ctx.vars[n.value] = it.Value(), value
		before := ctx.mark()
		result, err := n.in.eval(ctx)
		if err == nil {
			err = ctx.spend(itemEffort)
		}
		if err != nil {
			return bsonraw.Value{}, err
		}
		next = append(next[:0], result.Data...)
		ctx.release(before)
		value = bsonraw.Value{Type: result.Type, Data: next}
		last, next = next, last
	}
	return ctx.keepValue(value.Type, append(ctx.Scratch(), value.Data...))
}

func (n *reduce) children(visit func(*node)) {
	visit(&n.input)
	visit(&n.initial)
	visit(&n.in)
}
