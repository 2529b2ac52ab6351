package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// timestampPart is $tsSecond or $tsIncrement.
func timestampPart(name string, code mongoerr.Code, part func(seconds, increment uint32) uint32) operator {
	return operator{unary: func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
		if isNullish(a) {
			return bsonraw.NullValue, nil
		}
		if a.Type != bsonraw.TypeTimestamp {
			return bsonraw.Value{}, mongoerr.New(code, " Argument to %s must be a timestamp, but is %s", name, a.Type.Name())
		}
		return ctx.int64Value(int64(part(a.Timestamp()))), nil
	}}
}

func evalBinarySize(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	switch a.Type {
	case bsonraw.TypeString:
		return ctx.int32Value(int32(len(a.Bytes()))), nil
	case bsonraw.TypeBinary:
		_, data := a.Binary()
		return ctx.int32Value(int32(len(data))), nil
	}
	if isNullish(a) {
		return bsonraw.NullValue, nil
	}
	return bsonraw.Value{}, mongoerr.New(51276, "$binarySize requires a string or BinData argument, found: %s", a.Type.Name())
}

func evalBSONSize(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if isNullish(a) {
		return bsonraw.NullValue, nil
	}
	if a.Type != bsonraw.TypeDocument {
		return bsonraw.Value{}, mongoerr.New(31393, "$bsonSize requires a document input, found: %s", a.Type.Name())
	}
	return ctx.int32Value(int32(len(a.Doc().Settled(nil)))), nil
}
