package expression

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// stringOf makes a string of text, which must not change before it returns.
func (c *Context) stringOf(text []byte) (bsonraw.Value, error) {
	return c.endString(append(c.beginString(), text...))
}

func evalStrLenCP(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if a.Type != bsonraw.TypeString {
		return bsonraw.Value{}, mongoerr.New(34471, "$strLenCP requires a string argument, found: %s", a.Type.Name())
	}
	return ctx.int32Value(int32(utf8.RuneCount(a.Bytes()))), nil
}

func evalStrcasecmp(_ *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
	left, err := appendCoerced(nil, a)
	if err != nil {
		return bsonraw.Value{}, err
	}
	right, err := appendCoerced(nil, b)
	if err != nil {
		return bsonraw.Value{}, err
	}
	for _, text := range [][]byte{left, right} {
		for i := range text {
			text[i] = upperByte(text[i])
		}
	}
	return orderValue(bytes.Compare(left, right)), nil
}

func evalSplit(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
	if isNullish(a) || isNullish(b) {
		return bsonraw.NullValue, nil
	}
	if a.Type != bsonraw.TypeString {
		return bsonraw.Value{}, mongoerr.New(40085, "$split requires an expression that evaluates to a string as a first argument, found: %s", a.Type.Name())
	}
	if b.Type != bsonraw.TypeString {
		return bsonraw.Value{}, mongoerr.New(40086, "$split requires an expression that evaluates to a string as a second argument, found: %s", b.Type.Name())
	}
	text, separator := a.Bytes(), b.Bytes()
	if len(separator) == 0 {
		return bsonraw.Value{}, mongoerr.New(40087, "$split requires a non-empty separator")
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for more := true; more; {
		var part []byte
		part, text, more = bytes.Cut(text, separator)
		out.Append(bsonraw.StringValue(string(part)))
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

// evalSubstrBytes is $substrBytes, and $substr, which is its old name. Either end must be the beginning of a character.
func evalSubstrBytes(ctx *Context, args []node) (bsonraw.Value, error) {
	var values [3]bsonraw.Value
	for i, arg := range args {
		var err error
		if values[i], err = arg.eval(ctx); err != nil {
			return bsonraw.Value{}, err
		}
	}
	text, err := appendCoerced(nil, values[0])
	if err != nil {
		return bsonraw.Value{}, err
	}
	if !values[1].Type.IsNumber() {
		return bsonraw.Value{}, mongoerr.New(16034, "$substrBytes:  starting index must be a numeric type (is BSON type %s)", values[1].Type.Name())
	}
	if !values[2].Type.IsNumber() {
		return bsonraw.Value{}, mongoerr.New(16035, "$substrBytes:  length must be a numeric type (is BSON type %s)", values[2].Type.Name())
	}
	from, err := coerceLong(values[1])
	if err != nil {
		return bsonraw.Value{}, err
	}
	length, err := coerceLong(values[2])
	if err != nil {
		return bsonraw.Value{}, err
	}
	if from < 0 {
		return bsonraw.Value{}, mongoerr.New(50752, "$substrBytes:  starting index must be non-negative (got: %d)", from)
	}
	size := int64(len(text))
	from = min(from, size)
	if length < 0 || length > size-from { // a negative length is that of the rest
		length = size - from
	}
	end := from + length
	if from < size && !utf8.RuneStart(text[from]) {
		return bsonraw.Value{}, mongoerr.New(28656, "$substrBytes:  Invalid range, starting index is a UTF-8 continuation byte.")
	}
	if end < size && !utf8.RuneStart(text[end]) {
		return bsonraw.Value{}, mongoerr.New(28657, "$substrBytes:  Invalid range, ending index is in the middle of a UTF-8 character.")
	}
	return ctx.stringOf(text[from:end])
}

func evalSubstrCP(ctx *Context, args []node) (bsonraw.Value, error) {
	var values [3]bsonraw.Value
	for i, arg := range args {
		var err error
		if values[i], err = arg.eval(ctx); err != nil {
			return bsonraw.Value{}, err
		}
	}
	text, err := appendCoerced(nil, values[0])
	if err != nil {
		return bsonraw.Value{}, err
	}
	from, err := characterCount(values[1], "starting index", 34450, 34451)
	if err != nil {
		return bsonraw.Value{}, err
	}
	length, err := characterCount(values[2], "length", 34452, 34453)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if length < 0 {
		return bsonraw.Value{}, mongoerr.New(34454, "$substrCP: length must be a nonnegative integer.")
	}
	if from < 0 {
		return bsonraw.Value{}, mongoerr.New(34455, "$substrCP: the starting index must be nonnegative integer.")
	}
	text = text[skipCharacters(text, from):]
	return ctx.stringOf(text[:skipCharacters(text, length)])
}

func characterCount(v bsonraw.Value, what string, kind, precision mongoerr.Code) (int, error) {
	if !v.Type.IsNumber() {
		return 0, mongoerr.New(kind, "$substrCP: %s must be a numeric type (is BSON type %s)", what, v.Type.Name())
	}
	n, ok := asInt32(v)
	if !ok {
		text, _ := appendCoerced(nil, v) // a number always has a text
		return 0, mongoerr.New(precision, "$substrCP: %s cannot be represented as a 32-bit integral value: %s", what, text)
	}
	return n, nil
}

// skipCharacters returns how many bytes the first n characters take.
func skipCharacters(text []byte, n int) int {
	at := 0
	for ; n > 0 && at < len(text); n-- {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at
}

// indexIn is $indexOfBytes or, with characters, $indexOfCP.
func indexIn(name string, first, second mongoerr.Code, characters bool) operator {
	return operator{min: 2, max: 4, nary: func(ctx *Context, args []node) (bsonraw.Value, error) {
		text, err := args[0].eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if isNullish(text) {
			return bsonraw.NullValue, nil
		}
		if text.Type != bsonraw.TypeString {
			return bsonraw.Value{}, mongoerr.New(first, "%s requires a string as the first argument, found: %s", name, text.Type.Name())
		}
		wanted, err := args[1].eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if wanted.Type != bsonraw.TypeString {
			return bsonraw.Value{}, mongoerr.New(second, "%s requires a string as the second argument, found: %s", name, wanted.Type.Name())
		}
		length := len(text.Bytes())
		if characters {
			length = utf8.RuneCount(text.Bytes())
		}
		from, to, err := searchBounds(ctx, name, args, length)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if from > length || from > to {
			return ctx.int32Value(-1), nil
		}
		return ctx.int32Value(int32(findText(text.Bytes(), wanted.Bytes(), from, to, characters))), nil
	}}
}

// findText returns where wanted stands between from and to, else -1.
func findText(text, wanted []byte, from, to int, characters bool) int {
	if !characters {
		if i := bytes.Index(text[from:to], wanted); i >= 0 {
			return from + i
		}
		return -1
	}
	if len(wanted) == 0 && from == to && from > 0 {
		return -1 // there is no character to begin at
	}
	begin, end := skipCharacters(text, from), skipCharacters(text, to)
	if i := bytes.Index(text[begin:end], wanted); i >= 0 {
		return from + utf8.RuneCount(text[begin:begin+i])
	}
	return -1
}

// whitespace is what $trim and its like take away by default.
const whitespace = "\x00 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"

// trims is the row of $trim or one of its like.
func trims(trim func(text, chars string) string) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		if argument.Type != bsonraw.TypeDocument {
			return nil, mongoerr.New(50696, "%s only supports an object as an argument, found %s", name, argument.Type.Name())
		}
		n := &trimText{name: name, trim: trim}
		err := c.named(argument.Doc(), unknownArgument(50694, name), named{"input", &n.input}, named{"chars", &n.chars})
		if err == nil && n.input == nil {
			err = mongoerr.New(50695, "%s requires an 'input' field", name)
		}
		return n, err
	}}
}

type trimText struct {
	name         string
	trim         func(text, chars string) string
	input, chars node // chars may be nil
}

func (n *trimText) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(input) {
		return bsonraw.NullValue, nil
	}
	if input.Type != bsonraw.TypeString {
		return bsonraw.Value{}, mongoerr.New(50699, "%s requires its input to be a string, got %s (of type %s) instead.", n.name, Text(input), input.Type.Name())
	}
	chars := whitespace
	if n.chars != nil {
		v, err := n.chars.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if isNullish(v) {
			return bsonraw.NullValue, nil
		}
		if v.Type != bsonraw.TypeString {
			return bsonraw.Value{}, mongoerr.New(50700, "%s requires 'chars' to be a string, got %s (of type %s) instead.", n.name, Text(v), v.Type.Name())
		}
		chars = v.Str()
	}
	return ctx.stringOf([]byte(n.trim(input.Str(), chars)))
}

