package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// operator is a row of the table: one of the functions and, unless it is special, how many arguments it takes.
type operator struct {
	min, max int // arguments; a max of 0 with a min of 0 is no bound at all
	unary    func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error)
	binary   binaryFunc
	// collated makes, of an operator with binary that compares strings, the function that does so by a collation.
	collated func(by *collation.Collation) binaryFunc
	// equal says that a binary operator is true when its arguments are equal, and only then.
	equal bool
	// nary evaluates its arguments itself, one after the other: a null or a wrong type ends many operators before they come to
	// the next argument.
	nary func(ctx *Context, args []node) (bsonraw.Value, error)
	// joins tells of a nary operator that its arguments may be joined in groups. Constants that stand together are joined once,
	// and with joinsApart all constants are.
	joins, joinsApart bool
	// lazy makes a node that evaluates its arguments itself, or not at all.
	lazy func(args []node) node
	// special reads an argument that is not a list of operands.
	special func(c *compiler, name string, argument bsonraw.Value) (node, error)
}

type binaryFunc = func(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error)

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
	case op.collated != nil && c.scope.Collation() != nil:
		return &binaryCall{call: op.collated(c.scope.Collation()), left: args[0], right: args[1], equal: op.equal}, nil
	case op.binary != nil:
		return &binaryCall{call: op.binary, left: args[0], right: args[1], equal: op.equal}, nil
	case op.lazy != nil:
		return op.lazy(args), nil
	}
	return &naryCall{name: name, operator: op, args: args}, nil
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
	equal       bool // it is $eq
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
	name     string
	operator operator
	args     []node
}

func (n *naryCall) eval(ctx *Context) (bsonraw.Value, error) { return n.operator.nary(ctx, n.args) }

func (n *naryCall) children(visit func(*node)) { visitAll(n.args, visit) }

// join evaluates groups of constant arguments, those of the same operator directly below included. It changes what a sum of
// doubles is, and which wrong argument is an error before anything runs, so it follows MongoDB.
func (n *naryCall) join(ctx *Context) error {
	if !n.operator.joins {
		return nil
	}
	var args, group, apart []node
	closeGroup := func() error {
		v, err := n.joined(ctx, group)
		args, group = append(args, v...), nil
		return err
	}
	for _, arg := range n.flat() {
		_, isConstant := arg.(*constant)
		switch {
		case isConstant && n.operator.joinsApart:
			apart = append(apart, arg)
		case isConstant:
			group = append(group, arg)
		default:
			if err := closeGroup(); err != nil {
				return err
			}
			args = append(args, arg)
		}
	}
	group = append(group, apart...)
	err := closeGroup()
	n.args = args
	return err
}

// flat returns the arguments, with those of an argument of the same operator in its place.
func (n *naryCall) flat() []node {
	var all []node
	for _, arg := range n.args {
		if below, ok := arg.(*naryCall); ok && below.name == n.name && below.operator.joins {
			all = append(all, below.args...)
			continue
		}
		all = append(all, arg)
	}
	return all
}

// joined returns one constant for several.
func (n *naryCall) joined(ctx *Context, constants []node) ([]node, error) {
	if len(constants) < 2 {
		return constants, nil
	}
	v, err := n.operator.nary(ctx, constants)
	return []node{&constant{value: v}}, err
}

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
