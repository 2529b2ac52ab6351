package expression

import (
	"encoding/hex"
	"strconv"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// converts is the row of $toInt or one of its like, which count their arguments in words of their own.
func converts(to bsonraw.Type) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		args, err := c.arguments(argument)
		if err != nil {
			return nil, err
		}
		if len(args) != 1 {
			return nil, mongoerr.New(50723, "%s requires a single argument, got %d", name, len(args))
		}
		call := func(ctx *Context, v bsonraw.Value) (bsonraw.Value, error) {
			if isNullish(v) {
				return bsonraw.NullValue, nil
			}
			return convertTo(ctx, v, to)
		}
		return &unaryCall{call: call, arg: args[0]}, nil
	}}
}

// conversion is $convert.
type conversion struct{ input, to, onError, onNull node } // the last two may be nil

func compileConvert(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(mongoerr.FailedToParse, "%s expects an object of named arguments but found: %s", name, argument.Type.Name())
	}
	n := &conversion{}
	err := c.named(argument.Doc(), unknownArgument(mongoerr.FailedToParse, name),
		named{"input", &n.input}, named{"to", &n.to}, named{"onError", &n.onError}, named{"onNull", &n.onNull})
	switch {
	case err != nil:
	case n.input == nil:
		err = mongoerr.New(mongoerr.FailedToParse, "Missing 'input' parameter to %s", name)
	case n.to == nil:
		err = mongoerr.New(mongoerr.FailedToParse, "Missing 'to' parameter to %s", name)
	}
	return n, err
}

func (n *conversion) eval(ctx *Context) (bsonraw.Value, error) {
	target, err := n.to.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	var to bsonraw.Type
	if !isNullish(target) {
		if to, err = conversionTarget(target); err != nil {
			return bsonraw.Value{}, err
		}
	}
	switch {
	case isNullish(input) && n.onNull != nil:
		return n.onNull.eval(ctx)
	case isNullish(input) || isNullish(target):
		return bsonraw.NullValue, nil
	}
	v, err := convertTo(ctx, input, to)
	if err != nil && n.onError != nil && mongoerr.Is(err, mongoerr.ConversionFailure) {
		return n.onError.eval(ctx)
	}
	return v, err
}

func (n *conversion) children(visit func(*node)) {
	visit(&n.input)
	visit(&n.to)
	visitPresent(&n.onError, visit)
	visitPresent(&n.onNull, visit)
}

// typesByName holds the types that $convert may be asked for, of which it knows some.
var typesByName = func() map[string]bsonraw.Type {
	types := map[string]bsonraw.Type{}
	for i := range 256 {
		if t := bsonraw.Type(i); isType(t) {
			types[t.Name()] = t
		}
	}
	return types
}()

// isType reports whether there is a type of that number. Missing counts as one here.
func isType(t bsonraw.Type) bool {
	return t <= bsonraw.TypeDecimal128 || t == bsonraw.TypeMinKey || t == bsonraw.TypeMaxKey
}

func conversionTarget(v bsonraw.Value) (bsonraw.Type, error) {
	switch {
	case v.Type == bsonraw.TypeString:
		t, ok := typesByName[v.Str()]
		if !ok {
			return 0, mongoerr.New(mongoerr.BadValue, "Unknown type name: %s", v.Bytes())
		}
		return t, nil
	case !v.Type.IsNumber():
		return 0, mongoerr.New(mongoerr.FailedToParse, "$convert's 'to' argument must be a string or number, but is %s", v.Type.Name())
	}
	n, ok := asInt32(v)
	if !ok {
		return 0, mongoerr.New(mongoerr.FailedToParse, "In $convert, numeric 'to' argument is not an integer")
	}
	if t := bsonraw.Type(n); n >= -1 && n <= int(bsonraw.TypeMaxKey) && isType(t) {
		return t, nil
	}
	return 0, mongoerr.New(mongoerr.FailedToParse, "In $convert, numeric value for 'to' does not correspond to a BSON type: %d", n)
}

const noOnError = "in $convert with no onError value"

// convertTo converts a value that is not null.
func convertTo(ctx *Context, v bsonraw.Value, to bsonraw.Type) (bsonraw.Value, error) {
	switch to {
	case bsonraw.TypeBool:
		return bsonraw.BoolValue(v.Truthy()), nil
	case bsonraw.TypeString:
		return convertToString(ctx, v)
	case bsonraw.TypeObjectID:
		if v.Type == bsonraw.TypeString {
			return parseObjectID(ctx, v)
		}
		if v.Type == bsonraw.TypeObjectID {
			return v, nil
		}
	case bsonraw.TypeDate:
		return convertToDate(ctx, v)
	case bsonraw.TypeInt32, bsonraw.TypeInt64, bsonraw.TypeDouble, bsonraw.TypeDecimal128:
		return convertToNumber(ctx, v, to)
	}
	return bsonraw.Value{}, errUnsupportedConversion(v, to)
}

