package filter

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

func parseExists(_ *parser, c condition) (*clause, error) {
	exists := &clause{op: Exists, path: c.path, value: c.arg, test: existsTest{}}
	if c.arg.Truthy() {
		return exists, nil
	}
	return negation(exists), nil
}

type existsTest struct{}

func (existsTest) holds(v bsonraw.Value) bool { return !v.IsMissing() }

// parseType reads a type by its number or name, or several of them in an array.
func parseType(_ *parser, c condition) (*clause, error) {
	var test typeTest
	if c.arg.Type != bsonraw.TypeArray {
		if err := test.types.Add(c.arg); err != nil {
			return nil, err
		}
	} else {
		if c.arg.Doc().IsEmpty() {
			return nil, mongoerr.New(mongoerr.FailedToParse, "%s must match at least one type", c.path)
		}
		for it := c.arg.Doc().Iter(); it.Next(); {
			if err := test.types.Add(it.Value()); err != nil {
				return nil, err
			}
		}
	}
	return &clause{op: opType, path: c.path, value: c.arg, test: &test}, nil
}

// typeTest takes values of some types.
type typeTest struct{ types argument.Types }

func (x *typeTest) holds(v bsonraw.Value) bool { return x.types.Has(v.Type) }

func parseMod(_ *parser, c condition) (*clause, error) {
	if c.arg.Type != bsonraw.TypeArray {
		return nil, badValue("malformed mod, needs to be an array")
	}
	switch n := c.arg.Doc().Len(); {
	case n < 2:
		return nil, badValue("malformed mod, not enough elements")
	case n > 2:
		return nil, badValue("malformed mod, too many elements")
	}
	divisor, err := modArgument("divisor", c.arg.Doc().At(0))
	if err != nil {
		return nil, err
	}
	remainder, err := modArgument("remainder", c.arg.Doc().At(1))
	if err != nil {
		return nil, err
	}
	if divisor == 0 {
		return nil, badValue("divisor cannot be 0")
	}
	return &clause{op: opMod, path: c.path, value: c.arg, test: modTest{divisor, remainder}}, nil
}

func modArgument(name string, v bsonraw.Value) (int64, error) {
	f, ok := v.AsFloat64()
	if !ok {
		return 0, badValue("malformed mod, %s not a number", name)
	}
	n, ok := v.AsInt64()
	switch {
	case ok:
		return n, nil
	case math.IsNaN(f) || math.IsInf(f, 0):
		return 0, badValue("malformed mod, %s value is invalid :: caused by :: Unable to coerce NaN/Inf to integral type", name)
	}
	return 0, badValue("malformed mod, %s value is invalid :: caused by :: Out of bounds coercing to integral value", name)
}

// modTest takes numbers by the remainder that their whole part leaves; it has the sign of the number.
type modTest struct{ divisor, remainder int64 }

func (x modTest) holds(v bsonraw.Value) bool {
	n, ok := v.AsInt64()
	return ok && n%x.divisor == x.remainder
}
