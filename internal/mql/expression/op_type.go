package expression

import (
	"encoding/hex"
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

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

// compileToString reads $toString, which counts its arguments in words of its own.
func compileToString(c *compiler, name string, argument bsonraw.Value) (node, error) {
	args, err := c.arguments(argument)
	if err != nil {
		return nil, err
	}
	if len(args) != 1 {
		return nil, mongoerr.New(50723, "%s requires a single argument, got %d", name, len(args))
	}
	return &unaryCall{call: evalToString, arg: args[0]}, nil
}

func evalToString(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	buf := ctx.beginString()
	switch a.Type {
	case bsonraw.TypeString:
		ctx.Discard(buf)
		return a, nil
	case bsonraw.TypeBool:
		buf = strconv.AppendBool(buf, a.Bool())
	case bsonraw.TypeInt32:
		buf = strconv.AppendInt(buf, int64(a.Int32()), 10)
	case bsonraw.TypeInt64:
		buf = strconv.AppendInt(buf, a.Int64(), 10)
	case bsonraw.TypeDouble:
		buf = appendConvertedDouble(buf, a.Double())
	case bsonraw.TypeDecimal128:
		buf = appendDecimalText(buf, a)
	case bsonraw.TypeObjectID:
		buf = hex.AppendEncode(buf, a.Data)
	case bsonraw.TypeDate:
		var err error
		if buf, err = appendDate(buf, a); err != nil {
			ctx.Discard(buf)
			return bsonraw.Value{}, err
		}
	default:
		ctx.Discard(buf)
		if isNullish(a) {
			return bsonraw.NullValue, nil
		}
		return bsonraw.Value{}, mongoerr.New(mongoerr.ConversionFailure, "Unsupported conversion from %s to string in $convert with no onError value", a.Type.Name())
	}
	return ctx.endString(buf)
}

func appendConvertedDouble(dst []byte, f float64) []byte {
	switch {
	case f != f:
		return append(dst, "NaN"...)
	case f > 0 && f-f != 0:
		return append(dst, "Infinity"...)
	case f < 0 && f-f != 0:
		return append(dst, "-Infinity"...)
	}
	return appendShortDouble(dst, f)
}
