package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// late is embedded in nodes that MongoDB evaluates when it runs them, also where all they need is known before: that is when
// they fail.
type late struct{}

func (late) runsLate() {}

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

// evalPresent evaluates a node that an operator may lack; it is missing then.
func evalPresent(ctx *Context, n node) (bsonraw.Value, error) {
	if n == nil {
		return bsonraw.Value{}, nil
	}
	return n.eval(ctx)
}
