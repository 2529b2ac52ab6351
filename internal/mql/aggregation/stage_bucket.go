package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/ordering"
)

// compileSortByCount makes {$group: {_id: spec, count: {$sum: 1}}}, {$sort: {count: -1}}.
func compileSortByCount(c *compiler, spec bsonraw.Value) ([]stage, error) {
	switch spec.Type {
	case bsonraw.TypeString:
		if text := spec.Bytes(); len(text) == 0 || text[0] != '$' {
			return nil, mongoerr.New(40148, "the sortByCount field must be defined as a $-prefixed path or an expression inside an object")
		}
	case bsonraw.TypeDocument:
		if !isOperator(spec) {
			return nil, mongoerr.New(40147, "the sortByCount field must be defined as a $-prefixed path or an expression inside an object")
		}
	default:
		return nil, mongoerr.New(40149, "the sortByCount field must be specified as a string or as an object")
	}
	return groupAndSort(c, spec, countOutput, "count", -1)
}

// isOperator reports whether v has the form of an operator's document.
func isOperator(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeDocument {
		return false
	}
	name := firstKey(v.Doc())
	return name != "" && name[0] == '$'
}

// countOutput is {count: {$sum: 1}}.
var countOutput = func() bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	out, sum := bsonraw.BeginElem(out, bsonraw.TypeDocument, "count")
	out = bsonraw.EndDoc(bsonraw.AppendInt32(out, "$sum", 1), sum)
	return bsonraw.EndDoc(out, at)
}()

// groupAndSort makes a $group by an expression with fields, and a $sort by one field.
func groupAndSort(c *compiler, id bsonraw.Value, fields bsonraw.Doc, by string, direction int32) ([]stage, error) {
	spec, at := bsonraw.BeginDoc(nil)
	spec = bsonraw.AppendValue(spec, "_id", id)
	for it := fields.Iter(); it.Next(); {
		spec = append(spec, it.Elem()...)
	}
	grouped, err := compileGroup(c, "$group", bsonraw.Doc(bsonraw.EndDoc(spec, at)).Value())
	if err != nil {
		return nil, err
	}
	order, at := bsonraw.BeginDoc(nil)
	o, err := ordering.Compile(bsonraw.EndDoc(bsonraw.AppendInt32(order, by, direction), at), c.scope.Collation())
	return []stage{grouped, &sortStage{ordering: o}}, err
}

// bucketSpec is what $bucket is asked for.
type bucketSpec struct {
	groupBy    bsonraw.Value
	boundaries []bsonraw.Value
	otherwise  bsonraw.Value // missing: documents outside of all buckets are an error
	output     bsonraw.Doc
}

// compileBucket makes a $group by a $switch over the boundaries, and a $sort.
func compileBucket(c *compiler, spec bsonraw.Value) ([]stage, error) {
	if spec.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40201, "Argument to $bucket stage must be an object, but found type: %s.", spec.Type.Name())
	}
	b := bucketSpec{output: countOutput}
	for it := spec.Doc().Iter(); it.Next(); {
		if err := b.parse(c, string(it.Key()), it.Value()); err != nil {
			return nil, err
		}
	}
	if b.groupBy.IsMissing() || b.boundaries == nil {
		return nil, mongoerr.New(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.")
	}
	low, high := b.boundaries[0], b.boundaries[len(b.boundaries)-1]
	by := c.scope.Collation()
	if !b.otherwise.IsMissing() && by.Compare(b.otherwise, low) >= 0 && by.Compare(b.otherwise, high) < 0 {
		return nil, mongoerr.New(40199,
			"The $bucket 'default' field must be less than the lowest boundary or greater than or equal to the highest boundary.")
	}
	return groupAndSort(c, b.expression(), b.output, "_id", 1)
}

func (b *bucketSpec) parse(c *compiler, name string, v bsonraw.Value) (err error) {
	switch name {
	case "groupBy":
		text := v.Bytes()
		isPath := v.Type == bsonraw.TypeString && len(text) > 0 && text[0] == '$'
		if !isPath && !isOperator(v) {
			return mongoerr.New(40202, "The $bucket 'groupBy' field must be defined as a $-prefixed path or an expression, but found: %s.", v.Shell())
		}
		b.groupBy = v
		return nil
	case "boundaries":
		if v.Type != bsonraw.TypeArray {
			return mongoerr.New(40200, "The $bucket 'boundaries' field must be an array, but found type: %s.", v.Type.Name())
		}
		return b.parseBoundaries(c, v.Doc())
	case "default":
		var ok bool
		if b.otherwise, ok, err = constantOf(c, v); err == nil && !ok {
			return mongoerr.New(40195, "The $bucket 'default' field must be a constant expression, but found: %s.", v.Shell())
		}
		return err
	case "output":
		if v.Type != bsonraw.TypeDocument {
			return mongoerr.New(40196, "The $bucket 'output' field must be an object, but found type: %s.", v.Type.Name())
		}
		b.output = v.Doc()
		return nil
	}
	return mongoerr.New(40197, "Unrecognized option to $bucket: %s.", name)
}

