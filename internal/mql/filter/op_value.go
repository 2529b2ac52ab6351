package filter

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
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
	var types typeTest
	if c.arg.Type != bsonraw.TypeArray {
		if err := types.add(c.arg); err != nil {
			return nil, err
		}
	} else {
		if c.arg.Doc().IsEmpty() {
			return nil, mongoerr.New(mongoerr.FailedToParse, "%s must match at least one type", c.path)
		}
		for it := c.arg.Doc().Iter(); it.Next(); {
			if err := types.add(it.Value()); err != nil {
				return nil, err
			}
		}
	}
	return &clause{op: opType, path: c.path, value: c.arg, test: &types}, nil
}

// typeTest is a set of types.
type typeTest [256]bool

func (x *typeTest) holds(v bsonraw.Value) bool { return x[v.Type] }

// everyType lists the types that $type knows.
var everyType = []bsonraw.Type{
	bsonraw.TypeDouble, bsonraw.TypeString, bsonraw.TypeDocument, bsonraw.TypeArray, bsonraw.TypeBinary, bsonraw.TypeUndefined,
	bsonraw.TypeObjectID, bsonraw.TypeBool, bsonraw.TypeDate, bsonraw.TypeNull, bsonraw.TypeRegex, bsonraw.TypeDBPointer,
	bsonraw.TypeJavaScript, bsonraw.TypeSymbol, bsonraw.TypeCodeScope, bsonraw.TypeInt32, bsonraw.TypeTimestamp,
	bsonraw.TypeInt64, bsonraw.TypeDecimal128, bsonraw.TypeMinKey, bsonraw.TypeMaxKey,
}

func (x *typeTest) add(v bsonraw.Value) error {
	switch {
	case v.Type == bsonraw.TypeString:
		return x.addName(v.Str())
	case v.Type.IsNumber():
		return x.addCode(v)
	}
	return mongoerr.New(mongoerr.TypeMismatch, "type must be represented as a number or a string")
}

func (x *typeTest) addName(name string) error {
	switch name {
	case "number":
		for _, t := range everyType {
			x[t] = x[t] || t.IsNumber()
		}
		return nil
	case "missing":
		return badValue("'missing' is not a legal type name. To query for non-existence of a field, use {$exists:false}.")
	}
	for _, t := range everyType {
		if t.Name() == name {
			x[t] = true
			return nil
		}
	}
	return badValue("Unknown type name alias: %s", name)
}

func (x *typeTest) addCode(v bsonraw.Value) error {
	f, _ := v.AsFloat64()
	if f == 0 {
		return badValue("Invalid numerical type code: 0. Instead use {$exists:false}.")
	}
	for _, t := range everyType {
		code := float64(t)
		if t == bsonraw.TypeMinKey {
			code = -1
		}
		if f == code {
			x[t] = true
			return nil
		}
	}
	return badValue("Invalid numerical type code: %.6g", f)
}

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
