package differential

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

func (g *generator) insert(least int) bson.D {
	documents := bson.A{}
	for range least + g.random.IntN(3) {
		id := g.newID()
		if len(documents) > 0 && g.chance(4) {
			id = g.number(g.nextID - 1) // taken by the document before, within the command
		}
		object := g.object(3)
		for _, e := range object {
			g.hold(e.Key, e.Value)
		}
		documents = append(documents, append(doc("_id", id), object...))
	}
	command := bson.D{{Key: "insert", Value: collection}, {Key: "documents", Value: documents}}
	if g.chance(3) {
		command = append(command, bson.E{Key: "ordered", Value: false})
	}
	return g.bypassing(command)
}

// bypassing lets a write pass the validator, sometimes.
func (g *generator) bypassing(command bson.D) bson.D {
	if g.validating && g.chance(4) {
		command = append(command, bson.E{Key: "bypassDocumentValidation", Value: true})
	}
	return command
}

// target is a filter that, if single is set, does not leave it to the server which document it takes.
func (g *generator) target(single bool) bson.D {
	filter := g.filter(2)
	if g.chance(2) {
		filter = bson.D{}
	}
	if id := doc("_id", g.id()); !has(filter, "_id") && ((single && g.indexed) || g.chance(2)) {
		filter = append(id, filter...)
	}
	return filter
}

// statements draws one or more, of which the later ones may not be reached.
func (g *generator) statements(command, name string, one func() bson.D) bson.D {
	list := bson.A{one()}
	for len(list) < 4 && g.chance(3) {
		list = append(list, one())
	}
	d := bson.D{{Key: command, Value: collection}, {Key: name, Value: list}}
	if len(list) > 1 && g.chance(2) {
		d = append(d, bson.E{Key: "ordered", Value: false})
	}
	return g.defined(d)
}

func (g *generator) update() bson.D {
	return g.bypassing(g.statements("update", "updates", g.updateStatement))
}

func (g *generator) updateStatement() bson.D {
	// A multi-update that fails in the middle depends on the order, which an index may change.
	multi := !g.indexed && g.chance(3)
	statement := bson.D{{Key: "q", Value: g.target(!multi)}, {Key: "u", Value: g.modification(!multi)}}
	switch {
	case multi:
		statement = append(statement, bson.E{Key: "multi", Value: true})
	case g.chance(5):
		statement[0].Value = g.upsertTarget()
		statement = append(statement, bson.E{Key: "upsert", Value: true})
	}
	statement[1].Value = positioned(statement[0].Value, statement[1].Value)
	return g.hinted(g.collated(g.arrayFiltered(statement, statement[1].Value)))
}

// positioned takes another update in the place of one with a positional operator, where a schema has a say in which element matches.
func positioned(query, u any) any {
	if text := jsonOf(u); (strings.Contains(text, `.$.`) || strings.Contains(text, `.$"`)) && strings.Contains(jsonOf(query), "$jsonSchema") {
		return doc("$set", doc("a", 1))
	}
	return u
}

// arrayFiltered gives what the operators of an update ask for.
func (g *generator) arrayFiltered(statement bson.D, u any) bson.D {
	if operators, is := u.(bson.D); is && strings.Contains(jsonOf(operators), "$[x]") {
		statement = append(statement, bson.E{Key: "arrayFilters", Value: bson.A{g.arrayFilter()}})
	}
	return statement
}

func (g *generator) arrayFilter() bson.D {
	condition := g.predicate("x", 1)
	if strings.Contains(jsonOf(condition), `"$all":[]`) { // which mongod refuses here: it has no field left
		condition = 1
	}
	if g.chance(2) {
		return doc("x."+g.path(), condition)
	}
	return doc("x", condition)
}

// upsertTarget names a new _id, so that no server has to make one, in each of the forms from which a new document has its fields.
func (g *generator) upsertTarget() bson.D {
	id := g.newID()
	filter := doc("_id", g.oneOf(id, id, doc("$eq", id), doc("$in", bson.A{id})))
	if g.chance(2) {
		filter = append(filter, bson.E{Key: g.path(), Value: g.oneOf(g.value(2), doc("$eq", g.scalar()), doc("$gt", g.scalar()),
			doc("$in", bson.A{g.scalar()}), doc("$all", bson.A{g.value(1)}), doc("$all", bson.A{doc("$elemMatch", doc("a", 1))}))})
	}
	switch g.random.IntN(6) {
	case 0:
		return doc("$and", bson.A{filter, doc(g.path(), g.scalar())})
	case 1:
		return append(filter, bson.E{Key: "$or", Value: bson.A{doc(g.path(), g.scalar())}})
	case 2:
		return append(filter, bson.E{Key: "$expr", Value: doc("$eq", bson.A{"$a", "$b"})})
	}
	return filter
}

func (g *generator) delete() bson.D {
	return g.statements("delete", "deletes", func() bson.D {
		limit := g.random.IntN(2)
		if g.indexed { // the order of their events is that of an index
			limit = 1
		}
		return g.hinted(g.collated(bson.D{{Key: "q", Value: g.target(limit == 1)}, {Key: "limit", Value: limit}}))
	})
}

func (g *generator) findAndModify() bson.D {
	query := g.target(false)
	upserts := g.chance(5)
	if upserts {
		query = g.upsertTarget()
	}
	command := bson.D{{Key: "findAndModify", Value: collection}, {Key: "query", Value: query}, {Key: "sort", Value: g.sort(query)}}
	if !upserts && g.chance(4) {
		command = append(command, bson.E{Key: "remove", Value: true})
	} else {
		u := positioned(query, g.modification(true))
		command = append(command, bson.E{Key: "update", Value: u}, bson.E{Key: "new", Value: g.chance(2)}, bson.E{Key: "upsert", Value: upserts})
		command = g.bypassing(g.arrayFiltered(command, u))
	}
	if g.chance(3) { // where one fails, mongod has written already
		command = append(command, bson.E{Key: "fields", Value: g.projection(g.harmless)})
	}
	return g.defined(g.hinted(g.collated(command)))
}
