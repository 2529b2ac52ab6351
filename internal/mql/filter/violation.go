package filter

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// codeNoAnnotation is the code that stands in the place of details where MongoDB has nothing to say about an operator.
const codeNoAnnotation mongoerr.Code = 4994600

// AppendViolation appends the fields that tell why a document, which the filter does not take, fails it as a validator: details
// with each condition that it fails and the values that were considered. Values are left out where they are too long, and the
// details where even the rest is. ctx is as for MatchWith.
func (f *Filter) AppendViolation(dst []byte, ctx *expression.Context, doc bsonraw.Doc) []byte {
	x := explainer{doc: doc, ctx: ctx}
	write := func(r *violation.Report) {
		x.r = r
		x.explain(f.parsed, false)
	}
	if silent := unexplained(f.parsed); silent != nil {
		dst = bsonraw.AppendString(dst, "note", "failed to generate document validation error")
		text := mongoerr.New(codeNoAnnotation, "Cannot generate validation error details: no annotation found for expression { %s: %s }",
			silent.said.name, silent.said.arg.Shell())
		write = func(r *violation.Report) { reportError(r, text) }
	}
	details, truncated := violation.Details(write)
	if truncated {
		dst = bsonraw.AppendBool(dst, "truncated", true)
	}
	if details != nil {
		dst = bsonraw.AppendDoc(dst, "details", details)
	}
	return dst
}

// unexplained finds a clause that has nothing to tell.
func unexplained(c *clause) *clause {
	if c.said.name == "$alwaysTrue" || c.said.name == "$alwaysFalse" {
		return c
	}
	for _, child := range c.children {
		if silent := unexplained(child); silent != nil {
			return silent
		}
	}
	return nil
}

// explainer writes why a document fails conditions. What it is told of a condition depends on what was hoped of it: within $nor
// and $not it fails by being satisfied, which is called turned here.
type explainer struct {
	r   *violation.Report
	doc bsonraw.Doc
	ctx *expression.Context
}

// fails reports whether the document does what it should not.
func (x *explainer) fails(c *clause, turned bool) bool {
	ok, _, err := build(simplify(c), atDocument).match(x.ctx, x.doc.Value())
	return (ok && err == nil) == turned
}

func (x *explainer) explain(c *clause, turned bool) {
	switch {
	case c.said.name == "$not":
		x.r.Text("operatorName", "$not")
		x.r.Doc("details", func() { x.explain(c.children[0], !turned) })
	case c.op == opExpr:
		x.explainExpr(c, turned)
	case c.op == opSchema:
		n, _ := c.run.(schemaNode)
		n.schema.Report(x.r, x.doc, turned)
	case c.said.name == "$sampleRate":
		x.r.Text("operatorName", c.said.name)
		x.r.Specified(c.said.arg, c.said.name)
		x.r.Text("reason", "expression did not match")
		x.r.Value("expressionResult", bsonraw.BoolValue(turned))
	case len(c.children) == 0 && (c.op == opTrue || c.op == opAnd): // an empty document
		x.r.Text("operatorName", "$and")
		x.r.Array("clausesSatisfied", func() {})
	case c.path.Len() > 0 || len(c.children) == 0:
		x.explainField(c, turned)
	default:
		x.explainList(c, turned)
	}
}

// explainList writes which members of $and, $or or $nor do what they should not.
func (x *explainer) explainList(c *clause, turned bool) {
	name := c.op.String()
	if c.op == opNor {
		turned = !turned
	}
	x.r.Text("operatorName", name)
	list := "clausesNotSatisfied"
	if turned {
		list = "clausesSatisfied"
	}
	x.r.Array(list, func() {
		n := 0
		for i, child := range c.children {
			if x.r.Full() || !x.fails(child, turned) {
				continue
			}
			x.r.Item(n, func() {
				x.r.Number("index", i)
				x.r.Doc("details", func() { x.explain(child, turned) })
			})
			n++
		}
	})
}

func (x *explainer) explainExpr(c *clause, turned bool) {
	x.r.Text("operatorName", "$expr")
	x.r.Specified(c.said.arg, "$expr")
	n, _ := c.run.(*exprNode)
	result, err := n.expression.Eval(x.ctx, x.doc)
	switch {
	case err != nil:
		x.r.Text("reason", "failed to evaluate aggregation expression")
		x.r.Doc("details", func() { reportError(x.r, mongoerr.From(err)) })
		return
	case turned:
		x.r.Text("reason", "expression did match")
	default:
		x.r.Text("reason", "expression did not match")
	}
	x.r.Value("expressionResult", result)
}

func reportError(r *violation.Report, err *mongoerr.Error) {
	r.Number("code", int(err.Code))
	r.Text("codeName", err.Code.Name())
	r.Text("errmsg", err.Msg)
}