func (b *bucketSpec) parseBoundaries(c *compiler, list bsonraw.Doc) error {
	b.boundaries = []bsonraw.Value{}
	for it := list.Iter(); it.Next(); {
		v, ok, err := constantOf(c, it.Value())
		if err != nil {
			return err
		}
		if !ok {
			return mongoerr.New(40191, "The $bucket 'boundaries' field must be an array of constant values, but found value: %s.", it.Value().Shell())
		}
		b.boundaries = append(b.boundaries, v)
	}
	if n := len(b.boundaries); n < 2 {
		return mongoerr.New(40192, "The $bucket 'boundaries' field must have at least 2 values, but found %d value(s).", n)
	}
	for i, v := range b.boundaries[1:] {
		before := b.boundaries[i]
		if before.Type.Class() != v.Type.Class() {
			return mongoerr.New(40193, "All values in the the 'boundaries' option to $bucket must have the same type. Found conflicting types %s and %s.", //nolint:dupword // as MongoDB says it

				before.Type.Name(), v.Type.Name())
		}
		if c.scope.Collation().Compare(before, v) >= 0 {
			return mongoerr.New(40194, "The 'boundaries' option to $bucket must be sorted, but elements %d and %d are not in ascending order (%s is not less than %s).",
				i, i+1, expression.Text(before), expression.Text(v))
		}
	}
	return nil
}

// constantOf evaluates an expression that no document changes; ok is false for others.
func constantOf(c *compiler, v bsonraw.Value) (constant bsonraw.Value, ok bool, err error) {
	e, err := expression.Compile(v, c.scope)
	if err != nil {
		return constant, false, err
	}
	if err := e.Optimize(); err != nil {
		return constant, false, err
	}
	constant, ok = e.Constant()
	return constant, ok, nil
}

// expression makes {$switch: {branches: [{case: {$and: [{$gte: [groupBy, low]}, {$lt: [groupBy, high]}]}, then: low}, ..], default}}.
func (b *bucketSpec) expression() bsonraw.Value {
	out, at := bsonraw.BeginDoc(nil)
	out, inner := bsonraw.BeginElem(out, bsonraw.TypeDocument, "$switch")
	branches := bsonraw.BeginArray(bsonraw.AppendHeader(out, bsonraw.TypeArray, "branches"))
	for i, low := range b.boundaries[:len(b.boundaries)-1] {
		branch, start := branches.Begin(bsonraw.TypeDocument)
		branch, condition := bsonraw.BeginElem(branch, bsonraw.TypeDocument, "case")
		both := bsonraw.BeginArray(bsonraw.AppendHeader(branch, bsonraw.TypeArray, "$and"))
		both.AppendDoc(b.comparison("$gte", low))
		both.AppendDoc(b.comparison("$lt", b.boundaries[i+1]))
		branch = bsonraw.EndDoc(both.End(), condition)
		branch = appendLiteral(branch, "then", low)
		branches.Resume(bsonraw.EndDoc(branch, start))
	}
	out = branches.End()
	if !b.otherwise.IsMissing() {
		out = appendLiteral(out, "default", b.otherwise)
	}
	return bsonraw.Doc(bsonraw.EndDoc(bsonraw.EndDoc(out, inner), at)).Value()
}

func (b *bucketSpec) comparison(operator string, with bsonraw.Value) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	operands := bsonraw.BeginArray(bsonraw.AppendHeader(out, bsonraw.TypeArray, operator))
	operands.Append(b.groupBy)
	literal, start := operands.Begin(bsonraw.TypeDocument)
	operands.Resume(bsonraw.EndDoc(bsonraw.AppendValue(literal, "$literal", with), start))
	return bsonraw.EndDoc(operands.End(), at)
}

func appendLiteral(dst []byte, key string, v bsonraw.Value) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, key)
	return bsonraw.EndDoc(bsonraw.AppendValue(dst, "$literal", v), at)
}
