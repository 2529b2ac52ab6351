package expression

import "github.com/sluicestream/sluice/internal/bsonraw"

// typeNames holds the value of $type for each type byte, made once.
var typeNames = func() (names [256]bsonraw.Value) {
	for i := range names {
		names[i] = bsonraw.StringValue(bsonraw.Type(i).Name())
	}
	return names
}()

func evalType(_ *Context, a bsonraw.Value) (bsonraw.Value, error) { return typeNames[a.Type], nil }

func evalIsNumber(_ *Context, a bsonraw.Value) (bsonraw.Value, error) {
	return bsonraw.BoolValue(a.Type.IsNumber()), nil
}

func evalIsArray(_ *Context, a bsonraw.Value) (bsonraw.Value, error) {
	return bsonraw.BoolValue(a.Type == bsonraw.TypeArray), nil
}
