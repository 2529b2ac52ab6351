package argument

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// Types is a set of types.
type Types [256]bool

// Has reports whether a type is in the set.
func (x *Types) Has(t bsonraw.Type) bool { return x[t] }

// EveryType lists the types that have a name.
var EveryType = []bsonraw.Type{
	bsonraw.TypeDouble, bsonraw.TypeString, bsonraw.TypeDocument, bsonraw.TypeArray, bsonraw.TypeBinary, bsonraw.TypeUndefined,
	bsonraw.TypeObjectID, bsonraw.TypeBool, bsonraw.TypeDate, bsonraw.TypeNull, bsonraw.TypeRegex, bsonraw.TypeDBPointer,
	bsonraw.TypeJavaScript, bsonraw.TypeSymbol, bsonraw.TypeCodeScope, bsonraw.TypeInt32, bsonraw.TypeTimestamp,
	bsonraw.TypeInt64, bsonraw.TypeDecimal128, bsonraw.TypeMinKey, bsonraw.TypeMaxKey,
}

// Add adds a type by its name or number.
func (x *Types) Add(v bsonraw.Value) error {
	switch {
	case v.Type == bsonraw.TypeString:
		return x.AddName(v.Str())
	case v.Type.IsNumber():
		return x.addCode(v)
	}
	return mongoerr.New(mongoerr.TypeMismatch, "type must be represented as a number or a string")
}

// AddName adds a type by its name, or all numbers by "number".
func (x *Types) AddName(name string) error {
	switch name {
	case "number":
		x.AddNumbers()
		return nil
	case "missing":
		return mongoerr.New(mongoerr.BadValue, "'missing' is not a legal type name. To query for non-existence of a field, use {$exists:false}.")
	}
	for _, t := range EveryType {
		if t.Name() == name {
			x[t] = true
			return nil
		}
	}
	return mongoerr.New(mongoerr.BadValue, "Unknown type name alias: %s", name)
}

// AddNumbers adds the types of numbers.
func (x *Types) AddNumbers() {
	for _, t := range EveryType {
		x[t] = x[t] || t.IsNumber()
	}
}

func (x *Types) addCode(v bsonraw.Value) error {
	f, _ := v.AsFloat64()
	if f == 0 {
		return mongoerr.New(mongoerr.BadValue, "Invalid numerical type code: 0. Instead use {$exists:false}.")
	}
	for _, t := range EveryType {
		code := float64(t)
		if t == bsonraw.TypeMinKey {
			code = -1
		}
		if f == code {
			x[t] = true
			return nil
		}
	}
	return mongoerr.New(mongoerr.BadValue, "Invalid numerical type code: %.6g", f)
}
