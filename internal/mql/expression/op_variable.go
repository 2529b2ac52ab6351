package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

func compileLiteral(_ *compiler, _ string, argument bsonraw.Value) (node, error) {
	return &constant{value: argument}, nil
}

// let is $let: it gives variables their values, then evaluates in.
type let struct {
	slots  []Slot
	values []node
	in     node
}

func compileLet(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(16874, "$let only supports an object as its argument")
	}
	var vars, in bsonraw.Value
	for it := argument.Doc().Iter(); it.Next(); {
		switch string(it.Key()) {
		case "vars":
			vars = it.Value()
		case "in":
			in = it.Value()
		default:
			return nil, mongoerr.New(16875, "Unrecognized parameter to $let: %s", it.Key())
		}
	}
	if vars.IsMissing() {
		return nil, mongoerr.New(16876, "Missing 'vars' parameter to $let")
	}
	if in.IsMissing() {
		return nil, mongoerr.New(16877, "Missing 'in' parameter to $let")
	}
	if vars.Type != bsonraw.TypeDocument && vars.Type != bsonraw.TypeArray {
		return nil, mongoerr.New(10065, "invalid parameter: expected an object (vars)")
	}
	return c.let(vars.Doc(), in)
}

func (c *compiler) let(vars bsonraw.Doc, in bsonraw.Value) (node, error) {
	n := &let{}
	for it := vars.Iter(); it.Next(); { // the values see the variables around $let, not those beside them
		value, err := c.operand(it.Value())
		if err != nil {
			return nil, err
		}
		n.values = append(n.values, value)
	}
	for it := vars.Iter(); it.Next(); {
		name := string(it.Key())
		if err := CheckUserVariable(name); err != nil {
			return nil, err
		}
		slot, restore := c.bind(name)
		defer restore()
		n.slots = append(n.slots, slot)
	}
	var err error
	n.in, err = c.operand(in)
	return n, err
}

func (n *let) eval(ctx *Context) (bsonraw.Value, error) {
	// A value may hold a $let of its own that uses the same slots, so all are evaluated before any is set.
	base := len(ctx.args)
	defer func() { ctx.args = ctx.args[:base] }()
	for _, value := range n.values {
		v, err := value.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		ctx.args = append(ctx.args, v)
	}
	for i, slot := range n.slots {
		ctx.vars[slot] = ctx.args[base+i]
	}
	return n.in.eval(ctx)
}

func (n *let) simplify() node {
	if len(n.values) == 0 {
		return n.in
	}
	return n
}

func (n *let) children(visit func(*node)) {
	visitAll(n.values, visit)
	visit(&n.in)
}
