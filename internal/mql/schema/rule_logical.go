package schema

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// combination is allOf, anyOf or oneOf.
type combination struct {
	name string
	list []*node
}

func readCombination(c *compiler, s *source, arg bsonraw.Value) (rule, error) {
	x := &combination{name: s.keyword}
	if arg.Type != bsonraw.TypeArray {
		return nil, mismatch("$jsonSchema keyword '%s' must be an array", x.name)
	}
	for it := arg.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			return nil, mismatch("$jsonSchema keyword '%s' must be an array of objects, but found an element of type %s", x.name, it.Value().Type.Name())
		}
		one, err := c.schema(it.Value().Doc(), s.root)
		if err != nil {
			return nil, err
		}
		x.list = append(x.list, one)
	}
	if x.list == nil {
		return nil, badValue("$jsonSchema keyword '%s' must be a non-empty array", x.name)
	}
	return x, nil
}

func (x *combination) holds(v bsonraw.Value) bool {
	matched := 0
	for _, n := range x.list {
		switch ok := n.holds(v); {
		case ok && x.name == "anyOf":
			return true
		case !ok && x.name == "allOf":
			return false
		case ok:
			matched++
		}
	}
	switch x.name {
	case "allOf":
		return true
	case "anyOf":
		return false
	}
	return matched == 1
}

func (x *combination) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", x.name)
	if x.name == "oneOf" && x.reportSeveral(r, v) {
		return
	}
	r.Array("schemasNotSatisfied", func() {
		failed := 0
		for i, n := range x.list {
			if r.Full() || n.holds(v) {
				continue
			}
			r.Item(failed, func() {
				r.Number("index", i)
				n.reportAbout(r)
				n.reportDetails(r, v)
			})
			failed++
		}
	})
}

// reportSeveral tells which schemas hold, if some do: then they are too many.
func (x *combination) reportSeveral(r *violation.Report, v bsonraw.Value) bool {
	var matched []int
	for i, n := range x.list {
		if n.holds(v) {
			matched = append(matched, i)
		}
	}
	if matched == nil {
		return false
	}
	r.Text("reason", "more than one subschema matched")
	r.Array("matchingSchemaIndexes", func() {
		for i, n := range matched {
			r.Number(strconv.Itoa(i), n)
		}
	})
	return true
}

// notRule is not.
type notRule struct{ node *node }

func readNot(c *compiler, s *source, arg bsonraw.Value) (rule, error) {
	if arg.Type != bsonraw.TypeDocument {
		return nil, mismatch("$jsonSchema keyword 'not' must be an object, but found an element of type %s", arg.Type.Name())
	}
	n, err := c.schema(arg.Doc(), s.root)
	return notRule{n}, err
}

func (x notRule) holds(v bsonraw.Value) bool { return !x.node.holds(v) }

func (x notRule) report(r *violation.Report, _ bsonraw.Value) {
	r.Text("operatorName", "not")
	r.Text("reason", "child expression matched")
}

// enumRule is enum.
type enumRule struct {
	arg    bsonraw.Value
	values valueSet
	never  bool // no document is among the values, and the rule is about a whole document
}

func readEnum(_ *compiler, s *source, arg bsonraw.Value) (rule, error) {
	if arg.Type != bsonraw.TypeArray {
		return nil, mismatch("$jsonSchema keyword 'enum' must be an array, but found an element of type %s", arg.Type.Name())
	}
	if arg.Doc().IsEmpty() {
		return nil, failed("$jsonSchema keyword 'enum' cannot be an empty array")
	}
	x := &enumRule{arg: arg, values: newValueSet(), never: s.root}
	for it := arg.Doc().Iter(); it.Next(); {
		if !x.values.add(it.Value()) {
			return nil, failed("$jsonSchema keyword 'enum' array cannot contain duplicate values.")
		}
		x.never = x.never && it.Value().Type != bsonraw.TypeDocument
	}
	return x, nil
}

func (x *enumRule) holds(v bsonraw.Value) bool { return !x.never && x.values.has(v) }

func (x *enumRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "enum")
	r.Specified(x.arg, "enum")
	if x.never {
		r.Text("reason", "expression always evaluates to false")
		return
	}
	r.Text("reason", "value was not found in enum")
	r.Value("consideredValue", v)
}
