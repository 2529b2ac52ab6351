package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// late is embedded in nodes that MongoDB evaluates when it runs them, also where all they need is known before: that is when
// they fail.
type late struct{}

func (late) runsLate() {}

// untouched is embedded in nodes that MongoDB does not look into before it runs them: not even what is constant in their arguments is
// evaluated.
type untouched struct{}

func (untouched) staysUntouched() {}

// named is a named argument of an operator, and the place for what it is compiled to.
type named struct {
	name string
	to   *node
}

// named compiles the fields of an operator's argument. unknown makes the error for a name that is not among those in places.
func (c *compiler) named(argument bsonraw.Doc, unknown func(name []byte) error, places ...named) error {
	for it := argument.Iter(); it.Next(); {
		var to *node
		for _, place := range places {
			if string(it.Key()) == place.name {
				to = place.to
			}
		}
		if to == nil {
			return unknown(it.Key())
		}
		var err error
		if *to, err = c.operand(it.Value()); err != nil {
			return err
		}
	}
	return nil
}

// unknownArgument makes the error that most operators give for a name that they do not know.
func unknownArgument(code mongoerr.Code, operator string) func(name []byte) error {
	return func(name []byte) error {
		return mongoerr.New(code, "%s found an unknown argument: %s", operator, name)
	}
}

// namedCall is an operator with named arguments that evaluates all of them first. Those left out are nil, and missing to call.
type namedCall struct {
	late
	args []node
	call func(ctx *Context, args []bsonraw.Value) (bsonraw.Value, error)
}

// maxNamed is the most named arguments that an operator evaluates this way.
const maxNamed = 8

func (n *namedCall) eval(ctx *Context) (bsonraw.Value, error) {
	var values [maxNamed]bsonraw.Value
	for i, arg := range n.args {
		var err error
		if values[i], err = evalPresent(ctx, arg); err != nil {
			return bsonraw.Value{}, err
		}
	}
	return n.call(ctx, values[:len(n.args)])
}

func (n *namedCall) children(visit func(*node)) {
	for i := range n.args {
		visitPresent(&n.args[i], visit)
	}
}

// evalPresent evaluates a node that an operator may lack; it is missing then.
func evalPresent(ctx *Context, n node) (bsonraw.Value, error) {
	if n == nil {
		return bsonraw.Value{}, nil
	}
	return n.eval(ctx)
}
