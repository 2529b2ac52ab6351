package expression

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// setField is $setField and $unsetField: a document with one of its top fields changed, added or, where there is no value,
// removed.
type setField struct {
	untouched
	name         string
	input, value node // value is nil for $unsetField
}

var setFieldCodes = nameCodes{path: 4161108, constant: 4161106, kind: 4161107}

func compileSetField(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(4161100, "%s only supports an object as its argument", name)
	}
	var field, input, value bsonraw.Value
	for it := argument.Doc().Iter(); it.Next(); {
		switch key := string(it.Key()); {
		case key == "field":
			field = it.Value()
		case key == "input":
			input = it.Value()
		case key == "value" && name == "$setField":
			value = it.Value()
		default:
			return nil, mongoerr.New(4161101, "%s found an unknown argument: %s", name, key)
		}
	}
	switch {
	case field.IsMissing():
		return nil, mongoerr.New(4161102, "%s requires 'field' to be specified", name)
	case value.IsMissing() && name == "$setField":
		return nil, mongoerr.New(4161103, "%s requires 'value' to be specified", name)
	case input.IsMissing():
		return nil, mongoerr.New(4161109, "%s requires 'input' to be specified", name)
	}
	n := &setField{}
	var err error
	if n.name, err = c.constantName(name, setFieldCodes, field); err != nil {
		return nil, err
	}
	if strings.IndexByte(n.name, 0) >= 0 {
		return nil, mongoerr.New(4161110, "%s requires 'field' to have no embedded null byte", name)
	}
	if n.input, err = c.operand(input); err != nil {
		return nil, err
	}
	if !value.IsMissing() {
		n.value, err = c.operand(value)
	}
	return n, err
}

func (n *setField) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(input) {
		return bsonraw.NullValue, nil
	}
	if input.Type != bsonraw.TypeDocument {
		// MongoDB makes $setField of $unsetField, hence the name.
		return bsonraw.Value{}, mongoerr.New(4161105, "$setField requires 'input' to evaluate to type Object")
	}
	value, err := evalPresent(ctx, n.value)
	if err != nil {
		return bsonraw.Value{}, err
	}
	dst, at := bsonraw.BeginDoc(ctx.Scratch())
	found := false
	for it := input.Doc().Places(); it.Next(); {
		switch {
		case string(it.Key()) != n.name:
			dst = append(dst, it.Elem()...)
		case !found:
			found = true
			dst = ctx.AppendValue(dst, it.Key(), value)
		}
	}
	if !found {
		dst = ctx.AppendValue(dst, []byte(n.name), value)
	}
	return ctx.keepValue(bsonraw.TypeDocument, bsonraw.EndDoc(dst, at))
}

func (n *setField) children(visit func(*node)) {
	visit(&n.input)
	visitPresent(&n.value, visit)
}
