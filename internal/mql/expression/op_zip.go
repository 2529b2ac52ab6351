package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// zip is $zip.
type zip struct {
	late
	inputs, defaults []node
	longest          bool
}

func compileZip(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(34460, "$zip only supports an object as an argument, found %s", argument.Type.Name())
	}
	n := &zip{}
	for it := argument.Doc().Iter(); it.Next(); {
		v := it.Value()
		var err error
		switch key := string(it.Key()); key {
		case "inputs":
			if v.Type != bsonraw.TypeArray {
				return nil, mongoerr.New(34461, "inputs must be an array of expressions, found %s", v.Type.Name())
			}
			n.inputs, err = c.operands(v.Doc())
		case "defaults":
			if v.Type != bsonraw.TypeArray {
				return nil, mongoerr.New(34462, "defaults must be an array of expressions, found %s", v.Type.Name())
			}
			n.defaults, err = c.operands(v.Doc())
		case "useLongestLength":
			if v.Type != bsonraw.TypeBool {
				return nil, mongoerr.New(34463, "useLongestLength must be a bool, found object") // MongoDB names the type of the whole argument
			}
			n.longest = v.Bool()
		default:
			err = unknownArgument(34464, name)([]byte(key))
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case len(n.inputs) == 0:
		return nil, mongoerr.New(34465, "$zip requires at least one input array")
	case len(n.defaults) > 0 && !n.longest:
		return nil, mongoerr.New(34466, "cannot specify defaults unless useLongestLength is true")
	case len(n.defaults) > 0 && len(n.defaults) != len(n.inputs):
		return nil, mongoerr.New(34467, "defaults and inputs must have the same length")
	}
	return n, nil
}

func (n *zip) eval(ctx *Context) (bsonraw.Value, error) {
	rows := make([]bsonraw.Iter, len(n.inputs))
	length := 0
	for i, input := range n.inputs {
		v, err := input.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if isNullish(v) {
			return bsonraw.NullValue, nil
		}
		if v.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, mongoerr.New(34468, "$zip found a non-array expression in input: %s", Text(v))
		}
		rows[i] = v.Doc().Iter()
		if l := v.Doc().Len(); i == 0 || n.longest && l > length || !n.longest && l < length {
			length = l
		}
	}
	defaults := make([]bsonraw.Value, len(n.inputs))
	for i := range defaults {
		defaults[i] = bsonraw.NullValue
		if len(n.defaults) > 0 {
			var err error
			if defaults[i], err = n.defaults[i].eval(ctx); err != nil {
				return bsonraw.Value{}, err
			}
		}
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for range length {
		dst, at := out.Begin(bsonraw.TypeArray)
		tuple := bsonraw.BeginArray(dst[:at])
		for i := range rows {
			v := defaults[i]
			if rows[i].Next() {
				v = rows[i].Value()
			}
			if !v.IsMissing() { // a default without a value leaves no null behind
				tuple.Append(v)
			}
		}
		out.Resume(tuple.End())
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

func (n *zip) children(visit func(*node)) {
	visitAll(n.inputs, visit)
	visitAll(n.defaults, visit)
}
