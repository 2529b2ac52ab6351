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

func evalNot(_ *Context, a bsonraw.Value) (bsonraw.Value, error) {
	return bsonraw.BoolValue(!a.Truthy()), nil
}
