package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// operator is a row of the table: one of the functions and, unless it is special, how many arguments it takes.
type operator struct {
	min, max int // arguments; a max of 0 with a min of 0 is no bound at all
	unary    func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error)
	binary   func(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error)
	// nary gets its arguments in a slice that is valid during the call only.
	nary func(ctx *Context, args []bsonraw.Value) (bsonraw.Value, error)
	// lazy makes a node that evaluates its arguments itself, or not at all.
	lazy func(args []node) node
	// special reads an argument that is not a list of operands.
	special func(c *compiler, name string, argument bsonraw.Value) (node, error)
}

func (op operator) compile(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if op.special != nil {
		return op.special(c, name, argument)
	}
	args, err := c.arguments(argument)
	if err != nil {
		return nil, err
	}
	if err := op.checkArity(name, len(args)); err != nil {
		return nil, err
	}
	switch {
	case op.unary != nil:
		return &unaryCall{call: op.unary, arg: args[0]}, nil
	case op.binary != nil:
		return &binaryCall{call: op.binary, left: args[0], right: args[1]}, nil
	case op.lazy != nil:
		return op.lazy(args), nil
	}
	return &naryCall{call: op.nary, args: args}, nil
}

// arguments reads an operator's arguments: an array of them, or a single one as it is.
func (c *compiler) arguments(v bsonraw.Value) ([]node, error) {
	if v.Type == bsonraw.TypeArray {
		return c.operands(v.Doc())
	}
	n, err := c.operand(v)
	if err != nil {
		return nil, err
	}
	return []node{n}, nil
}

func (op operator) checkArity(name string, n int) error {
	low, high := op.min, op.max
	switch {
	case op.unary != nil:
		low, high = 1, 1
	case op.binary != nil:
		low, high = 2, 2
	case low == 0 && high == 0:
		return nil
	}
	if low == high && n != low {
		return mongoerr.New(16020, "Expression %s takes exactly %d arguments. %d were passed in.", name, low, n)
	}
	if n < low || n > high {
		return mongoerr.New(28667, "Expression %s takes at least %d arguments, and at most %d, but %d were passed in.", name, low, high, n)
	}
	return nil
}

type unaryCall struct {
	call func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error)
	arg  node
}

func (n *unaryCall) eval(ctx *Context) (bsonraw.Value, error) {
	a, err := n.arg.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	return n.call(ctx, a)
}

func (n *unaryCall) children(visit func(*node)) { visit(&n.arg) }

type binaryCall struct {
	call        func(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error)
	left, right node
}

func (n *binaryCall) eval(ctx *Context) (bsonraw.Value, error) {
	a, err := n.left.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	b, err := n.right.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	return n.call(ctx, a, b)
}

func (n *binaryCall) children(visit func(*node)) {
	visit(&n.left)
	visit(&n.right)
}

type naryCall struct {
	call func(ctx *Context, args []bsonraw.Value) (bsonraw.Value, error)
	args []node
}

func (n *naryCall) eval(ctx *Context) (bsonraw.Value, error) {
	base := len(ctx.args)
	defer func() { ctx.args = ctx.args[:base] }()
	for _, arg := range n.args {
		v, err := arg.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		ctx.args = append(ctx.args, v)
	}
	return n.call(ctx, ctx.args[base:])
}

func (n *naryCall) children(visit func(*node)) { visitAll(n.args, visit) }

func visitAll(nodes []node, visit func(*node)) {
	for i := range nodes {
		visit(&nodes[i])
	}
}

// visitPresent visits a node that an operator may lack.
func visitPresent(n *node, visit func(*node)) {
	if *n != nil {
		visit(n)
	}
}

// isNullish reports whether v counts as null: most operators then give null.
func isNullish(v bsonraw.Value) bool {
	return v.Type == bsonraw.TypeNull || v.Type == bsonraw.TypeMissing || v.Type == bsonraw.TypeUndefined
}