func errUnsupportedConversion(v bsonraw.Value, to bsonraw.Type) error {
	return conversionFailure("Unsupported conversion from %s to %s "+noOnError, v.Type.Name(), to.Name())
}

func errConversionOverflow(text string) error {
	return conversionFailure("Conversion would overflow target type "+noOnError+": %s", text)
}

func convertToString(ctx *Context, v bsonraw.Value) (bsonraw.Value, error) {
	if v.Type == bsonraw.TypeString {
		return v, nil
	}
	buf := ctx.beginString()
	var err error
	switch v.Type {
	case bsonraw.TypeBool:
		buf = strconv.AppendBool(buf, v.Bool())
	case bsonraw.TypeInt32:
		buf = strconv.AppendInt(buf, int64(v.Int32()), 10)
	case bsonraw.TypeInt64:
		buf = strconv.AppendInt(buf, v.Int64(), 10)
	case bsonraw.TypeDouble:
		buf = appendConvertedDouble(buf, v.Double())
	case bsonraw.TypeDecimal128:
		buf = appendDecimalText(buf, v)
	case bsonraw.TypeObjectID:
		buf = hex.AppendEncode(buf, v.Data)
	case bsonraw.TypeDate:
		buf, err = appendDate(buf, v)
	default:
		err = errUnsupportedConversion(v, bsonraw.TypeString)
	}
	if err != nil {
		ctx.Discard(buf)
		return bsonraw.Value{}, err
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

func parseObjectID(ctx *Context, v bsonraw.Value) (bsonraw.Value, error) {
	const size = 12
	text := v.Bytes()
	if len(text) != 2*size {
		return bsonraw.Value{}, conversionFailure("Failed to parse objectId '%s' "+noOnError+": Invalid string length for parsing to OID, expected %d but found %d", text, 2*size, len(text))
	}
	id := ctx.arena.alloc(size)
	if _, err := hex.Decode(id, text); err != nil {
		return bsonraw.Value{}, conversionFailure("Failed to parse objectId '%s' "+noOnError+": Invalid character found in hex string", text)
	}
	return bsonraw.Value{Type: bsonraw.TypeObjectID, Data: id}, nil
}

func convertToDate(ctx *Context, v bsonraw.Value) (bsonraw.Value, error) {
	switch v.Type {
	case bsonraw.TypeDate:
		return v, nil
	case bsonraw.TypeTimestamp, bsonraw.TypeObjectID:
		millis, _ := dateOfValue(v)
		return ctx.dateValue(millis), nil
	case bsonraw.TypeString:
		millis, err := parseDate(v.Bytes(), zone{}, false)
		if err != nil {
			return bsonraw.Value{}, err
		}
		return ctx.dateValue(millis), nil
	case bsonraw.TypeInt64:
		return ctx.dateValue(v.Int64()), nil
	case bsonraw.TypeDouble, bsonraw.TypeDecimal128:
		n, err := wholeNumber(v)
		if err != nil {
			return bsonraw.Value{}, err
		}
		return ctx.dateValue(n), nil
	}
	return bsonraw.Value{}, errUnsupportedConversion(v, bsonraw.TypeDate)
}

// wholeNumber cuts a number off to an integer of 64 bits.
func wholeNumber(v bsonraw.Value) (int64, error) {
	if n, ok := v.AsInt64(); ok {
		return n, nil
	}
	f, _ := v.AsFloat64()
	decimal := v.Type == bsonraw.TypeDecimal128
	switch {
	case f != f:
		return 0, conversionFailure("Attempt to convert NaN value to integer type " + noOnError)
	case !decimal && f-f != 0 || decimal && readDecimal(v).Form == apd.Infinite:
		return 0, conversionFailure("Attempt to convert infinity value to integer type " + noOnError)
	}
	return 0, errConversionOverflow(numberText(v))
}

// numberText renders a number as messages about conversions do; that of an integer they leave out.
func numberText(v bsonraw.Value) string {
	switch v.Type {
	case bsonraw.TypeDouble:
		return shortDouble(v.Double())
	case bsonraw.TypeDecimal128:
		return string(appendDecimalText(nil, v))
	}
	return ""
}
