package filter

import (
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// parseExpr reads $expr, which takes the documents for which an expression of the aggregation language is true.
func parseExpr(p *parser, c condition) (*clause, error) {
	if p.inner {
		return nil, badValue("$expr can only be applied to the top-level document")
	}
	e, err := expression.Compile(c.arg, p.scope)
	if err != nil {
		return nil, err
	}
	if err := e.Optimize(); err != nil {
		return nil, mongoerr.From(err).Prefix("Failed to optimize expression :: caused by :: ")
	}
	p.usesExpr = true
	return &clause{op: opExpr, value: c.arg, run: &exprNode{expression: e}}, nil
}

// exprNode runs an expression. Where the caller brings no context, one is borrowed for the document.
type exprNode struct {
	expression *expression.Expression
	contexts   sync.Pool
}

func (n *exprNode) match(ctx *expression.Context, v bsonraw.Value) (bool, int, error) {
	if ctx == nil {
		borrowed, _ := n.contexts.Get().(*expression.Context)
		if borrowed == nil {
			borrowed = new(expression.Context)
		}
		defer func() {
			borrowed.Reset()
			n.contexts.Put(borrowed)
		}()
		ctx = borrowed
	}
	result, err := n.expression.Eval(ctx, v.Doc())
	if err != nil {
		return false, noPosition, err
	}
	return result.Truthy(), noPosition, nil
}
