package expression

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

func evalMergeObjects(ctx *Context, args []node) (bsonraw.Value, error) {
	merged := ctx.takeFields()
	defer ctx.giveFields(merged)
	for _, arg := range args {
		v, err := arg.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if len(args) > 1 || v.Type != bsonraw.TypeArray {
			if err := merged.putAll(v); err != nil {
				return bsonraw.Value{}, err
			}
			continue
		}
		for it := v.Doc().Iter(); it.Next(); { // an only argument may be an array of documents
			if err := merged.putAll(it.Value()); err != nil {
				return bsonraw.Value{}, err
			}
		}
	}
	return merged.build(ctx)
}

// fieldList collects the fields of a document: a name keeps the place where it came first and has the value that came last.
type fieldList struct {
	keys   [][]byte
	values []bsonraw.Value
	index  map[string]int // places of the names, once there are too many of them for a walk
}

// walkFields is up to how many names a walk is faster than a map.
const walkFields = 16

// takeFields returns an empty list; giveFields takes it back.
func (c *Context) takeFields() *fieldList {
	if n := len(c.fields); n > 0 {
		l := c.fields[n-1]
		c.fields = c.fields[:n-1]
		return l
	}
	return &fieldList{}
}

func (c *Context) giveFields(l *fieldList) {
	if len(l.keys) > 1<<12 {
		return // not worth keeping
	}
	l.keys, l.values = l.keys[:0], l.values[:0]
	clear(l.index)
	c.fields = append(c.fields, l)
}

func (l *fieldList) putAll(v bsonraw.Value) error {
	if isNullish(v) {
		return nil
	}
	if v.Type != bsonraw.TypeDocument {
		return mongoerr.New(40400, "$mergeObjects requires object inputs, but input %s is of type %s", Text(v), v.Type.Name())
	}
	for it := v.Doc().Iter(); it.Next(); {
		l.put(it.Key(), it.Value())
	}
	return nil
}

func (l *fieldList) put(key []byte, v bsonraw.Value) {
	if i := l.find(key); i >= 0 {
		l.values[i] = v
		return
	}
	l.keys, l.values = append(l.keys, key), append(l.values, v)
	n := len(l.keys)
	if n == walkFields+1 {
		if l.index == nil {
			l.index = map[string]int{}
		}
		for i, k := range l.keys {
			l.index[string(k)] = i
		}
	} else if n > walkFields {
		l.index[string(key)] = n - 1
	}
}

func (l *fieldList) find(key []byte) int {
	if len(l.keys) > walkFields {
		if i, ok := l.index[string(key)]; ok {
			return i
		}
		return -1
	}
	for i, k := range l.keys {
		if bytes.Equal(k, key) {
			return i
		}
	}
	return -1
}

func (l *fieldList) build(ctx *Context) (bsonraw.Value, error) {
	dst, at := bsonraw.BeginDoc(ctx.Scratch())
	for i, key := range l.keys {
		dst = bsonraw.AppendValue(dst, key, l.values[i])
	}
	return ctx.keepValue(bsonraw.TypeDocument, bsonraw.EndDoc(dst, at))
}