// explainField writes why the values of a field fail a condition.
func (x *explainer) explainField(c *clause, turned bool) {
	w, known := wordings[c.said.name]
	if !known {
		w = wordings["$eq"]
	}
	x.r.Text("operatorName", c.said.name)
	x.specified(c)
	if c.said.name == "$all" && c.said.arg.Doc().IsEmpty() {
		x.r.Text("reason", "expression always evaluates to false")
		return
	}
	satisfied := turned != w.negative
	if c.said.name == "$exists" && !c.said.arg.Truthy() {
		satisfied = !satisfied
	}
	seen := x.consider(c, w)
	switch {
	case w.positionless:
		x.r.Text("reason", w.reason(satisfied))
		return
	case !seen.any:
		x.r.Text("reason", "field was missing")
		return
	case !satisfied && !seen.has(w.types):
		x.r.Text("reason", "type did not match")
		seen.reportTypes(x.r)
		if len(w.types) == 1 {
			x.r.Text("expectedType", w.types[0])
		} else {
			x.r.Texts("expectedTypes", w.types)
		}
	default:
		x.r.Text("reason", w.reason(satisfied))
	}
	seen.reportValues(x.r)
	if c.said.name == "$type" {
		seen.reportTypes(x.r)
	}
}

// specified writes the condition as the filter has it.
func (x *explainer) specified(c *clause) {
	switch {
	case c.said.plain:
		x.r.Specified(c.said.arg, c.path.String())
	case c.said.name == "$regex":
		x.r.Specified(c.said.all.Value(), c.path.String()) // with its $options, and whatever stands beside it
	default:
		x.r.Specified(c.said.arg, c.path.String(), c.said.name)
	}
}

// wording is what is said about an operator.
type wording struct {
	failed, succeeded string
	negative          bool     // it asks for the contrary
	types             []string // of the values that it is about; nil: all
	whole             bool     // it is about arrays, not their elements
	positionless      bool     // it is not about values at all
}

func (w wording) reason(succeeded bool) string {
	if succeeded {
		return w.succeeded
	}
	return w.failed
}

var (
	numberTypes = []string{"decimal", "double", "int", "long"}
	bitTypes    = []string{"binData", "decimal", "double", "int", "long"}
	textTypes   = []string{"regex", "string", "symbol"}
	arrayType   = []string{"array"}

	comparing = wording{failed: "comparison failed", succeeded: "comparison succeeded"}
	bitwise   = wording{failed: "bitwise operator failed to match", succeeded: "bitwise operator matched successfully", types: bitTypes}
)

// wordings is what is said, by operator.
var wordings = map[string]wording{
	"$eq": comparing, "$gt": comparing, "$gte": comparing, "$lt": comparing, "$lte": comparing,
	"$ne":  {failed: comparing.failed, succeeded: comparing.succeeded, negative: true},
	"$in":  {failed: "no matching value found in array", succeeded: "matching value found in array"},
	"$nin": {failed: "no matching value found in array", succeeded: "matching value found in array", negative: true},

	"$exists": {failed: "path does not exist", succeeded: "path does exist", positionless: true},
	"$type":   {failed: "type did not match", succeeded: "type did match"},
	"$mod":    {failed: "$mod did not evaluate to expected remainder", succeeded: "$mod did evaluate to expected remainder", types: numberTypes},
	"$regex":  {failed: "regular expression did not match", succeeded: "regular expression did match", types: textTypes},

	"$size": {failed: "array length was not equal to given size", succeeded: "array length was equal to given size", types: arrayType, whole: true},
	"$all":  {failed: "array did not contain all specified values", succeeded: "array did contain all specified values", whole: true},
	"$elemMatch": {
		failed: "array did not satisfy the child predicate", succeeded: "array did satisfy the child predicate", types: arrayType, whole: true,
	},

	"$bitsAllSet": bitwise, "$bitsAllClear": bitwise, "$bitsAnySet": bitwise, "$bitsAnyClear": bitwise,
}

// maxConsidered is how many values of a field are shown.
const maxConsidered = 10

// considered is the values of a field that a condition was about.
type considered struct {
	values []bsonraw.Value
	more   bool // there are further ones
	any    bool // the field is there, if with an empty array
	types  map[string]bool
}

// consider gathers the values of a field: whole arrays, or their elements. As MongoDB does, it looks no further than the first element of an
// array on the way that lacks the field.
func (x *explainer) consider(c *clause, w wording) considered {
	seen := considered{types: map[string]bool{}}
	c.path.Walk(x.doc, bsonraw.LeafWhole, func(v bsonraw.Value, _ int) bool {
		seen.any = !v.IsMissing()
		return false
	})
	leaf := bsonraw.LeafElements
	if w.whole {
		leaf = bsonraw.LeafWhole
	}
	c.path.Walk(x.doc, leaf, func(v bsonraw.Value, _ int) bool {
		if v.IsMissing() {
			return false
		}
		seen.types[v.Type.Name()] = true
		if seen.more = len(seen.values) == maxConsidered; !seen.more {
			seen.values = append(seen.values, v)
		}
		return true
	})
	return seen
}

// has reports whether some value has one of the types.
func (s considered) has(types []string) bool {
	if types == nil {
		return true
	}
	for _, t := range types {
		if s.types[t] {
			return true
		}
	}
	return false
}

func (s considered) reportValues(r *violation.Report) {
	if len(s.values) == 1 && !s.more {
		r.Value("consideredValue", s.values[0])
		return
	}
	r.Values("consideredValues", s.values)
	if s.more {
		r.Flag("consideredValuesTruncated")
	}
}

// reportTypes writes the types of the values that are shown.
func (s considered) reportTypes(r *violation.Report) {
	var names []string
	for _, v := range s.values {
		if name := v.Type.Name(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	switch len(names) {
	case 0:
	case 1:
		r.Text("consideredType", names[0])
	default:
		r.Texts("consideredTypes", names)
	}
}
