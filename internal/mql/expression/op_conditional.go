package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// cond is $cond.
type cond struct{ test, then, otherwise node }

func (n *cond) eval(ctx *Context) (bsonraw.Value, error) {
	v, err := n.test.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if v.Truthy() {
		return n.then.eval(ctx)
	}
	return n.otherwise.eval(ctx)
}

func (n *cond) children(visit func(*node)) {
	visit(&n.test)
	visit(&n.then)
	visit(&n.otherwise)
}

func (n *cond) simplify() node {
	test, ok := n.test.(*constant)
	switch {
	case !ok:
		return n
	case test.value.Truthy():
		return n.then
	}
	return n.otherwise
}

// compileCond reads [if, then, else] or {if, then, else}.
func compileCond(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		args, err := c.arguments(argument)
		if err != nil {
			return nil, err
		}
		if err := (operator{min: 3, max: 3}).checkArity(name, len(args)); err != nil {
			return nil, err
		}
		return &cond{test: args[0], then: args[1], otherwise: args[2]}, nil
	}
	n := &cond{}
	for it := argument.Doc().Iter(); it.Next(); {
		var place *node
		switch string(it.Key()) {
		case "if":
			place = &n.test
		case "then":
			place = &n.then
		case "else":
			place = &n.otherwise
		default:
			return nil, mongoerr.New(17083, "Unrecognized parameter to $cond: %s", it.Key())
		}
		var err error
		if *place, err = c.operand(it.Value()); err != nil {
			return nil, err
		}
	}
	switch {
	case n.test == nil:
		return nil, mongoerr.New(17080, "Missing 'if' parameter to $cond")
	case n.then == nil:
		return nil, mongoerr.New(17081, "Missing 'then' parameter to $cond")
	case n.otherwise == nil:
		return nil, mongoerr.New(17082, "Missing 'else' parameter to $cond")
	}
	return n, nil
}

// ifNull is $ifNull: the first argument that is not null, else the last.
type ifNull struct{ args []node }

func compileIfNull(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	args, err := c.arguments(argument)
	if err != nil {
		return nil, err
	}
	if len(args) < 2 {
		return nil, mongoerr.New(1257300, "$ifNull needs at least two arguments, had: %d", len(args))
	}
	return &ifNull{args: args}, nil
}

func (n *ifNull) eval(ctx *Context) (bsonraw.Value, error) {
	last := len(n.args) - 1
	for _, arg := range n.args[:last] {
		v, err := arg.eval(ctx)
		if err != nil || !isNullish(v) {
			return v, err
		}
	}
	return n.args[last].eval(ctx)
}

func (n *ifNull) children(visit func(*node)) { visitAll(n.args, visit) }

// simplify drops the nulls before the last argument, and what stands behind one that is certainly not null.
func (n *ifNull) simplify() node {
	kept := n.args[:0]
	for i, arg := range n.args {
		c, ok := arg.(*constant)
		if ok && isNullish(c.value) && i < len(n.args)-1 {
			continue
		}
		if kept = append(kept, arg); ok {
			break
		}
	}
	if n.args = kept; len(kept) == 1 {
		return kept[0]
	}
	return n
}

// switchCase is $switch.
type switchCase struct {
	cases, results []node // in pairs
	otherwise      node   // nil without a default
}

func compileSwitch(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40060, "$switch requires an object as an argument, found: %s", argument.Type.Name())
	}
	n := &switchCase{}
	for it := argument.Doc().Iter(); it.Next(); {
		v := it.Value()
		var err error
		switch string(it.Key()) {
		case "branches":
			if v.Type != bsonraw.TypeArray {
				return nil, mongoerr.New(40061, "$switch expected an array for 'branches', found: %s", v.Type.Name())
			}
			for branch := v.Doc().Iter(); err == nil && branch.Next(); {
				err = n.addBranch(c, branch.Value())
			}
		case "default":
			n.otherwise, err = c.operand(v)
		default:
			err = mongoerr.New(40067, "$switch found an unknown argument: %s", it.Key())
		}
		if err != nil {
			return nil, err
		}
	}
	if len(n.cases) == 0 {
		return nil, mongoerr.New(40068, "$switch requires at least one branch")
	}
	return n, nil
}

func (n *switchCase) addBranch(c *compiler, branch bsonraw.Value) error {
	if branch.Type != bsonraw.TypeDocument {
		return mongoerr.New(40062, "$switch expected each branch to be an object, found: %s", branch.Type.Name())
	}
	var test, result node
	for it := branch.Doc().Iter(); it.Next(); {
		var err error
		switch string(it.Key()) {
		case "case":
			test, err = c.operand(it.Value())
		case "then":
			result, err = c.operand(it.Value())
		default:
			err = mongoerr.New(40063, "$switch found an unknown argument to a branch: %s", it.Key())
		}
		if err != nil {
			return err
		}
	}
	if test == nil {
		return mongoerr.New(40064, "$switch requires each branch have a 'case' expression")
	}
	if result == nil {
		return mongoerr.New(40065, "$switch requires each branch have a 'then' expression.")
	}
	n.cases, n.results = append(n.cases, test), append(n.results, result)
	return nil
}

func (n *switchCase) eval(ctx *Context) (bsonraw.Value, error) {
	for i, test := range n.cases {
		v, err := test.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if v.Truthy() {
			return n.results[i].eval(ctx)
		}
	}
	if n.otherwise == nil {
		return bsonraw.Value{}, mongoerr.New(40066, "$switch could not find a matching branch for an input, and no default was specified.")
	}
	return n.otherwise.eval(ctx)
}

func (n *switchCase) children(visit func(*node)) {
	for i := range n.cases {
		visit(&n.cases[i])
		visit(&n.results[i])
	}
	visitPresent(&n.otherwise, visit)
}

// fold evaluates what is constant, in the order in which MongoDB does: branches that never run, and what stands behind one that
// always does, are dropped unseen.
func (n *switchCase) fold(ctx *Context) (node, error) {
	var err error
	if n.otherwise != nil {
		if n.otherwise, err = fold(ctx, n.otherwise); err != nil {
			return nil, err
		}
	}
	kept := 0
	for i := range n.cases {
		test, err := fold(ctx, n.cases[i])
		if err != nil {
			return nil, err
		}
		known, isConstant := test.(*constant)
		if isConstant && !known.value.Truthy() {
			continue
		}
		result, err := fold(ctx, n.results[i])
		if err != nil {
			return nil, err
		}
		if isConstant {
			n.otherwise = result
			break
		}
		n.cases[kept], n.results[kept] = test, result
		kept++
	}
	n.cases, n.results = n.cases[:kept], n.results[:kept]
	if kept > 0 {
		return n, nil
	}
	if n.otherwise == nil {
		return nil, mongoerr.New(40069, "Cannot execute a switch statement where all the cases evaluate to false without a default")
	}
	return n.otherwise, nil
}
