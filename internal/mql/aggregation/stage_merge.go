package aggregation

import (
	"context"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// Merge is $merge: each document that comes out of the pipeline is written into a collection, in a way that depends on whether
// one with the same values in certain fields is there.
type Merge struct {
	To             Namespace
	On             []string // the fields, as paths
	WhenMatched    string   // "replace", "keepExisting", "merge", "fail", or "pipeline" for Pipeline
	WhenNotMatched string   // "insert", "discard" or "fail"
	Pipeline       bsonraw.Doc
	Scope          *expression.Scope // what Pipeline may name besides the variables of each document

	env       Environment
	let       []letVariable
	variables bsonraw.Doc // of the let option; nil without
}

// letVariable is one of the variables that a stage sets for the pipeline that it runs.
type letVariable struct {
	variable
	value *expression.Expression
}

func compileMerge(c *compiler, name string, spec bsonraw.Value) (stage, error) {
	m := &Merge{To: Namespace{DB: c.opts.DB}, On: []string{"_id"}, WhenMatched: "merge", WhenNotMatched: "insert", Scope: c.scope, env: c.opts.Environment}
	onGiven := false
	switch spec.Type {
	case bsonraw.TypeString:
		if m.To.Coll = spec.Str(); m.To.Coll == "" {
			return nil, mongoerr.New(mongoerr.InvalidNamespace, "Invalid %s target namespace: '%s'", name, m.To)
		}
	case bsonraw.TypeDocument:
		var err error
		if onGiven, err = m.parse(name, spec.Doc()); err != nil {
			return nil, err
		}
	default:
		return nil, mongoerr.New(mongoerr.TypeMismatch, "%s requires a string or object argument, but found %s", name, spec.Type.Name())
	}
	if err := m.check(c, name); err != nil {
		return nil, err
	}
	if err := m.compileLet(c); err != nil {
		return nil, err
	}
	if onGiven && m.env != nil && !m.env.IsUnique(m.To, m.On, c.scope.Collation()) {
		return nil, mongoerr.New(51183, "Cannot find index to verify that join fields will be unique")
	}
	if c.opts.Transaction {
		return nil, errWritesInTransaction(name)
	}
	return m, nil
}

func (m *Merge) parse(name string, spec bsonraw.Doc) (onGiven bool, err error) {
	once := argument.NewOnce(name, spec)
	hasInto := false
	for it := spec.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return false, err
		}
		v := it.Value()
		switch string(it.Key()) {
		case "into":
			hasInto = true
			err = m.parseInto(name, v)
		case "on":
			onGiven = true
			err = m.parseOn(name, v)
		case "whenMatched":
			err = m.parseMatched(name, v)
		case "whenNotMatched":
			err = m.parseNotMatched(name, v)
		case "let":
			if v.Type == bsonraw.TypeNull {
				continue
			}
			if v.Type != bsonraw.TypeDocument {
				return false, errFieldType(name, it.Key(), v, "object")
			}
			m.variables = v.Doc()
		default:
			return false, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", name, it.Key())
		}
		if err != nil {
			return false, err
		}
	}
	if !hasInto {
		return false, mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.into' is missing but a required field", name)
	}
	return onGiven, nil
}

func (m *Merge) parseInto(name string, v bsonraw.Value) error {
	switch v.Type {
	case bsonraw.TypeString:
		if m.To.Coll = v.Str(); m.To.Coll == "" {
			return mongoerr.New(5786800, "%s 'into' field cannot be an empty string", name)
		}
		return nil
	case bsonraw.TypeDocument:
	default:
		return mongoerr.New(51178, "%s 'into' field  must be either a string or an object, but found %s", name, v.Type.Name())
	}
	once := argument.NewOnce("into", v.Doc())
	for it := v.Doc().Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		part := it.Value()
		if part.Type == bsonraw.TypeNull || part.Type == bsonraw.TypeUndefined {
			continue
		}
		if key := string(it.Key()); key != "db" && key != "coll" {
			return mongoerr.New(mongoerr.IDLUnknownField, "BSON field 'into.%s' is an unknown field.", key)
		}
		if part.Type != bsonraw.TypeString {
			return errFieldType("into", it.Key(), part, "string")
		}
		if string(it.Key()) == "db" {
			m.To.DB = part.Str()
		} else {
			m.To.Coll = part.Str()
		}
	}
	if m.To.Coll == "" {
		return mongoerr.New(5786801, "%s 'into' field must specify a 'coll' that is not empty, null or undefined", name)
	}
	return nil
}

