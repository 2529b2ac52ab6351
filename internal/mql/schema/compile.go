package schema

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// keyword is a row of the table: how a keyword becomes a rule. It may make none.
type keyword struct {
	name string
	kind kind // of the values that it is about
	read func(c *compiler, s *source, arg bsonraw.Value) (rule, error)
}

// kind is the kind of values that a rule is about.
type kind uint8

const (
	anything kind = iota
	ofStrings
	ofNumbers
	ofArrays
	ofObjects
)

// stand-ins for the types of a kind.
var typeOfKind = [...]bsonraw.Type{
	ofStrings: bsonraw.TypeString, ofNumbers: bsonraw.TypeInt32, ofArrays: bsonraw.TypeArray, ofObjects: bsonraw.TypeDocument,
}

// keywords returns the table, in the order in which MongoDB reads and reports. Some keywords belong to another one's row:
// exclusiveMinimum to minimum, additionalItems to items. The types of a schema come last.
func keywords() []keyword {
	return []keyword{
		{"pattern", ofStrings, readPattern},
		{"maxLength", ofStrings, readLength},
		{"minLength", ofStrings, readLength},
		{"multipleOf", ofNumbers, readMultipleOf},
		{"maximum", ofNumbers, readBound},
		{"minimum", ofNumbers, readBound},
		{"minItems", ofArrays, readItemCount},
		{"maxItems", ofArrays, readItemCount},
		{"uniqueItems", ofArrays, readUniqueItems},
		{"items", ofArrays, readItems},
		{"additionalItems", ofArrays, readAdditionalItems},
		{"properties", ofObjects, readProperties},
		{"additionalProperties", ofObjects, readAdditionalProperties},
		{"patternProperties", ofObjects, readPatternProperties},
		{"required", ofObjects, readRequired},
		{"minProperties", ofObjects, readPropertyCount},
		{"maxProperties", ofObjects, readPropertyCount},
		{"dependencies", anything, readDependencies},
		{"allOf", anything, readCombination},
		{"anyOf", anything, readCombination},
		{"oneOf", anything, readCombination},
		{"not", anything, readNot},
		{"enum", anything, readEnum},
	}
}

// attendants are keywords without a row: they are read together with others.
var attendants = map[string]bool{
	"type": true, "bsonType": true, "exclusiveMaximum": true, "exclusiveMinimum": true, "title": true, "description": true,
	"encrypt": true, "encryptMetadata": true,
}

// refused are keywords of JSON Schema that MongoDB does not have.
var refused = map[string]bool{"$ref": true, "$schema": true, "default": true, "definitions": true, "format": true, "id": true}

// compiler holds what is known while a schema is read.
type compiler struct {
	table []keyword
	depth int
}

// source is a schema while it is read.
type source struct {
	doc      bsonraw.Doc
	keywords map[string]bsonraw.Value
	root     bool       // it is about the whole document
	keyword  string     // which is being read
	names    []string   // of properties
	patterns namedRules // of patternProperties
}

// schema reads a schema. root says that it is about the whole document.
func (c *compiler) schema(doc bsonraw.Doc, root bool) (*node, error) {
	if c.depth++; c.depth > bsonraw.MaxMessageDepth {
		return nil, mongoerr.New(mongoerr.Overflow, "$jsonSchema is nested more than %d levels deep", bsonraw.MaxMessageDepth)
	}
	defer func() { c.depth-- }()
	if c.table == nil {
		c.table = keywords()
	}
	s := source{doc: doc, root: root}
	if err := c.collect(&s); err != nil {
		return nil, err
	}
	n := &node{spec: doc}
	var err error
	if n.title, err = s.text("title"); err != nil {
		return nil, err
	}
	if n.description, err = s.text("description"); err != nil {
		return nil, err
	}
	types, err := s.types()
	if err != nil {
		return nil, err
	}
	if err := s.refuseEncryption(); err != nil {
		return nil, err
	}
	for _, k := range c.table {
		if err := c.rule(n, &s, k, types); err != nil {
			return nil, err
		}
	}
	switch {
	case types == nil:
	case !root:
		n.rules = append(n.rules, types)
	case !types.types.Has(bsonraw.TypeDocument):
		n.never = true
	}
	return n, nil
}

// collect gathers the keywords of a schema and refuses those that do not exist.
func (c *compiler) collect(s *source) error {
	s.keywords = map[string]bsonraw.Value{}
	for it := s.doc.Iter(); it.Next(); {
		name := string(it.Key())
		switch {
		case refused[name]:
			return failed("$jsonSchema keyword '%s' is not currently supported", name)
		case !c.knows(name):
			return failed("Unknown $jsonSchema keyword: %s", name)
		}
		if _, twice := s.keywords[name]; twice {
			return failed("Duplicate $jsonSchema keyword: %s", name)
		}
		s.keywords[name] = it.Value()
	}
	return nil
}

func (c *compiler) knows(name string) bool {
	for _, k := range c.table {
		if k.name == name {
			return true
		}
	}
	return attendants[name]
}

// rule reads one keyword, if it is there.
func (c *compiler) rule(n *node, s *source, k keyword, types *typeRule) error {
	arg, given := s.keywords[k.name]
	if !given {
		return s.lacks(k.name)
	}
	s.keyword = k.name
	one, err := k.read(c, s, arg)
	if err != nil || one == nil || !applies(s, k.kind, types) {
		return err
	}
	n.rules = append(n.rules, one)
	return nil
}

// applies reports whether a rule about a kind of values can fail a value that nothing else fails: the whole document is an
// object, and a value that may be of one type only fails by its type where it is of another.
func applies(s *source, k kind, types *typeRule) bool {
	switch {
	case k == anything:
		return true
	case s.root:
		return k == ofObjects
	}
	return types == nil || !types.single || types.types.Has(typeOfKind[k]) || k == ofNumbers && types.number
}

// lacks checks what must not stand without a keyword.
func (s *source) lacks(name string) error {
	bound := exclusiveOf[name]
	if _, given := s.keywords[bound]; bound != "" && given {
		return failed("$jsonSchema keyword '%s' must be a present if %s is present", name, bound)
	}
	return nil
}

// exclusiveOf is the keyword that belongs to a bound.
var exclusiveOf = map[string]string{"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}

// text reads a keyword that is but text.
func (s *source) text(name string) (bsonraw.Value, error) {
	v := s.keywords[name]
	if !v.IsMissing() && v.Type != bsonraw.TypeString {
		return v, mismatch("$jsonSchema keyword '%s' must be of type string", name)
	}
	return v, nil
}

// natural reads a number of things.
func (s *source) natural(v bsonraw.Value) (int64, error) {
	n, err := argument.Natural(s.keyword, v)
	if err != nil {
		return 0, failed("%s", err)
	}
	return n, nil
}

// refuseEncryption names what this server has not: the check that a client encrypted a value.
func (s *source) refuseEncryption() error {
	for _, name := range []string{"encrypt", "encryptMetadata"} {
		if _, given := s.keywords[name]; given {
			return mongoerr.New(mongoerr.CommandNotSupported,
				"$jsonSchema keyword '%s' is not supported: this server knows nothing of encryption by clients", name)
		}
	}
	return nil
}

func failed(format string, args ...any) error {
	return mongoerr.New(mongoerr.FailedToParse, format, args...)
}

func mismatch(format string, args ...any) error {
	return mongoerr.New(mongoerr.TypeMismatch, format, args...)
}

func badValue(format string, args ...any) error {
	return mongoerr.New(mongoerr.BadValue, format, args...)
}
