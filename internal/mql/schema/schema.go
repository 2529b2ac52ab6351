package schema

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// operatorName is how queries spell a schema.
const operatorName = "$jsonSchema"

// Schema is a compiled schema. It is immutable and may be used concurrently.
type Schema struct{ root *node }

// Compile reads the argument of $jsonSchema. The schema keeps references into it. Errors carry MongoDB's codes and texts.
func Compile(v bsonraw.Value) (*Schema, error) {
	if v.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(mongoerr.TypeMismatch, "$jsonSchema must be an object")
	}
	var c compiler
	root, err := c.schema(v.Doc(), true)
	if err != nil {
		return nil, err
	}
	return &Schema{root}, nil
}

// Match reports whether a document satisfies the schema.
func (s *Schema) Match(doc bsonraw.Doc) bool { return s.root.holds(doc.Value()) }

// Report writes why a document does not satisfy the schema or, if matched is set, that it does.
func (s *Schema) Report(r *violation.Report, doc bsonraw.Doc, matched bool) {
	switch {
	case matched:
		r.Text("operatorName", operatorName)
		r.Text("reason", "schema matched")
	case s.root.never:
		s.root.reportNever(r)
	default:
		r.Text("operatorName", operatorName)
		s.root.reportAbout(r)
		s.root.reportRules(r, "schemaRulesNotSatisfied", doc.Value())
	}
}

// rule is what one keyword asks of a value.
type rule interface {
	holds(v bsonraw.Value) bool
	// report writes the fields that tell why v fails.
	report(r *violation.Report, v bsonraw.Value)
}

// node is a schema within a schema, or the whole.
type node struct {
	rules              []rule
	spec               bsonraw.Doc
	title, description bsonraw.Value
	never              bool // it asks of the whole document to be something else
}

func (n *node) holds(v bsonraw.Value) bool {
	if n.never {
		return false
	}
	for _, one := range n.rules {
		if !one.holds(v) {
			return false
		}
	}
	return true
}

// reportAbout writes what the schema says about itself.
func (n *node) reportAbout(r *violation.Report) {
	if !n.title.IsMissing() {
		r.Text("title", n.title.Str())
	}
	if !n.description.IsMissing() {
		r.Text("description", n.description.Str())
	}
}

func (n *node) reportNever(r *violation.Report) {
	r.Text("operatorName", operatorName)
	r.Specified(n.spec.Value(), operatorName)
	r.Text("reason", "expression always evaluates to false")
}

// reportDetails writes why v fails as a field of its own.
func (n *node) reportDetails(r *violation.Report, v bsonraw.Value) {
	if n.never {
		r.Doc("details", func() { n.reportNever(r) })
		return
	}
	n.reportRules(r, "details", v)
}

// reportRules writes the rules that v fails.
func (n *node) reportRules(r *violation.Report, name string, v bsonraw.Value) {
	r.Array(name, func() {
		i := 0
		for _, one := range n.rules {
			if !r.Full() && !one.holds(v) {
				r.Item(i, func() { one.report(r, v) })
				i++
			}
		}
	})
}
