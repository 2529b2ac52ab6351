package filter

import (
	"cmp"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// Doc returns the filter as explain shows it: operators spelled out, conjuncts in MongoDB's order.
func (f *Filter) Doc() bsonraw.Doc { return f.Without(nil) }

// Without returns the filter as a document, less the conjuncts that predicates stand for. It is nil if nothing is left of them.
func (f *Filter) Without(covered []Predicate) bsonraw.Doc {
	list := []*clause{f.clause}
	if f.clause.op == opAnd {
		list = slices.DeleteFunc(slices.Clone(f.clause.children), func(c *clause) bool { return isCovered(c, covered) })
	} else if isCovered(f.clause, covered) {
		return nil
	}
	switch len(list) {
	case 0:
		return nil
	case 1:
		return document(list[0])
	}
	return document(conjunction(list))
}

func isCovered(c *clause, covered []Predicate) bool {
	if c.op == opAnd || c.op == opOr {
		return !slices.ContainsFunc(c.children, func(child *clause) bool { return !isCovered(child, covered) })
	}
	return slices.ContainsFunc(covered, func(p Predicate) bool { return p.clause == c })
}

// document renders a clause that stands by itself.
func document(c *clause) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(nil)
	switch c.op {
	case opTrue:
	case opAnd, opOr:
		dst = appendDocuments(dst, c.op.String(), c.children)
	case opNot:
		if inner := c.children[0]; inner.op == opOr || inner.path.Len() == 0 {
			dst = appendDocuments(dst, "$nor", joined(inner))
			break
		}
		dst = appendField(dst, c.children[0].path.String(), c)
	case opFalse:
		dst = bsonraw.AppendInt32(dst, "$alwaysFalse", 1)
	default:
		if c.path.Len() > 0 {
			dst = appendField(dst, c.path.String(), c)
		} else if !c.said.arg.IsMissing() {
			dst = bsonraw.AppendValue(dst, c.said.name, c.said.arg)
		}
	}
	return bsonraw.EndDoc(dst, at)
}

// joined returns the members of a disjunction, or the one condition that it is.
func joined(c *clause) []*clause {
	if c.op == opOr {
		return c.children
	}
	return []*clause{c}
}

func appendDocuments(dst []byte, name string, children []*clause) []byte {
	dst = bsonraw.AppendHeader(dst, bsonraw.TypeArray, name)
	list := bsonraw.BeginArray(dst)
	for _, child := range inOrder(children) {
		list.AppendDoc(document(child))
	}
	return list.End()
}

// inOrder sorts clauses as MongoDB does.
func inOrder(children []*clause) []*clause {
	return slices.SortedStableFunc(slices.Values(children), func(a, b *clause) int {
		return cmp.Or(cmp.Compare(a.op, b.op), cmp.Compare(a.path.String(), b.path.String()))
	})
}

func appendField(dst []byte, path string, c *clause) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, path)
	return bsonraw.EndDoc(c.appendOperators(dst), at)
}

// appendOperators appends what a clause asks of the field that it stands in.
func (c *clause) appendOperators(dst []byte) []byte {
	switch c.op {
	case opNot:
		dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "$not")
		return bsonraw.EndDoc(c.children[0].appendOperators(dst), at)
	case opAnd:
		for _, child := range inOrder(c.children) {
			dst = child.appendOperators(dst)
		}
		return dst
	case In:
		dst = bsonraw.AppendHeader(dst, bsonraw.TypeArray, "$in")
		list := bsonraw.BeginArray(dst)
		for _, v := range c.values {
			list.Append(v)
		}
		for _, p := range c.patterns {
			if x, ok := p.test.(regexTest); ok {
				list.Append(regexValueOf(x))
			}
		}
		return list.End()
	case Exists:
		return bsonraw.AppendBool(dst, "$exists", true)
	case opRegex:
		x, _ := c.test.(regexTest)
		if dst = bsonraw.AppendString(dst, "$regex", x.pattern); x.options != "" {
			dst = bsonraw.AppendString(dst, "$options", x.options)
		}
		return dst
	case opType:
		return appendTypes(dst, c.test)
	case opElemMatchObject:
		return bsonraw.AppendDoc(dst, "$elemMatch", document(c.children[0]))
	case opElemMatchValue:
		dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "$elemMatch")
		return bsonraw.EndDoc(c.children[0].appendOperators(dst), at)
	case Eq, Lt, Lte, Gt, Gte, opSize, opMod:
		return bsonraw.AppendValue(dst, c.op.String(), c.value)
	}
	if c.said.arg.IsMissing() {
		return dst
	}
	return bsonraw.AppendValue(dst, c.said.name, c.said.arg)
}

func appendTypes(dst []byte, t test) []byte {
	types, _ := t.(*typeTest)
	dst = bsonraw.AppendHeader(dst, bsonraw.TypeArray, "$type")
	list := bsonraw.BeginArray(dst)
	for _, one := range argument.EveryType {
		if types != nil && types.types.Has(one) {
			list.Append(bsonraw.Int32Value(int32(int8(one))))
		}
	}
	return list.End()
}
