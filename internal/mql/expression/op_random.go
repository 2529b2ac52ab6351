package expression

import (
	"math/rand/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// random is $rand: a double from 0 up to 1, another one each time.
type random struct{ late }

func compileRand(_ *compiler, _ string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument && argument.Type != bsonraw.TypeArray {
		return nil, mongoerr.New(10065, "invalid parameter: expected an object ($rand)")
	}
	if !argument.Doc().IsEmpty() {
		return nil, mongoerr.New(3040501, "$rand does not currently accept arguments")
	}
	return &random{}, nil
}

func (n *random) eval(ctx *Context) (bsonraw.Value, error) {
	return ctx.doubleValue(rand.Float64()), nil //nolint:gosec // a sample, not a secret
}

func (n *random) children(func(*node)) {}
