package schema

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// dependenciesRule is dependencies: what a document has to have, or be, that has a property.
type dependenciesRule []dependency

type dependency struct {
	property bsonraw.Path
	names    nameList // what else it has, or
	node     *node    // what it satisfies
}

func readDependencies(c *compiler, s *source, arg bsonraw.Value) (rule, error) {
	if arg.Type != bsonraw.TypeDocument {
		return nil, mismatch("$jsonSchema keyword 'dependencies' must be an object")
	}
	var x dependenciesRule
	for it := arg.Doc().Iter(); it.Next(); {
		name := string(it.Key())
		d := dependency{property: bsonraw.NewPath(name)}
		var err error
		switch it.Value().Type {
		case bsonraw.TypeDocument:
			d.node, err = c.schema(it.Value().Doc(), s.root)
		case bsonraw.TypeArray:
			d.names, err = dependentNames(name, it.Value().Doc())
		default:
			err = mismatch("property '%s' in $jsonSchema keyword 'dependencies' must be either an object or an array", name)
		}
		if err != nil {
			return nil, err
		}
		x = append(x, d)
	}
	return x, nil
}

func dependentNames(property string, array bsonraw.Doc) (nameList, error) {
	var names []string
	seen := map[string]bool{}
	for it := array.Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeString {
			return nameList{}, mismatch("array '%s' in $jsonSchema keyword 'dependencies' can only contain strings, but found element of type: %s",
				property, it.Value().Type.Name())
		}
		name := it.Value().Str()
		if seen[name] {
			return nameList{}, failed("array '%s' in $jsonSchema keyword 'dependencies' contains duplicate element: %s", property, name)
		}
		seen[name] = true
		names = append(names, name)
	}
	if names == nil {
		return nameList{}, failed("property '%s' in $jsonSchema keyword 'dependencies' cannot be an empty array", property)
	}
	return newNameList(names), nil
}

func (x dependenciesRule) holds(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeDocument {
		return true
	}
	for i := range x {
		if x[i].fails(v) {
			return false
		}
	}
	return true
}

func (d *dependency) fails(v bsonraw.Value) bool {
	if !leadsTo(d.property, v.Doc()) {
		return false
	}
	if d.node != nil {
		return !d.node.holds(v)
	}
	return !d.names.within(v.Doc())
}

func (x dependenciesRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "dependencies")
	r.Array("failingDependencies", func() {
		n := 0
		for i := range x {
			d := &x[i]
			if r.Full() || !d.fails(v) {
				continue
			}
			r.Item(n, func() {
				r.Text("conditionalProperty", d.property.String())
				if d.node != nil {
					d.node.reportDetails(r, v)
				} else {
					r.Texts("missingProperties", d.names.missing(v.Doc()))
				}
			})
			n++
		}
	})
}
