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
	if p.upsert {
		return nil, mongoerr.New(codeQueryFeatureNotAllowed, "$expr is not allowed in the query predicate for an upsert")
	}
	e, err := expression.Compile(c.arg, p.scope)
	if err != nil {
		return nil, err
	}
	if err := e.Optimize(); err != nil {
		return nil, mongoerr.From(err).Prefix("Failed to optimize expression :: caused by :: ")
	}
	p.usesExpr = true
	return &clause{op: opExpr, value: c.arg, by: p.scope.Collation(), run: &exprNode{expression: e}}, nil
}

// exprNode runs an expression. Where the caller brings no context, one is borrowed for the document.
type exprNode struct {
	expression *expression.Expression
	contexts   sync.Pool
}

func (n *exprNode) match(ctx *expression.Context, v bsonraw.Value) (bool, int, error) {
	if ctx == nil {
		ctx = n.borrow()
		defer n.giveBack(ctx)
	}
	result, err := n.expression.Eval(ctx, v.Doc())
	if err != nil {
		return false, noPosition, err
	}
	return result.Truthy(), noPosition, nil
}

func (n *exprNode) borrow() *expression.Context {
	if ctx, _ := n.contexts.Get().(*expression.Context); ctx != nil {
		return ctx
	}
	return new(expression.Context)
}

func (n *exprNode) giveBack(ctx *expression.Context) {
	ctx.Reset()
	n.contexts.Put(ctx)
}
