package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
)

// node is a part of a compiled expression.
type node interface {
	eval(ctx *Context) (bsonraw.Value, error)
	// children calls visit with every node that eval may run, so that it can be replaced.
	children(visit func(child *node))
}

// builder is a node whose result is a document or array that it can build in place.
type builder interface {
	node
	appendBody(dst []byte, ctx *Context) ([]byte, error) // the whole document or array
	bodyType() bsonraw.Type
}

// appendElem appends an element with a node's value, at most its place when it is missing.
func appendElem(dst []byte, key []byte, n node, ctx *Context) ([]byte, error) {
	if b, ok := n.(builder); ok {
		return b.appendBody(bsonraw.AppendHeader(dst, b.bodyType(), key), ctx)
	}
	v, err := n.eval(ctx)
	if err != nil {
		return dst, err
	}
	return ctx.AppendValue(dst, key, v), nil
}

// build evaluates a builder into the arena.
func build(ctx *Context, b builder) (bsonraw.Value, error) {
	buf, err := b.appendBody(ctx.Scratch(), ctx)
	if err != nil {
		ctx.Discard(buf)
		return bsonraw.Value{}, err
	}
	return ctx.keepValue(b.bodyType(), buf)
}

type constant struct{ value bsonraw.Value }

func (n *constant) eval(*Context) (bsonraw.Value, error) { return n.value, nil }
func (n *constant) children(func(*node))                 {}

// fieldPath reads from the document. Without fields it is the document.
type fieldPath struct{ fields []string }

func (n *fieldPath) eval(ctx *Context) (bsonraw.Value, error) {
	return walkPath(ctx, ctx.root.Value(), n.fields)
}
func (n *fieldPath) children(func(*node)) {}

type variablePath struct {
	slot   Slot
	fields []string
}

func (n *variablePath) eval(ctx *Context) (bsonraw.Value, error) {
	return walkPath(ctx, ctx.vars[n.slot], n.fields)
}
func (n *variablePath) children(func(*node)) {}

type constantPath struct {
	value  bsonraw.Value
	fields []string
}

func (n *constantPath) eval(ctx *Context) (bsonraw.Value, error) {
	return walkPath(ctx, n.value, n.fields)
}
func (n *constantPath) children(func(*node)) {}

// objectLiteral builds a document; fields without a value are left out.
type objectLiteral struct{ fields []literalField }

type literalField struct {
	key  []byte
	node node
}

func (n *objectLiteral) eval(ctx *Context) (bsonraw.Value, error) { return build(ctx, n) }
func (n *objectLiteral) bodyType() bsonraw.Type                   { return bsonraw.TypeDocument }

func (n *objectLiteral) appendBody(dst []byte, ctx *Context) ([]byte, error) {
	dst, at := bsonraw.BeginDoc(dst)
	for i := range n.fields {
		var err error
		if dst, err = appendElem(dst, n.fields[i].key, n.fields[i].node, ctx); err != nil {
			return dst, err
		}
	}
	return bsonraw.EndDoc(dst, at), nil
}

func (n *objectLiteral) children(visit func(*node)) {
	for i := range n.fields {
		visit(&n.fields[i].node)
	}
}

// arrayLiteral builds an array; items without a value are null.
type arrayLiteral struct{ items []node }

func (n *arrayLiteral) eval(ctx *Context) (bsonraw.Value, error) { return build(ctx, n) }
func (n *arrayLiteral) bodyType() bsonraw.Type                   { return bsonraw.TypeArray }

func (n *arrayLiteral) appendBody(dst []byte, ctx *Context) ([]byte, error) {
	out := bsonraw.BeginArray(dst)
	for _, item := range n.items {
		if err := appendItem(&out, item, ctx); err != nil {
			return out.End(), err
		}
	}
	return out.End(), nil
}

func (n *arrayLiteral) children(visit func(*node)) {
	for i := range n.items {
		visit(&n.items[i])
	}
}

// appendItem appends a node's value to an array.
func appendItem(out *bsonraw.ArrayBuilder, item node, ctx *Context) error {
	if b, ok := item.(builder); ok {
		dst, at := out.Begin(b.bodyType())
		dst, err := b.appendBody(dst[:at], ctx)
		out.Resume(dst)
		return err
	}
	v, err := item.eval(ctx)
	if err != nil {
		return err
	}
	out.Append(v)
	return nil
}

// preparer is a node that looks once at those of its children that have become constants.
type preparer interface{ prepare() error }

// simplifier is a node that, when some of its children are constants, may drop others, or leave its place to one of them.
type simplifier interface{ simplify() node }

// fold replaces what does not depend on the document by its value.
func fold(ctx *Context, n node) (node, error) {
	if _, ok := n.(interface{ staysUntouched() }); ok {
		return n, nil
	}
	if n, ok := n.(*switchCase); ok {
		return n.fold(ctx)
	}
	var failed error
	constants := true
	n.children(func(child *node) {
		if failed != nil {
			return
		}
		var folded node
		if folded, failed = fold(ctx, *child); failed == nil {
			*child = folded
			_, isConstant := folded.(*constant)
			constants = constants && isConstant
		}
	})
	if failed != nil {
		return nil, failed
	}
	if p, ok := n.(preparer); ok {
		if err := p.prepare(); err != nil {
			return nil, err
		}
	}
	if z, ok := n.(interface{ inZone() *zoneArgument }); ok {
		z.inZone().prepare()
	}
	if _, ok := n.(interface{ runsLate() }); ok {
		return n, nil
	}
	if s, ok := n.(simplifier); ok {
		if simple := s.simplify(); simple != n {
			return simple, nil
		}
	}
	switch n := n.(type) {
	case *constant, *fieldPath, *variablePath, *mapArray, *filterArray, *let:
		return n, nil // MongoDB evaluates the last three when it runs them, so that is when they fail
	case *naryCall:
		if err := n.join(ctx); err != nil {
			return nil, err
		}
	}
	if !constants {
		return n, nil
	}
	v, err := n.eval(ctx)
	if err != nil {
		return nil, err
	}
	return &constant{value: v}, nil
}

func readsDocument(n node) bool {
	if _, ok := n.(*fieldPath); ok {
		return true
	}
	found := false
	n.children(func(child *node) { found = found || readsDocument(*child) })
	return found
}
