package filter

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/schema"
)

// parseSchema reads $jsonSchema, which takes the documents that satisfy a schema.
func parseSchema(p *parser, c condition) (*clause, error) {
	if p.schemaless {
		return nil, errSchemaNotAllowed
	}
	p.usesSchema = true
	s, err := schema.Compile(c.arg)
	if err != nil {
		return nil, err
	}
	return &clause{op: opSchema, value: c.arg, run: schemaNode{s}}, nil
}

type schemaNode struct{ schema *schema.Schema }

func (n schemaNode) match(_ *expression.Context, v bsonraw.Value) (bool, int, error) {
	return n.schema.Match(v.Doc()), noPosition, nil
}