func (n *trimText) children(visit func(*node)) {
	visit(&n.input)
	visitPresent(&n.chars, visit)
}

// replaces is the row of $replaceOne or $replaceAll: limit says how often, -1 for always.
func replaces(limit int) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		if argument.Type != bsonraw.TypeDocument {
			return nil, mongoerr.New(51751, "%s requires an object as an argument, found: %s", name, argument.Type.Name())
		}
		var input, find, replacement node
		err := c.named(argument.Doc(), unknownArgument(51750, name), named{"input", &input}, named{"find", &find}, named{"replacement", &replacement})
		switch {
		case err != nil:
			return nil, err
		case input == nil:
			return nil, mongoerr.New(51749, "%s requires 'input' to be specified", name)
		case find == nil:
			return nil, mongoerr.New(51748, "%s requires 'find' to be specified", name)
		case replacement == nil:
			return nil, mongoerr.New(51747, "%s requires 'replacement' to be specified", name)
		}
		call := func(ctx *Context, args []bsonraw.Value) (bsonraw.Value, error) {
			return replace(ctx, name, args, limit)
		}
		return &namedCall{args: []node{input, find, replacement}, call: call}, nil
	}}
}

func replace(ctx *Context, name string, args []bsonraw.Value, limit int) (bsonraw.Value, error) {
	null := false
	for i, what := range []string{"input", "find", "replacement"} {
		null = null || isNullish(args[i])
		if !isNullish(args[i]) && args[i].Type != bsonraw.TypeString {
			return bsonraw.Value{}, mongoerr.New(mongoerr.Code(51746-i), "%s requires that '%s' be a string, found: %s", name, what, Text(args[i]))
		}
	}
	if null {
		return bsonraw.NullValue, nil
	}
	return ctx.stringOf([]byte(strings.Replace(args[0].Str(), args[1].Str(), args[2].Str(), limit)))
}

// compileSubstr reads $substr as $substrBytes, by which name MongoDB calls it in messages.
func compileSubstr(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	return c.table["$substrBytes"].compile(c, "$substrBytes", argument)
}
