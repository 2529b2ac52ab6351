package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// coerceLong makes an integer of a number as the operators do that take more than integers: doubles lose their fraction,
// decimals are rounded.
func coerceLong(v bsonraw.Value) (int64, error) {
	switch v.Type {
	case bsonraw.TypeInt32, bsonraw.TypeInt64:
		n, _ := v.AsInt64()
		return n, nil
	case bsonraw.TypeDouble:
		if n, ok := v.AsInt64(); ok {
			return n, nil
		}
		return 0, mongoerr.New(31109, "Can't coerce out of range value %s to long", shortDouble(v.Double()))
	case bsonraw.TypeDecimal128:
		return decimalToInteger(readDecimal(v)), nil
	}
	return 0, mongoerr.New(16004, "can't convert from BSON type %s to long", v.Type.Name())
}
