package schema

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// typeRule is type or bsonType.
type typeRule struct {
	name   string
	arg    bsonraw.Value
	types  argument.Types
	single bool // one type, or all numbers
	number bool // that one is a number's
}

// jsonTypes are the types that type knows.
var jsonTypes = map[string]bsonraw.Type{
	"array": bsonraw.TypeArray, "boolean": bsonraw.TypeBool, "null": bsonraw.TypeNull, "object": bsonraw.TypeDocument, "string": bsonraw.TypeString,
}

// types reads type or bsonType; nil where there is neither.
func (s *source) types() (*typeRule, error) {
	name := "bsonType"
	arg, given := s.keywords[name]
	if other, both := s.keywords["type"]; both {
		if given {
			return nil, failed("Cannot specify both $jsonSchema keywords 'type' and 'bsonType'")
		}
		name, arg, given = "type", other, true
	}
	if !given {
		return nil, nil
	}
	x := &typeRule{name: name, arg: arg}
	names, err := typeNames(name, arg)
	if err != nil {
		return nil, err
	}
	for _, one := range names {
		if err := x.add(one); err != nil {
			return nil, err
		}
	}
	x.single = len(names) == 1
	for t := range x.types {
		x.number = x.number || x.types[t] && bsonraw.Type(t).IsNumber()
	}
	return x, nil
}

func typeNames(name string, arg bsonraw.Value) ([]string, error) {
	switch arg.Type {
	case bsonraw.TypeString:
		return []string{arg.Str()}, nil
	case bsonraw.TypeArray:
	default:
		return nil, mismatch("$jsonSchema keyword '%s' must be either a string or an array of strings", name)
	}
	var names []string
	seen := map[string]bool{}
	for it := arg.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeString {
			return nil, mismatch("$jsonSchema keyword '%s' array elements must be strings", name)
		}
		one := it.Value().Str()
		if seen[one] {
			return nil, failed("$jsonSchema keyword '%s' has duplicate value: %s", name, one)
		}
		seen[one] = true
		names = append(names, one)
	}
	if names == nil {
		return nil, failed("$jsonSchema keyword '%s' must name at least one type", name)
	}
	return names, nil
}

func (x *typeRule) add(name string) error {
	if name == "integer" {
		return failed("$jsonSchema type 'integer' is not currently supported.")
	}
	if x.name == "bsonType" {
		return x.types.AddName(name)
	}
	if t, known := jsonTypes[name]; known {
		x.types[t] = true
		return nil
	}
	if name == "number" {
		x.types.AddNumbers()
		return nil
	}
	return badValue("Unknown type name alias: %s", name)
}

func (x *typeRule) holds(v bsonraw.Value) bool { return x.types.Has(v.Type) }

func (x *typeRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", x.name)
	r.Specified(x.arg, x.name)
	r.Text("reason", "type did not match")
	r.Value("consideredValue", v)
	r.Text("consideredType", v.Type.Name())
}
