package filter

import "github.com/sluicestream/sluice/internal/bsonraw"

// ElemFilter is a compiled condition on one element of an array. It is immutable and may be used concurrently.
type ElemFilter struct {
	run  node
	docs docsOnly
}

// docsOnly says which elements an [ElemFilter] looks into at all.
type docsOnly uint8

const (
	anyElement       docsOnly = iota
	documentElements          // documents
	nestedElements            // documents, and arrays taken for documents with the names 0, 1, ..
)

// MatchValue reports whether the element satisfies the condition.
func (e *ElemFilter) MatchValue(v bsonraw.Value) (bool, error) {
	switch {
	case e.docs == documentElements && v.Type != bsonraw.TypeDocument:
		return false, nil
	case e.docs == nestedElements && v.Type != bsonraw.TypeDocument && v.Type != bsonraw.TypeArray:
		return false, nil
	}
	ok, _, err := e.run.match(nil, v)
	return ok, err
}

// CompileElemMatch reads the argument of $elemMatch, in a projection for example: operators are asked of the element as it is
// ({$gt: 5}), anything else of the element as a document ({qty: 5}).
func CompileElemMatch(v bsonraw.Value, opts Options) (*ElemFilter, error) {
	p := newParser(opts)
	p.schemaless = true
	c, err := parseElemMatch(p, condition{path: elementPath, name: "$elemMatch", arg: v})
	if err != nil {
		return nil, err
	}
	inner := simplify(c.children[0])
	if c.op == opElemMatchObject {
		return &ElemFilter{run: build(inner, atDocument), docs: nestedElements}, nil
	}
	return &ElemFilter{run: build(inner, atElement)}, nil
}

// CompileElem reads the argument of $pull. A document of operators ({$gt: 5}) or a regular expression is asked of the element
// as of a field's value, so that an element that is an array is searched; another document ({qty: 5}) is asked of elements
// that are documents; any other value must be equal to the element, and null to null alone.
func CompileElem(v bsonraw.Value, opts Options) (*ElemFilter, error) {
	p := newParser(opts)
	switch {
	case v.Type == bsonraw.TypeRegex || v.Type == bsonraw.TypeDocument && p.isFieldOperator(firstName(v.Doc())):
		c, err := p.condition(elementPath, v)
		if err != nil {
			return nil, err
		}
		return &ElemFilter{run: build(simplify(c), atField)}, nil
	case v.Type == bsonraw.TypeDocument:
		c, err := p.document(v.Doc())
		if err != nil {
			return nil, err
		}
		return &ElemFilter{run: build(simplify(c), atDocument), docs: documentElements}, nil
	}
	if by := p.scope.Collation(); by.Matters(v) {
		return &ElemFilter{run: testNode{newComparison(Eq, v, by)}}, nil
	}
	return &ElemFilter{run: testNode{equalTest{v: v, class: v.Type.Class()}}}, nil
}

// isFieldOperator reports whether $pull takes a document that begins with name for operators on the element. It does not know
// $not and $where so.
func (p *parser) isFieldOperator(name string) bool {
	return p.fields[name] != nil && name != "$not" && name != "$where"
}

// condition reads a regular expression or a document of operators.
func (p *parser) condition(path bsonraw.Path, v bsonraw.Value) (*clause, error) {
	if v.Type == bsonraw.TypeRegex {
		return p.regexValue(path, v)
	}
	return p.operators(path, v.Doc())
}

// elementPath stands for the element in conditions that have no path of their own.
var elementPath = bsonraw.NewPath("")
