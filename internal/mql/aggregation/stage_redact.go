package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// redact is $redact: an expression decides for each document, and for each one below it, whether it stays.
type redact struct {
	decide  *expression.Expression
	current expression.Slot
}

// The values of $$KEEP, $$PRUNE and $$DESCEND.
var (
	keepWhole   = bsonraw.StringValue("keep")
	prune       = bsonraw.StringValue("prune")
	descendInto = bsonraw.StringValue("descend")
)

func compileRedact(c *compiler, _ string, spec bsonraw.Value) (stage, error) {
	scope := c.scope.WithConstant("KEEP", keepWhole).WithConstant("PRUNE", prune).WithConstant("DESCEND", descendInto)
	s := &redact{}
	scope, s.current = scope.WithVariable("CURRENT")
	var err error
	s.decide, err = expression.Compile(spec, scope)
	return s, err
}

func (s *redact) name() string    { return "$redact" }
func (s *redact) optimize() error { return s.decide.Optimize() }
func (s *redact) oneToOne() bool  { return false }

func (s *redact) apply(ctx *expression.Context, doc bsonraw.Doc) (bsonraw.Doc, bool, error) {
	buf := ctx.Scratch()
	out, keep, err := s.document(buf, ctx, doc, doc)
	if err != nil || !keep {
		ctx.Discard(out)
		return nil, false, err
	}
	redacted, err := ctx.Hold(out)
	return redacted, true, err
}

// document appends what remains of doc, a part of root; keep is false when nothing does.
func (s *redact) document(dst []byte, ctx *expression.Context, root, doc bsonraw.Doc) (out []byte, keep bool, err error) {
	ctx.Set(s.current, doc.Value())
	v, err := s.decide.Eval(ctx, root)
	switch {
	case err != nil:
		return dst, false, err
	case v.Same(keepWhole):
		return append(dst, doc...), true, nil
	case v.Same(prune):
		return dst, false, nil
	case !v.Same(descendInto):
		return dst, false, mongoerr.New(17053, "$redact's expression should not return anything aside from the variables $$KEEP, $$DESCEND, and $$PRUNE, but returned %s", expression.Text(v))
	}
	dst, at := bsonraw.BeginDoc(dst)
	for it := doc.Iter(); it.Next(); {
		v := it.Value()
		if v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray {
			dst = append(dst, it.Elem()...)
			continue
		}
		before := len(dst)
		dst, keep, err = s.value(bsonraw.AppendHeader(dst, v.Type, it.Key()), ctx, root, v)
		if err != nil {
			return dst, false, err
		}
		if !keep {
			dst = dst[:before]
		}
	}
	return bsonraw.EndDoc(dst, at), true, nil
}

// value appends what remains of a document or array.
func (s *redact) value(dst []byte, ctx *expression.Context, root bsonraw.Doc, v bsonraw.Value) (out []byte, keep bool, err error) {
	if v.Type == bsonraw.TypeDocument {
		return s.document(dst, ctx, root, v.Doc())
	}
	array := bsonraw.BeginArray(dst)
	for it := v.Doc().Iter(); it.Next(); {
		item := it.Value()
		if item.Type == bsonraw.TypeDocument || item.Type == bsonraw.TypeArray {
			buf, keep, err := s.value(ctx.Scratch(), ctx, root, item)
			if keep {
				array.Append(bsonraw.Value{Type: item.Type, Data: buf})
			}
			ctx.Discard(buf)
			if err != nil {
				return array.End(), false, err
			}
			continue
		}
		array.Append(item)
	}
	return array.End(), true, nil
}
