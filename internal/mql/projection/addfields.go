package projection

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// addFields reads a specification of $addFields.
type addFields struct {
	spec  bsonraw.Doc
	scope *expression.Scope
	root  *node
}

func compileAddFields(spec bsonraw.Doc, scope *expression.Scope) (*Projection, error) {
	p := &addFields{spec: spec, scope: scope, root: &node{}}
	for it := spec.Iter(); it.Next(); {
		if err := p.field(string(it.Key()), it.Value(), spec); err != nil {
			return nil, err
		}
	}
	p.root.finish()
	return &Projection{root: p.root, keep: true}, nil
}

// field reads one field of the document parent. Path is the field's path from the top.
func (p *addFields) field(path string, v bsonraw.Value, parent bsonraw.Doc) error {
	fields, err := expression.ParsePath(path)
	if err != nil {
		return err
	}
	if v.Type == bsonraw.TypeDocument {
		nested, err := isNested(path, v.Doc(), parent)
		if err != nil {
			return err
		}
		if nested {
			return p.nested(path, v.Doc(), parent)
		}
	}
	e, err := expression.Compile(v, p.scope)
	if err != nil {
		return err
	}
	if other := p.root.conflict(fields); other != "" {
		return mongoerr.New(40176, "specification contains two conflicting paths. Cannot specify both '%s' and '%s': %s", path, other, p.spec.Shell())
	}
	return p.root.insert(fields, path, entry{action: compute, value: e})
}

// isNested reports whether a document holds more fields rather than an operator.
func isNested(path string, doc, parent bsonraw.Doc) (bool, error) {
	if doc.IsEmpty() {
		return false, mongoerr.New(40180, "an empty object is not a valid value. Found empty object at path %s", path)
	}
	for it := doc.Iter(); it.Next(); {
		if len(it.Key()) == 0 || it.Key()[0] != '$' {
			continue
		}
		if n := doc.Len(); n != 1 {
			return false, mongoerr.New(40181, "an expression specification must contain exactly one field, the name of the expression. Found %d fields in %s, while parsing object %s", n, doc.Shell(), parent.Shell())
		}
		return false, nil
	}
	return true, nil
}

func (p *addFields) nested(path string, doc, parent bsonraw.Doc) error {
	for it := doc.Iter(); it.Next(); {
		name := string(it.Key())
		if strings.Contains(name, ".") {
			return mongoerr.New(40183, "cannot use dotted field name '%s' in a sub object: %s", name, parent.Shell())
		}
		if err := p.field(path+"."+name, it.Value(), doc); err != nil {
			return err
		}
	}
	return nil
}

// conflict returns a path of n that lies on path or below it, or on which path lies; empty when there is none.
func (n *node) conflict(path []string) string {
	for i, name := range path {
		at := n.find([]byte(name), 0)
		if at < 0 {
			return ""
		}
		e := &n.entries[at]
		if e.action != descend {
			return strings.Join(path[:i+1], ".")
		}
		if i == len(path)-1 {
			return strings.Join(path, ".") + "." + e.child.firstLeaf()
		}
		n = e.child
	}
	return ""
}
