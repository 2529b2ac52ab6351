package filter

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// parser turns a filter document into clauses.
type parser struct {
	// The tables are fields because what stands in them leads back to the parser.
	fields    map[string]fieldOperator
	documents map[string]documentOperator

	scope      *expression.Scope
	depth      int
	inner      bool // inside $elemMatch: the document at hand is an element, not the whole
	validator  bool
	upsert     bool
	schemaless bool // $jsonSchema is not allowed
	usesExpr   bool
	usesSchema bool

	// What most filters are made of takes its memory at once.
	filter Filter
	first  clause
	begun  bool // first is taken
}

// clause keeps a clause.
func (p *parser) clause(c clause) *clause {
	kept := &p.first
	if p.begun {
		kept = new(clause)
	}
	p.begun, *kept = true, c
	return kept
}

func newParser(opts Options) *parser {
	return &parser{fields: fieldOperators, documents: documentOperators, scope: opts.Scope, validator: opts.Validator, upsert: opts.Upsert}
}

func badValue(format string, args ...any) error {
	return mongoerr.New(mongoerr.BadValue, format, args...)
}

// enter counts a level of nesting; leave takes it back. What the wire lets through is shallower.
func (p *parser) enter() error {
	if p.depth++; p.depth > bsonraw.MaxMessageDepth {
		return mongoerr.New(mongoerr.Overflow, "filter is nested more than %d levels deep", bsonraw.MaxMessageDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// document reads a whole filter: fields with conditions, and operators that stand in no field.
func (p *parser) document(doc bsonraw.Doc) (*clause, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	all := make([]*clause, 0, usualConditions)
	for it := doc.Iter(); it.Next(); {
		c, err := p.element(nameOf(it.Key()), it.Value())
		if err != nil {
			return nil, err
		}
		switch {
		case c == nil:
		case c.op == opAnd && c.said.name == "":
			all = append(all, c.children...) // the operators on one field
		default:
			all = append(all, c)
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return conjunction(slices.Clone(all)), nil
}

// usualConditions is how many conditions a document has room for on the stack: most have one.
const usualConditions = 8

func (p *parser) element(name string, v bsonraw.Value) (*clause, error) {
	if !strings.HasPrefix(name, "$") {
		return p.field(pathOf(name), v)
	}
	if name == "$ref" || name == "$id" || name == "$db" {
		return p.plainEq(bsonraw.NewPath(name), v) // fields of a DBRef, which alone may begin with a dollar sign
	}
	if read, ok := p.documents[name]; ok {
		c, err := read(p, condition{name: name, arg: v})
		if c != nil {
			c.said = said{name: name, arg: v}
		}
		return c, err
	}
	if name == "$not" {
		return nil, badValue("unknown top level operator: $not. If you are trying to negate an entire expression, use $nor.")
	}
	return nil, badValue("unknown top level operator: %s. If you have a field name that starts with a '$' symbol, consider using $getField or $setField.", name)
}

// idPath is the path that filters have most.
var idPath = bsonraw.NewPath("_id")

func pathOf(name string) bsonraw.Path {
	if name == "_id" {
		return idPath
	}
	return bsonraw.NewPath(name)
}

func nameOf(key []byte) string {
	if string(key) == "_id" {
		return "_id"
	}
	return string(key)
}

// field reads what a filter asks of one field: operators, a regular expression or a value to equal.
func (p *parser) field(path bsonraw.Path, v bsonraw.Value) (*clause, error) {
	switch {
	case isOperators(v, false):
		return p.operators(path, v.Doc())
	case v.Type == bsonraw.TypeRegex:
		return p.regexValue(path, v)
	}
	return p.plainEq(path, v)
}

// plainEq reads a value that a field has to equal, without an operator.
func (p *parser) plainEq(path bsonraw.Path, v bsonraw.Value) (*clause, error) {
	c, err := p.compare(Eq, path, v)
	if err != nil {
		return nil, err
	}
	c.said = said{name: "$eq", arg: v, plain: true}
	return c, nil
}

// operators reads a document of operators on one field.
func (p *parser) operators(path bsonraw.Path, doc bsonraw.Doc) (*clause, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	all := make([]*clause, 0, usualConditions)
	for it := doc.Iter(); it.Next(); {
		name := string(it.Key())
		read, ok := p.fields[name]
		if !ok {
			return nil, badValue("unknown operator: %s", name)
		}
		c, err := read(p, condition{path: path, name: name, arg: it.Value(), all: doc})
		if err != nil {
			return nil, err
		}
		if c != nil {
			c.said = said{name: name, arg: it.Value(), all: doc}
			all = append(all, c)
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return conjunction(slices.Clone(all)), nil
}

// isOperators reports whether v is a document that holds operators: its first name begins with a dollar sign, and it is not a
// DBRef. Where partial is set, one field of a DBRef is enough to take it for one.
func isOperators(v bsonraw.Value, partial bool) bool {
	if v.Type != bsonraw.TypeDocument {
		return false
	}
	it := v.Doc().Iter()
	if !it.Next() || len(it.Key()) == 0 || it.Key()[0] != '$' {
		return false
	}
	var ref, id, db bool
	for it := v.Doc().Iter(); it.Next(); {
		switch string(it.Key()) {
		case "$ref":
			ref = true
		case "$id":
			id = true
		case "$db":
			db = true
		}
	}
	if partial {
		return !ref && !id && !db
	}
	return !ref || !id
}

// firstName returns the name of the first element of a document, "" for an empty one.
func firstName(doc bsonraw.Doc) string {
	if it := doc.Iter(); it.Next() {
		return string(it.Key())
	}
	return ""
}
