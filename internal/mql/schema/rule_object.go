package schema

import (
	"errors"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/pattern"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// propertiesRule is properties.
type propertiesRule struct {
	list   []property // in the order of the schema
	groups []propertyGroup
	paths  []property // whose names have dots: MongoDB takes them for paths
}

type property struct {
	name string
	path bsonraw.Path
	node *node
}

// propertyGroup is properties that are found in one walk over a document.
type propertyGroup struct {
	names bsonraw.Names
	nodes []*node
}

func readProperties(c *compiler, s *source, arg bsonraw.Value) (rule, error) {
	if arg.Type != bsonraw.TypeDocument {
		return nil, mismatch("$jsonSchema keyword 'properties' must be an object")
	}
	x := &propertiesRule{}
	seen := map[string]bool{}
	var plain []property
	for it := arg.Doc().Iter(); it.Next(); {
		name := string(it.Key())
		if it.Value().Type != bsonraw.TypeDocument {
			return nil, mismatch("Nested schema for $jsonSchema property '%s' must be an object", name)
		}
		one, err := c.schema(it.Value().Doc(), false)
		if err != nil {
			return nil, err
		}
		p := property{name, bsonraw.NewPath(name), one}
		x.list = append(x.list, p)
		if strings.Contains(name, ".") || seen[name] {
			x.paths = append(x.paths, p)
		} else {
			plain = append(plain, p)
		}
		seen[name] = true
		s.names = append(s.names, name)
	}
	for group := range slices.Chunk(plain, bsonraw.MaxNames) {
		var names []string
		var g propertyGroup
		for _, p := range group {
			names = append(names, p.name)
			g.nodes = append(g.nodes, p.node)
		}
		g.names = bsonraw.NewNames(names)
		x.groups = append(x.groups, g)
	}
	return x, nil
}

func (x *propertiesRule) holds(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeDocument {
		return true
	}
	for i := range x.groups {
		g := &x.groups[i]
		if _, all := g.names.Visit(v.Doc(), func(i int, v bsonraw.Value) bool { return g.nodes[i].holds(v) }); !all {
			return false
		}
	}
	for _, p := range x.paths {
		if !p.failing(v.Doc()).IsMissing() {
			return false
		}
	}
	return true
}

// failing returns the first value of the property if none satisfies its schema.
func (p property) failing(doc bsonraw.Doc) bsonraw.Value {
	var first bsonraw.Value
	p.path.Walk(doc, bsonraw.LeafWhole, func(v bsonraw.Value, _ int) bool {
		if v.IsMissing() {
			return true
		}
		if p.node.holds(v) {
			first = bsonraw.Value{}
			return false
		}
		if first.IsMissing() {
			first = v
		}
		return true
	})
	return first
}

func (x *propertiesRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "properties")
	r.Array("propertiesNotSatisfied", func() {
		i := 0
		for _, p := range x.list {
			if r.Full() {
				return
			}
			failing := p.failing(v.Doc())
			if failing.IsMissing() {
				continue
			}
			r.Item(i, func() {
				r.Text("propertyName", p.name)
				p.node.reportAbout(r)
				p.node.reportDetails(r, failing)
			})
			i++
		}
	})
}

// namedRules are the schemas of patternProperties.
type namedRules []namedRule

type namedRule struct {
	text    string
	matcher pattern.Matcher
	node    *node
}

// readPatterns reads patternProperties, once: additionalProperties needs it too.
func (c *compiler) readPatterns(s *source) (namedRules, error) {
	arg, given := s.keywords["patternProperties"]
	if s.patterns != nil || !given {
		return s.patterns, nil
	}
	if arg.Type != bsonraw.TypeDocument {
		return nil, mismatch("$jsonSchema keyword 'patternProperties' must be an object")
	}
	list := namedRules{}
	for it := arg.Doc().Iter(); it.Next(); {
		text := string(it.Key())
		if it.Value().Type != bsonraw.TypeDocument {
			return nil, mismatch("$jsonSchema keyword 'patternProperties' has property '%s' which is not an object", text)
		}
		one, err := c.schema(it.Value().Doc(), false)
		if err != nil {
			return nil, err
		}
		matcher, err := pattern.Compile(text, "")
		if wrong, ok := errors.AsType[*pattern.SyntaxError](err); ok {
			return nil, badValue("Invalid regular expression: %s", wrong.What)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, namedRule{text, matcher, one})
	}
	s.patterns = list
	return list, nil
}

func readPatternProperties(c *compiler, s *source, _ bsonraw.Value) (rule, error) {
	list, err := c.readPatterns(s)
	return list, err
}

func (x namedRules) holds(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeDocument {
		return true
	}
	for it := v.Doc().Iter(); it.Next(); {
		for i := range x {
			if x[i].fails(it.Key(), it.Value()) {
				return false
			}
		}
	}
	return true
}

func (x *namedRule) fails(name []byte, v bsonraw.Value) bool {
	return x.matcher.Match(name) && !x.node.holds(v)
}

