package expression

import "github.com/sluicestream/sluice/internal/bsonraw"

// junction is $and (stop at the first false one) or $or (stop at the first true one).
type junction struct {
	stop bool
	args []node
}

func newAnd(args []node) node { return &junction{stop: false, args: args} }
func newOr(args []node) node  { return &junction{stop: true, args: args} }

func (n *junction) eval(ctx *Context) (bsonraw.Value, error) {
	for _, arg := range n.args {
		v, err := arg.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if v.Truthy() == n.stop {
			return bsonraw.BoolValue(n.stop), nil
		}
	}
	return bsonraw.BoolValue(!n.stop), nil
}

func (n *junction) children(visit func(*node)) { visitAll(n.args, visit) }

// simplify drops the arguments that are known and decide nothing. One that decides makes the whole known, and what the others
// would give, errors too, no longer counts.
func (n *junction) simplify() node {
	kept := n.args[:0]
	for _, arg := range n.args {
		c, ok := arg.(*constant)
		switch {
		case !ok:
			kept = append(kept, arg)
		case c.value.Truthy() == n.stop:
			return &constant{value: bsonraw.BoolValue(n.stop)}
		}
	}
	n.args = kept
	return n
}

func evalNot(_ *Context, a bsonraw.Value) (bsonraw.Value, error) {
	return bsonraw.BoolValue(!a.Truthy()), nil
}
