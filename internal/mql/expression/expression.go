package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
)

// Expression is a compiled expression. It is immutable once [Expression.Optimize] has run and may then be used concurrently,
// each user with a [Context] of its own.
type Expression struct {
	root  node
	slots int // slots that the expression's variables use, those of its scope included
}

// Compile reads an expression: a field path or variable ("$a.b", "$$NOW"), an operator ({$add: [..]}), a document or array of
// expressions, or a constant. Errors carry MongoDB's codes: 168 for an operator that does not exist, 17276 for an undefined
// variable. The expression keeps references into v.
func Compile(v bsonraw.Value, scope *Scope) (*Expression, error) {
	return compileWith(scope, func(c *compiler) (node, error) { return c.operand(v) })
}

// CompileObject reads a document as a projection does where it holds an operator: it must be {$operator: argument}.
func CompileObject(doc bsonraw.Doc, scope *Scope) (*Expression, error) {
	return compileWith(scope, func(c *compiler) (node, error) { return c.operatorObject(doc) })
}

func compileWith(scope *Scope, read func(c *compiler) (node, error)) (*Expression, error) {
	c := newCompiler(scope)
	root, err := read(c)
	if err != nil {
		return nil, err
	}
	return &Expression{root: root, slots: c.slots}, nil
}

func newCompiler(scope *Scope) *compiler {
	return &compiler{table: operators, scope: scope, slots: scope.slotCount()}
}

// NewFieldPath returns the expression for a path, given without its dollar sign. The path must be one that [ParsePath] takes.
func NewFieldPath(path []string) *Expression {
	return &Expression{root: &fieldPath{fields: path}}
}

// Optimize evaluates what does not depend on a document. An error is one that evaluating a constant part gave, also in a
// branch that would never run: MongoDB refuses such expressions before it reads any document, each command with a prefix of
// its own.
func (e *Expression) Optimize() error {
	ctx := &Context{vars: make([]bsonraw.Value, e.slots)}
	root, err := fold(ctx, e.root)
	if err != nil {
		return err
	}
	e.root = root
	return nil
}

// Eval computes the expression for a document. A missing Value means that there is none, as for a path that leads nowhere. The
// result is valid as long as root is, and until ctx.Reset.
func (e *Expression) Eval(ctx *Context, root bsonraw.Doc) (bsonraw.Value, error) {
	e.prepare(ctx, root)
	return e.root.eval(ctx)
}

// AppendElem appends the result as an element named key, and at most its place when it is missing. Documents and arrays are built in dst
// at once.
func (e *Expression) AppendElem(dst []byte, key []byte, ctx *Context, root bsonraw.Doc) ([]byte, error) {
	e.prepare(ctx, root)
	return appendElem(dst, key, e.root, ctx)
}

func (e *Expression) prepare(ctx *Context, root bsonraw.Doc) {
	ctx.root = root
	if len(ctx.vars) < e.slots {
		ctx.vars = append(ctx.vars, make([]bsonraw.Value, e.slots-len(ctx.vars))...)
	}
}

// Constant returns the value of an expression that is the same for every document, once Optimize has run.
func (e *Expression) Constant() (bsonraw.Value, bool) {
	c, ok := e.root.(*constant)
	if !ok {
		return bsonraw.Value{}, false
	}
	return c.value, true
}

// FieldPath returns the path of an expression that does nothing but read a field of the document; the result is nil otherwise.
func (e *Expression) FieldPath() []string {
	if p, ok := e.root.(*fieldPath); ok {
		return p.fields
	}
	return nil
}

// usesDocument reports whether any part reads the document.
func (e *Expression) usesDocument() bool { return readsDocument(e.root) }