func (m *Merge) parseOn(name string, v bsonraw.Value) error {
	switch v.Type {
	case bsonraw.TypeString:
		m.On = []string{v.Str()}
	case bsonraw.TypeArray:
		m.On = nil
		for it := v.Doc().Iter(); it.Next(); {
			if it.Value().Type != bsonraw.TypeString {
				return mongoerr.New(51134, "%s 'on' array elements must be strings, but found %s", name, it.Value().Type.Name())
			}
			field := it.Value().Str()
			if slices.Contains(m.On, field) {
				return mongoerr.New(31465, "Found a duplicate field '%s'", field)
			}
			m.On = append(m.On, field)
		}
		if m.On == nil {
			return mongoerr.New(51187, "If explicitly specifying %s 'on', must include at least one field", name)
		}
	default:
		return mongoerr.New(51186, "%s 'on' field  must be either a string or an array of strings, but found %s", name, v.Type.Name())
	}
	for _, field := range m.On {
		if _, err := expression.ParsePath(field); err != nil {
			return err
		}
	}
	return nil
}

func (m *Merge) parseMatched(name string, v bsonraw.Value) error {
	switch v.Type {
	case bsonraw.TypeArray:
		for it := v.Doc().Iter(); it.Next(); {
			stage, _, err := splitStage(it.Value())
			if err != nil {
				return err
			}
			if _, known := stages[stage]; !known {
				return mongoerr.New(40324, "Unrecognized pipeline stage name: '%s'", stage)
			}
		}
		m.WhenMatched, m.Pipeline = "pipeline", v.Doc()
		return nil
	case bsonraw.TypeString:
		m.WhenMatched = v.Str()
		if slices.Contains([]string{"replace", "keepExisting", "merge", "fail"}, m.WhenMatched) {
			return nil
		}
		return mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field 'whenMatched' is not a valid value.", m.WhenMatched)
	}
	return mongoerr.New(51191, "%s 'whenMatched' field  must be either a string or an array, but found %s", name, v.Type.Name())
}

func (m *Merge) parseNotMatched(name string, v bsonraw.Value) error {
	if v.Type != bsonraw.TypeString {
		return errFieldType(name, []byte("whenNotMatched"), v, "string")
	}
	m.WhenNotMatched = v.Str()
	if slices.Contains([]string{"insert", "discard", "fail"}, m.WhenNotMatched) {
		return nil
	}
	return mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field '%s.whenNotMatched' is not a valid value.", m.WhenNotMatched, name)
}

func (m *Merge) check(c *compiler, name string) error {
	switch {
	case m.variables != nil && m.WhenMatched != "pipeline":
		return mongoerr.New(51199, "Cannot use 'let' variables with 'whenMatched: %s' mode", m.WhenMatched)
	case (m.WhenMatched == "keepExisting" || m.WhenMatched == "fail") && m.WhenNotMatched != "insert":
		return mongoerr.New(51181, "Combination of %s modes 'whenMatched: %s' and 'whenNotMatched: %s' is not supported", name, m.WhenMatched, m.WhenNotMatched)
	case m.To.DB != c.opts.DB && internalDatabase(m.To.DB):
		return mongoerr.New(31320, "Cannot %s to internal database: %s", name, m.To.DB)
	case strings.HasPrefix(m.To.Coll, "system."):
		return mongoerr.New(31319, "Cannot %s to special collection: %s", name, m.To.Coll)
	}
	return checkTarget(m.To)
}

// compileLet compiles the variables of the let option. $$new is the document itself, with or without let.
func (m *Merge) compileLet(c *compiler) error {
	if m.WhenMatched != "pipeline" {
		return nil
	}
	for it := m.variables.Iter(); it.Next(); {
		name := string(it.Key())
		if name == "new" && it.Value().Str() != "$$ROOT" {
			return mongoerr.New(51273, "'let' may not define a value for the reserved 'new' variable other than '$$ROOT'")
		}
		v, err := c.letVariable(name, it.Value())
		if err != nil {
			return err
		}
		m.let = append(m.let, v)
	}
	return nil
}

// letVariable compiles a variable that a stage sets; its slot is the caller's to give.
func (c *compiler) letVariable(name string, value bsonraw.Value) (v letVariable, err error) {
	if err := expression.CheckUserVariable(name); err != nil {
		return v, err
	}
	v.name = name
	v.value, err = expression.Compile(value, c.scope)
	return v, err
}

func (m *Merge) name() string { return "$merge" }

// optimize leaves the variables as they are: MongoDB tells of errors in them only when there is a document.
func (m *Merge) optimize() error { return nil }

func (m *Merge) start(src Source, _ frame) Source {
	return &written{write: func(ctx context.Context) error { return m.env.Merge(ctx, m, &settled{src: src}) }}
}

// DocumentScope returns the scope for Pipeline with one document of the source, which must stay valid as long as it is used, as
// must ctx.
func (m *Merge) DocumentScope(ctx *expression.Context, doc bsonraw.Doc) (*expression.Scope, error) {
	scope := m.Scope.WithConstant("new", doc.Value())
	for _, v := range m.let {
		value, err := v.value.Eval(ctx, doc)
		if err != nil {
			return nil, err
		}
		scope = scope.WithConstant(v.name, value)
	}
	return scope, nil
}
