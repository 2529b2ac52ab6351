package differential

import (
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// other is a collection beside the one that a history is about; pipelines look into it.
const other = "o"

// view is one of the collection, in histories that have it.
const view = "v"

// creation makes the collection.
func (g *generator) creation() bson.D {
	create := bson.D{{Key: "create", Value: collection}}
	if g.collating && g.chance(2) {
		create = append(create, bson.E{Key: "collation", Value: g.collation()})
	}
	if g.validating {
		create = append(create, g.validation()...)
	}
	if !g.capped {
		return create
	}
	create = append(create, bson.E{Key: "capped", Value: true}, bson.E{Key: "size", Value: g.oneOf(512, 2048)})
	if g.chance(2) {
		create = append(create, bson.E{Key: "max", Value: 1 + g.random.IntN(5)})
	}
	return create
}

// validation draws a rule that documents must meet. It asks for little, or nothing could be written.
func (g *generator) validation() bson.D {
	d := doc("validator", g.oneOf(doc("$or", bson.A{g.filter(1), doc("_id", doc("$mod", bson.A{2, 0}))}), doc("$jsonSchema", g.schema(1))))
	if g.chance(3) {
		d = append(d, bson.E{Key: "validationLevel", Value: g.oneOf("strict", "moderate", "off")})
	}
	if g.chance(3) {
		d = append(d, bson.E{Key: "validationAction", Value: g.oneOf("error", "warn")})
	}
	return d
}

// viewing makes the view. It keeps _id, so that sorts by it are total.
func (g *generator) viewing() bson.D {
	pipeline := bson.A{g.oneOf(doc("$match", g.filter(1)), g.set(), doc("$project", doc(g.plainPath(), g.oneOf(0, 1))), doc("$unset", g.plainPath()))}
	if g.chance(2) {
		pipeline = append(pipeline, g.set())
	}
	return g.collated(bson.D{{Key: "create", Value: view}, {Key: "viewOn", Value: collection}, {Key: "pipeline", Value: pipeline}})
}

// others fills the other collection.
func (g *generator) others() bson.D {
	documents := bson.A{}
	for i := range int32(5) {
		documents = append(documents, append(doc("_id", i+1), g.object(2)...))
	}
	return bson.D{{Key: "insert", Value: other}, {Key: "documents", Value: documents}}
}

// indexes makes some, and remembers how hints name them.
func (g *generator) indexes() bson.D {
	list := bson.A{}
	g.hints = []any{"_id_", doc("$natural", 1), "none"}
	for i := range g.random.IntN(3) + 1 {
		index := g.index(fmt.Sprintf("i%d", i))
		list = append(list, index)
		g.hint(index)
		if !wildcard(index) {
			g.hints = append(g.hints, index[1].Value)
		}
	}
	return bson.D{{Key: "createIndexes", Value: collection}, {Key: "indexes", Value: list}}
}

// hint remembers an index for hints. Wildcards are none: whether such a hint is an error depends on what mongod's planner makes of each condition.
func (g *generator) hint(index bson.D) {
	key := index[0].Value.(bson.D)
	for _, e := range key {
		if e.Key != "$**" {
			g.paths = append(g.paths, strings.TrimSuffix(e.Key, ".$**"))
		}
	}
	g.hashed = g.hashed || key[0].Value == "hashed"
	if !wildcard(index) {
		g.hints = append(g.hints, key)
	}
}

func wildcard(index bson.D) bool { return strings.Contains(index[0].Value.(bson.D)[0].Key, "$") }

// index draws one. Those that are wildcards or hashed are few things else.
func (g *generator) index(name string) bson.D {
	switch g.random.IntN(8) {
	case 0:
		index := bson.D{{Key: "key", Value: doc(g.oneOf("$**", "a.$**", "b.$**").(string), 1)}, {Key: "name", Value: name}}
		if index[0].Value.(bson.D)[0].Key == "$**" && g.chance(2) {
			index = append(index, bson.E{Key: "wildcardProjection", Value: doc(g.plainPath(), g.oneOf(0, 1))})
		}
		return g.collated(index)
	case 1:
		return g.collated(bson.D{{Key: "key", Value: doc(g.plainPath(), "hashed")}, {Key: "name", Value: name}})
	}
	keys := doc(g.path(), g.oneOf(1, -1))
	for len(keys) < 3 && g.chance(2) {
		if path := g.path(); !has(keys, path) {
			keys = append(keys, bson.E{Key: path, Value: g.oneOf(1, -1)})
		}
	}
	index := bson.D{{Key: "key", Value: keys}, {Key: "name", Value: name}}
	if g.chance(4) {
		index = append(index, bson.E{Key: "unique", Value: true})
	}
	if g.chance(4) {
		index = append(index, bson.E{Key: "sparse", Value: true})
	} else if g.chance(4) {
		condition := doc(g.oneOf("$eq", "$gt", "$gte", "$lt", "$lte").(string), g.scalar())
		index = append(index, bson.E{Key: "partialFilterExpression", Value: doc(g.path(), g.oneOf(condition, doc("$exists", true), doc("$type", "number")))})
	}
	if g.chance(6) {
		index = append(index, bson.E{Key: "hidden", Value: true})
	}
	return g.collated(index)
}

// change changes the schema in the middle of a history.
func (g *generator) change() bson.D {
	if g.validating && g.chance(2) {
		return append(doc("collMod", collection), g.validation()...)
	}
	if !g.indexed {
		return bson.D{{Key: "listIndexes", Value: collection}}
	}
	switch name := g.oneOf("i0", "i1", "i9"); g.random.IntN(4) {
	case 0:
		return bson.D{{Key: "dropIndexes", Value: collection}, {Key: "index", Value: name}}
	case 1:
		return bson.D{{Key: "collMod", Value: collection}, {Key: "index", Value: bson.D{{Key: "name", Value: name}, {Key: "hidden", Value: g.chance(2)}}}}
	default:
		index := g.index(name.(string))
		if wildcard(index) { // whose name no hint may say
			index[1].Value = "w"
		}
		g.hint(index)
		return bson.D{{Key: "createIndexes", Value: collection}, {Key: "indexes", Value: bson.A{index}}}
	}
}