func (x namedRules) has(name []byte) bool {
	for i := range x {
		if x[i].matcher.Match(name) {
			return true
		}
	}
	return false
}

func (x namedRules) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "patternProperties")
	r.Array("details", func() {
		n := 0
		for it := v.Doc().Iter(); n == 0 && it.Next(); { // the first property that fails
			for i := range x {
				if r.Full() || !x[i].fails(it.Key(), it.Value()) {
					continue
				}
				r.Item(n, func() {
					r.Text("propertyName", string(it.Key()))
					x[i].node.reportAbout(r)
					r.Text("regexMatched", x[i].text)
					x[i].node.reportDetails(r, it.Value())
				})
				n++
			}
		}
	})
}

// additionalRule is additionalProperties: what properties and patternProperties do not name has a schema, or may not be.
type additionalRule struct {
	arg      bsonraw.Value
	names    map[string]struct{}
	patterns namedRules
	each     *node // nil: they may not be
}

func readAdditionalProperties(c *compiler, s *source, arg bsonraw.Value) (rule, error) {
	x := &additionalRule{arg: arg, names: map[string]struct{}{}}
	switch arg.Type {
	case bsonraw.TypeBool:
	case bsonraw.TypeDocument:
		var err error
		if x.each, err = c.schema(arg.Doc(), false); err != nil {
			return nil, err
		}
	default:
		return nil, mismatch("$jsonSchema keyword 'additionalProperties' must be an object or a boolean")
	}
	var err error
	if x.patterns, err = c.readPatterns(s); err != nil {
		return nil, err
	}
	if x.each == nil && arg.Bool() {
		return nil, nil
	}
	for _, name := range s.names {
		x.names[name] = struct{}{}
	}
	return x, nil
}

// isAdditional reports whether nothing else names a property.
func (x *additionalRule) isAdditional(name []byte) bool {
	if _, named := x.names[string(name)]; named {
		return false
	}
	return !x.patterns.has(name)
}

func (x *additionalRule) holds(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeDocument {
		return true
	}
	for it := v.Doc().Iter(); it.Next(); {
		if x.isAdditional(it.Key()) && (x.each == nil || !x.each.holds(it.Value())) {
			return false
		}
	}
	return true
}

func (x *additionalRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "additionalProperties")
	if x.each == nil {
		r.Specified(x.arg, "additionalProperties")
		var list []string
		for it := v.Doc().Iter(); it.Next(); {
			if x.isAdditional(it.Key()) {
				list = append(list, string(it.Key()))
			}
		}
		r.Texts("additionalProperties", list)
		return
	}
	for it := v.Doc().Iter(); it.Next(); {
		if x.isAdditional(it.Key()) && !x.each.holds(it.Value()) {
			x.each.reportAbout(r)
			r.Text("reason", "at least one additional property did not match the subschema")
			r.Text("failingProperty", string(it.Key()))
			x.each.reportDetails(r, it.Value())
			return
		}
	}
}

// requiredRule is required.
type requiredRule struct {
	arg   bsonraw.Value
	names nameList
}

func readRequired(_ *compiler, _ *source, arg bsonraw.Value) (rule, error) {
	if arg.Type != bsonraw.TypeArray {
		return nil, mismatch("$jsonSchema keyword 'required' must be an array, but found an element of type %s", arg.Type.Name())
	}
	var names []string
	seen := map[string]bool{}
	for it := arg.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeString {
			return nil, mismatch("$jsonSchema keyword 'required' must be an array of strings, but found an element of type: %s", it.Value().Type.Name())
		}
		name := it.Value().Str()
		if seen[name] {
			return nil, failed("$jsonSchema keyword 'required' array cannot contain duplicate values")
		}
		seen[name] = true
		names = append(names, name)
	}
	if names == nil {
		return nil, failed("$jsonSchema keyword 'required' cannot be an empty array")
	}
	slices.Sort(names) // as they are reported
	return &requiredRule{arg, newNameList(names)}, nil
}

func (x *requiredRule) holds(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeDocument || x.names.within(v.Doc())
}

func (x *requiredRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "required")
	r.Specified(x.arg, "required")
	r.Texts("missingProperties", x.names.missing(v.Doc()))
}

// propertyCountRule is minProperties or maxProperties.
type propertyCountRule struct {
	name string
	arg  bsonraw.Value
	bounds
}

func readPropertyCount(_ *compiler, s *source, arg bsonraw.Value) (rule, error) {
	b, err := s.readBounds(arg)
	return &propertyCountRule{s.keyword, arg, b}, err
}

func (x *propertyCountRule) holds(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeDocument || x.hold(v.Doc().Len())
}

func (x *propertyCountRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", x.name)
	r.Specified(x.arg, x.name)
	r.Text("reason", "specified number of properties was not satisfied")
	r.Number("numberOfProperties", v.Doc().Len())
}