func evalObjectToArray(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if isNullish(a) {
		return bsonraw.NullValue, nil
	}
	if a.Type != bsonraw.TypeDocument {
		return bsonraw.Value{}, mongoerr.New(40390, "$objectToArray requires a document input, found: %s", a.Type.Name())
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for it := a.Doc().Iter(); it.Next(); {
		dst, at := out.Begin(bsonraw.TypeDocument)
		dst = bsonraw.AppendString(dst, "k", it.Key())
		dst = bsonraw.AppendValue(dst, "v", it.Value())
		out.Resume(bsonraw.EndDoc(dst, at))
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

func evalArrayToObject(ctx *Context, a bsonraw.Value) (bsonraw.Value, error) {
	if isNullish(a) {
		return bsonraw.NullValue, nil
	}
	if a.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(40386, "$arrayToObject requires an array input, found: %s", a.Type.Name())
	}
	object := ctx.takeFields()
	defer ctx.giveFields(object)
	first := bsonraw.TypeMissing
	for it := a.Doc().Iter(); it.Next(); {
		if first == bsonraw.TypeMissing {
			first = it.Value().Type
		}
		key, v, err := keyAndValue(first, it.Value())
		if err != nil {
			return bsonraw.Value{}, err
		}
		object.put(key, v)
	}
	return object.build(ctx)
}

// keyAndValue reads an item of $arrayToObject: [key, value] or {k: key, v: value}, all of the form of the first one.
func keyAndValue(first bsonraw.Type, item bsonraw.Value) (key []byte, v bsonraw.Value, err error) {
	switch {
	case first == bsonraw.TypeArray && item.Type == bsonraw.TypeArray:
		return keyAndValueOfArray(item.Doc())
	case first == bsonraw.TypeDocument && item.Type == bsonraw.TypeDocument:
		return keyAndValueOfObject(item)
	case first == bsonraw.TypeArray:
		err = mongoerr.New(40396, "$arrayToObject requires a consistent input format. Elements mustall be arrays or all be objects. Array was detected, now found: %s", item.Type.Name())
	case first == bsonraw.TypeDocument:
		err = mongoerr.New(40391, "$arrayToObject requires a consistent input format. Elements mustall be arrays or all be objects. Object was detected, now found: %s", item.Type.Name())
	default:
		err = mongoerr.New(40398, "Unrecognised input type format for $arrayToObject: %s", item.Type.Name())
	}
	return nil, bsonraw.Value{}, err
}

func keyAndValueOfArray(pair bsonraw.Doc) (key []byte, v bsonraw.Value, err error) {
	if n := pair.Len(); n != 2 {
		return nil, v, mongoerr.New(40397, "$arrayToObject requires an array of size 2 arrays,found array of size: %d", n)
	}
	k, v := itemAt(pair, 0), itemAt(pair, 1)
	if k.Type != bsonraw.TypeString {
		return nil, v, mongoerr.New(40395, "$arrayToObject requires an array of key-value pairs, where the key must be of type string. Found key type: %s", k.Type.Name())
	}
	if bytes.IndexByte(k.Bytes(), 0) >= 0 {
		return nil, v, mongoerr.New(4940400, "Key field cannot contain an embedded null byte")
	}
	return k.Bytes(), v, nil
}

func keyAndValueOfObject(item bsonraw.Value) (key []byte, v bsonraw.Value, err error) {
	pair := item.Doc()
	if n := pair.Len(); n != 2 {
		return nil, v, mongoerr.New(40392, "$arrayToObject requires an object keys of 'k' and 'v'. Found incorrect number of keys:%d", n)
	}
	k, v := pair.Lookup("k"), pair.Lookup("v")
	if k.IsMissing() || v.IsMissing() {
		return nil, v, mongoerr.New(40393, "$arrayToObject requires an object with keys 'k' and 'v'. Missing either or both keys from: %s", Text(item))
	}
	if k.Type != bsonraw.TypeString {
		return nil, v, mongoerr.New(40394, "$arrayToObject requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: %s", k.Type.Name())
	}
	if bytes.IndexByte(k.Bytes(), 0) >= 0 {
		return nil, v, mongoerr.New(4940401, "Key field cannot contain an embedded null byte")
	}
	return k.Bytes(), v, nil
}

// getField is $getField: a field by its name, whatever characters that has.
type getField struct {
	untouched
	name  string
	input node
}

func compileGetField(c *compiler, _ string, argument bsonraw.Value) (node, error) {
	field, input := argument, bsonraw.StringValue("$$CURRENT")
	if argument.Type == bsonraw.TypeDocument && !isOperator(argument.Doc()) {
		field, input = bsonraw.Value{}, bsonraw.Value{}
		for it := argument.Doc().Iter(); it.Next(); {
			switch string(it.Key()) {
			case "field":
				field = it.Value()
			case "input":
				input = it.Value()
			default:
				return nil, mongoerr.New(3041701, "$getField found an unknown argument: %s", it.Key())
			}
		}
		if field.IsMissing() {
			return nil, mongoerr.New(3041702, "$getField requires 'field' to be specified")
		}
		if input.IsMissing() {
			return nil, mongoerr.New(3041703, "$getField requires 'input' to be specified")
		}
	}
	name, err := c.constantName("$getField", getFieldCodes, field)
	if err != nil {
		return nil, err
	}
	n := &getField{name: name}
	n.input, err = c.operand(input)
	return n, err
}

func isOperator(doc bsonraw.Doc) bool {
	it := doc.Iter()
	return it.Next() && len(it.Key()) > 0 && it.Key()[0] == '$'
}

// nameCodes are the codes of what is wrong with a field's name: a path instead, not a constant, not a string.
type nameCodes struct{ path, constant, kind mongoerr.Code }

var getFieldCodes = nameCodes{path: 5654600, constant: 5654601, kind: 5654602}

// constantName reads a field's name that must be known when compiling.
func (c *compiler) constantName(operator string, codes nameCodes, v bsonraw.Value) (string, error) {
	if v.Type == bsonraw.TypeString && len(v.Bytes()) > 0 && v.Bytes()[0] == '$' {
		path := v.Str()
		if _, err := c.path(path); err != nil {
			return "", err
		}
		if path[1] == '$' {
			path = path[1:]
		} else {
			path = "$CURRENT." + path[1:]
		}
		return "", mongoerr.New(codes.path, "'%s' is a field path reference which is not allowed in this context. Did you mean {$literal: '%s'}?", path, path)
	}
	n, err := c.operand(v)
	if err != nil {
		return "", err
	}
	name, ok := n.(*constant)
	if !ok {
		return "", mongoerr.New(codes.constant, "%s requires 'field' to evaluate to a constant, but got a non-constant argument", operator)
	}
	if name.value.Type != bsonraw.TypeString {
		return "", mongoerr.New(codes.kind, "%s requires 'field' to evaluate to type String, but got %s", operator, name.value.Type.Name())
	}
	return name.value.Str(), nil
}

func (n *getField) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	switch {
	case err != nil:
		return bsonraw.Value{}, err
	case input.Type == bsonraw.TypeDocument:
		return input.Doc().Lookup(n.name), nil
	case input.IsMissing():
		return input, nil
	case isNullish(input):
		return bsonraw.NullValue, nil
	}
	return bsonraw.Value{}, nil
}

func (n *getField) children(visit func(*node)) { visit(&n.input) }
