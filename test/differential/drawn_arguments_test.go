package differential

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// words differ in case, accents, digits and punctuation. Each is in internal/mql/collation/testdata/order.txt.
var words = []any{"a", "A", "\u00e1", "b", "B", "ab", "aB", "Ab", "a b", "a-b", "a1", "a10", "a2", "a02", "0", "00", "02", "10", "2"}

// collation draws one; half of them are the same, so that an index may have that of a command.
func (g *generator) collation() bson.D {
	if g.chance(2) {
		return bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 2}}
	}
	d := doc("locale", g.oneOf("en", "en", "de", "sv", "fr_CA", "tr", "simple"))
	if g.chance(2) {
		d = append(d, bson.E{Key: "strength", Value: g.oneOf(1, 2, 3)})
	}
	if g.chance(3) {
		d = append(d, bson.E{Key: "caseLevel", Value: true})
	}
	if g.chance(3) {
		d = append(d, bson.E{Key: "numericOrdering", Value: true})
	}
	return d
}

// collated gives a command or a statement a collation of its own, in some histories.
func (g *generator) collated(command bson.D) bson.D {
	if g.collating && g.chance(2) {
		command = append(command, bson.E{Key: "collation", Value: g.collation()})
	}
	return command
}

// variable stands for a value that a command defines.
const variable = "$$l"

// defined gives a command the variable, if it reads it.
func (g *generator) defined(command bson.D) bson.D {
	if strings.Contains(jsonOf(command), variable) {
		command = append(command, bson.E{Key: "let", Value: doc(variable[2:], doc("$literal", g.value(1)))})
	}
	return command
}

// hinted tells a command or a statement its index, in histories that have indexes.
func (g *generator) hinted(command bson.D) bson.D {
	if len(g.hints) > 0 && g.chance(6) && !(g.hashed && command[0].Key == "q") { // whose order decides which document is written to
		command = append(command, bson.E{Key: "hint", Value: g.oneOf(g.hints...)})
	}
	return command
}

// schema draws a $jsonSchema.
func (g *generator) schema(depth int) bson.D {
	d := bson.D{}
	for range g.random.IntN(2) + 1 {
		var one bson.E
		switch g.random.IntN(9) {
		case 0:
			one = bson.E{Key: "required", Value: bson.A{g.oneOf("a", "b", "c")}}
		case 1:
			one = bson.E{Key: "bsonType", Value: g.oneOf("object", "string", "number", "array", bson.A{"int", "null", "object"})}
		case 2:
			one = bson.E{Key: g.oneOf("minimum", "maximum").(string), Value: g.oneOf(1, 1.5, -1)}
		case 3:
			one = bson.E{Key: "enum", Value: bson.A{g.value(1), g.scalar(), g.oneOf(words...)}}
		case 4:
			one = bson.E{Key: g.oneOf("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength").(string), Value: g.random.IntN(3)}
		case 5:
			one = bson.E{Key: "uniqueItems", Value: true}
		case 6:
			one = bson.E{Key: "pattern", Value: g.oneOf("^a", "b")}
		default:
			if depth == 0 {
				continue
			}
			one = bson.E{Key: "properties", Value: doc(g.oneOf("a", "b", "c").(string), g.schema(depth-1))}
			switch g.random.IntN(6) {
			case 0:
				one = bson.E{Key: g.oneOf("anyOf", "allOf", "oneOf").(string), Value: bson.A{g.schema(depth - 1), g.schema(depth - 1)}}
			case 1:
				one = bson.E{Key: "not", Value: g.schema(depth - 1)}
			case 2:
				one = bson.E{Key: "items", Value: g.schema(depth - 1)}
			case 3:
				one = bson.E{Key: "additionalProperties", Value: g.schema(depth - 1)}
			}
		}
		if !has(d, one.Key) {
			d = append(d, one)
		}
	}
	return d
}
