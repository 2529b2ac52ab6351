package expression

import (
	"strconv"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

func evalConcat(ctx *Context, args []node) (bsonraw.Value, error) {
	buf := ctx.beginString()
	for _, arg := range args {
		v, err := arg.eval(ctx)
		if err != nil {
			ctx.Discard(buf)
			return bsonraw.Value{}, err
		}
		if isNullish(v) {
			ctx.Discard(buf)
			return bsonraw.NullValue, nil
		}
		if v.Type != bsonraw.TypeString {
			ctx.Discard(buf)
			return bsonraw.Value{}, mongoerr.New(16702, "$concat only supports strings, not %s", v.Type.Name())
		}
		buf = append(buf, v.Bytes()...)
	}
	return ctx.endString(buf)
}

// changeCase changes the case of ASCII letters only, as MongoDB does.
func changeCase(change func(c byte) byte) operator {
	return operator{unary: func(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
		buf, err := appendCoerced(ctx.beginString(), a)
		if err != nil {
			ctx.Discard(buf)
			return bsonraw.Value{}, err
		}
		for i := 4; i < len(buf); i++ {
			buf[i] = change(buf[i])
		}
		return ctx.endString(buf)
	}}
}

func lowerByte(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}

func upperByte(c byte) byte {
	if isLower(c) {
		return c + 'A' - 'a'
	}
	return c
}

// appendCoerced renders a value as the string operators do that take more than strings. Null gives nothing.
func appendCoerced(dst []byte, v bsonraw.Value) ([]byte, error) {
	switch v.Type {
	case bsonraw.TypeString, bsonraw.TypeSymbol, bsonraw.TypeJavaScript:
		return append(dst, v.Bytes()...), nil
	case bsonraw.TypeInt32:
		return strconv.AppendInt(dst, int64(v.Int32()), 10), nil
	case bsonraw.TypeInt64:
		return strconv.AppendInt(dst, v.Int64(), 10), nil
	case bsonraw.TypeDouble:
		return appendShortDouble(dst, v.Double()), nil
	case bsonraw.TypeDecimal128:
		return appendDecimalText(dst, v), nil
	case bsonraw.TypeTimestamp:
		seconds, increment := v.Timestamp()
		dst = time.Unix(int64(seconds), 0).UTC().AppendFormat(dst, "Jan _2 15:04:05:")
		return strconv.AppendUint(dst, uint64(increment), 10), nil
	case bsonraw.TypeDate:
		dst, err := appendDate(dst, v)
		if err != nil {
			return dst, mongoerr.From(err).Prefix("failed while coercing date to string :: caused by :: ")
		}
		return dst, nil
	}
	if isNullish(v) {
		return dst, nil
	}
	return dst, mongoerr.New(16007, "can't convert from BSON type %s to String", v.Type.Name())
}

func evalStrLenBytes(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if a.Type != bsonraw.TypeString {
		return bsonraw.Value{}, mongoerr.New(34473, "$strLenBytes requires a string argument, found: %s", a.Type.Name())
	}
	return ctx.int32Value(int32(len(a.Bytes()))), nil
}
