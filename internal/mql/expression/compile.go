package expression

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// compiler reads one expression. It carries the table of operators, since the table's functions call back into it.
type compiler struct {
	table map[string]operator
	scope *Scope
	slots int // the most slots that were in use at once
	depth int
}

// maxDepth bounds the nesting of expressions, and with it the stack that evaluating needs. Documents in messages are bounded
// to the same depth.
const maxDepth = bsonraw.MaxMessageDepth

// operand reads whatever may stand for an argument.
func (c *compiler) operand(v bsonraw.Value) (node, error) {
	if c.depth++; c.depth > maxDepth {
		return nil, mongoerr.New(mongoerr.Overflow, "expression is nested deeper than %d levels", maxDepth)
	}
	defer func() { c.depth-- }()
	switch v.Type {
	case bsonraw.TypeString:
		if text := v.Bytes(); len(text) > 0 && text[0] == '$' {
			return c.path(string(text))
		}
	case bsonraw.TypeDocument:
		return c.object(v.Doc())
	case bsonraw.TypeArray:
		items, err := c.operands(v.Doc())
		if err != nil {
			return nil, err
		}
		return &arrayLiteral{items: items}, nil
	}
	return &constant{value: v}, nil
}

func (c *compiler) operands(array bsonraw.Doc) ([]node, error) {
	var items []node
	for it := array.Iter(); it.Next(); {
		item, err := c.operand(it.Value())
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// object reads an operator or an object literal: the first name decides.
func (c *compiler) object(doc bsonraw.Doc) (node, error) {
	it := doc.Iter()
	if it.Next() && len(it.Key()) > 0 && it.Key()[0] == '$' {
		return c.operatorObject(doc)
	}
	literal := &objectLiteral{}
	seen := map[string]bool{}
	for it := doc.Iter(); it.Next(); {
		name := string(it.Key())
		if err := checkFieldName(name); err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, mongoerr.New(16406, "duplicate field name specified in object literal: %s", doc.Shell())
		}
		seen[name] = true
		n, err := c.operand(it.Value())
		if err != nil {
			return nil, err
		}
		literal.fields = append(literal.fields, literalField{key: []byte(name), node: n})
	}
	return literal, nil
}

// operatorObject reads {$operator: argument}.
func (c *compiler) operatorObject(doc bsonraw.Doc) (node, error) {
	it := doc.Iter()
	if !it.Next() || it.Key()[0] != '$' {
		return nil, mongoerr.New(15983, "An object representing an expression must have exactly one field: %s", doc.Shell())
	}
	name, argument := string(it.Key()), it.Value()
	if it.Next() {
		return nil, mongoerr.New(15983, "An object representing an expression must have exactly one field: %s", doc.Shell())
	}
	op, ok := c.table[name]
	if !ok {
		if planned[name] {
			return nil, mongoerr.New(mongoerr.CommandNotSupported, "Expression %s is not supported by this server", name)
		}
		return nil, mongoerr.New(mongoerr.InvalidPipelineOperator, "Unrecognized expression '%s'", name)
	}
	return op.compile(c, name, argument)
}

// path reads "$field.path" or "$$variable.path".
func (c *compiler) path(text string) (node, error) {
	if text == "$" {
		return nil, mongoerr.New(16872, "'$' by itself is not a valid FieldPath")
	}
	if !strings.HasPrefix(text, "$$") {
		fields, err := ParsePath(text[1:])
		if err != nil {
			return nil, err
		}
		return c.variable("CURRENT", fields)
	}
	name, _, dotted := strings.Cut(text[2:], ".")
	if err := checkVariable(name); err != nil {
		return nil, err
	}
	n, err := c.variable(name, nil)
	if err != nil || !dotted {
		return n, err
	}
	fields, err := ParsePath(text[2:])
	if err != nil {
		return nil, err
	}
	return c.variable(name, fields[1:])
}

// variable returns the node that reads a path from a variable.
func (c *compiler) variable(name string, fields []string) (node, error) {
	if v := c.scope.find(name); v != nil {
		if v.bound {
			return &variablePath{slot: v.slot, fields: fields}, nil
		}
		if len(fields) == 0 {
			return &constant{value: v.constant}, nil
		}
		return &constantPath{value: v.constant, fields: fields}, nil
	}
	switch name {
	case "ROOT", "CURRENT":
		return &fieldPath{fields: fields}, nil
	case "REMOVE":
		return &constant{}, nil
	case "JS_SCOPE", "IS_MR":
		return &unavailable{name: name}, nil
	case "NOW", "CLUSTER_TIME", "USER_ROLES":
		return nil, mongoerr.New(51144, "Builtin variable '$$%s' is not available", name)
	case "SEARCH_META":
		return nil, mongoerr.New(6347903, "Can't access $$SEARCH_META without a $search stage earlier in the pipeline")
	}
	return nil, mongoerr.New(17276, "Use of undefined variable: %s", name)
}

// bind makes a variable that the rest of the compilation can name, until restore runs.
func (c *compiler) bind(name string) (slot Slot, restore func()) {
	outer := c.scope
	c.scope, slot = outer.WithVariable(name)
	c.slots = max(c.slots, c.scope.slots)
	return slot, func() { c.scope = outer }
}

// constant evaluates an operand that must be known when compiling; ok is false for others.
func (c *compiler) constant(v bsonraw.Value) (value bsonraw.Value, ok bool, err error) {
	n, err := c.operand(v)
	if err != nil {
		return value, false, err
	}
	if n, err = fold(&Context{vars: make([]bsonraw.Value, c.slots)}, n); err != nil {
		return value, false, err
	}
	known, ok := n.(*constant)
	if !ok {
		return value, false, nil
	}
	return known.value, true, nil
}

// IsOperator reports whether name is an operator of the expression language, be it in the table or not yet.
func IsOperator(name string) bool {
	_, ok := operators[name]
	return ok || planned[name]
}
