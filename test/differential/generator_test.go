package differential

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// generator draws the operations of a history. It avoids what the servers may do differently: which one of several documents a single update or
// delete takes when an index could serve it, the order of results without a sort, and the order of a collection, which it keeps that of _id by
// giving ids that grow.
type generator struct {
	random       *rand.Rand
	nextID       int32
	transactions int64             // drawn so far
	piping       bool              // most operations are pipelines
	indexed      bool              // the collection has further indexes, so that nothing may depend on the order of its documents
	ids          func(n int32) any // makes the nth _id, in their order; nil makes numbers
	capped       bool              // the collection is capped, so that transactions may not write to it
}

// creation makes the collection.
func (g *generator) creation() bson.D {
	create := bson.D{{Key: "create", Value: collection}}
	if !g.capped {
		return create
	}
	create = append(create, bson.E{Key: "capped", Value: true}, bson.E{Key: "size", Value: g.oneOf(512, 2048)})
	if g.chance(2) {
		create = append(create, bson.E{Key: "max", Value: 1 + g.random.IntN(5)})
	}
	return create
}

// chance is true once in n.
func (g *generator) chance(n int) bool { return g.random.IntN(n) == 0 }

func (g *generator) oneOf(list ...any) any { return list[g.random.IntN(len(list))] }

func doc(key string, v any) bson.D { return bson.D{{Key: key, Value: v}} }

// id is a number that may or may not be in use.
func (g *generator) id() any { return g.number(g.random.Int32N(g.nextID+1) + 1) }

// number gives a whole number one of the types of numbers.
func (g *generator) number(n int32) any {
	if g.ids != nil {
		return g.ids(n)
	}
	switch g.random.IntN(6) {
	case 0:
		return int64(n)
	case 1:
		return float64(n)
	case 2:
		return decimal(fmt.Sprint(n) + g.oneOf("", ".0").(string))
	default:
		return n
	}
}

func idAsText(n int32) any { return fmt.Sprintf("%05d", n) }

func idAsDocument(n int32) any { return bson.D{{Key: "n", Value: n}, {Key: "s", Value: "x"}} }

func idAsObjectID(n int32) any { return bson.ObjectID{byte(n >> 8), byte(n)} }

func (g *generator) newID() any {
	n := g.nextID
	g.nextID++
	return g.number(n)
}

func decimal(text string) bson.Decimal128 {
	d, err := bson.ParseDecimal128(text)
	if err != nil {
		panic(err)
	}
	return d
}

// scalar draws from every type that has no parts, with its borders.
func (g *generator) scalar() any {
	switch g.random.IntN(8) {
	case 0, 1, 2:
		return g.oneOf(int32(0), int32(1), int32(2), int32(3), int32(-1), int32(7))
	case 3:
		return g.oneOf("", "a", "b", "ab", "é", "$a", "a.b")
	case 4:
		return g.oneOf(nil, true, false)
	case 5:
		return g.oneOf(int64(1), int64(1)<<53+1, int64(math.MaxInt64), int64(math.MinInt64), 1.0, 1.5, -0.5, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1e300,
			decimal("1"), decimal("1.50"), decimal("NaN"), decimal("-Infinity"), decimal("0E+3"), decimal("12345678901234567890.123"), int32(math.MaxInt32), int32(math.MinInt32))
	default:
		return g.oneOf(bson.NewDateTimeFromTime(time.Unix(978307200, 0)), bson.DateTime(-1), bson.Timestamp{T: 7, I: 1}, bson.Timestamp{T: 7, I: 2},
			bson.ObjectID{1, 2, 3}, bson.ObjectID{1, 2, 4}, bson.Binary{Data: []byte{1, 2}}, bson.Binary{Subtype: 5, Data: []byte{1}}, bson.Binary{},
			bson.Regex{Pattern: "a", Options: "i"}, bson.Regex{Pattern: "^b"}, bson.MinKey{}, bson.MaxKey{}, bson.JavaScript("f"), bson.Symbol("a"), bson.Undefined{},
			bson.CodeWithScope{Code: "f", Scope: bson.D{}}, bson.DBPointer{DB: "d", Pointer: bson.ObjectID{1}})
	}
}

func (g *generator) value(depth int) any {
	switch {
	case depth > 0 && g.chance(4):
		list := bson.A{}
		for range g.random.IntN(4) {
			list = append(list, g.value(depth-1))
		}
		return list
	case depth > 0 && g.chance(4):
		return g.object(depth - 1)
	default:
		return g.scalar()
	}
}

func (g *generator) object(depth int) bson.D {
	d := bson.D{}
	for _, name := range []string{"a", "b", "c", "0"} {
		if g.chance(2) {
			d = append(d, bson.E{Key: name, Value: g.value(depth)})
		}
	}
	g.random.Shuffle(len(d), func(i, j int) { d[i], d[j] = d[j], d[i] })
	return d
}

// path draws names that documents have, positions, and names that they do not have.
func (g *generator) path() string {
	parts := []string{g.oneOf("a", "b", "c").(string)}
	for g.chance(3) && len(parts) < 4 {
		parts = append(parts, g.oneOf("a", "b", "c", "0", "1", "2").(string))
	}
	return strings.Join(parts, ".")
}

func (g *generator) indexes() bson.A {
	list := bson.A{}
	for i := range g.random.IntN(3) + 1 {
		keys := doc(g.path(), g.oneOf(1, -1))
		for len(keys) < 3 && g.chance(2) {
			if path := g.path(); !has(keys, path) {
				keys = append(keys, bson.E{Key: path, Value: g.oneOf(1, -1)})
			}
		}
		index := bson.D{{Key: "key", Value: keys}, {Key: "name", Value: fmt.Sprintf("i%d", i)}}
		if g.chance(4) {
			index = append(index, bson.E{Key: "unique", Value: true})
		}
		if g.chance(4) {
			index = append(index, bson.E{Key: "sparse", Value: true})
		} else if g.chance(4) {
			condition := doc(g.oneOf("$eq", "$gt", "$gte", "$lt", "$lte").(string), g.scalar())
			index = append(index, bson.E{Key: "partialFilterExpression", Value: doc(g.path(), g.oneOf(condition, doc("$exists", true), doc("$type", "number")))})
		}
		list = append(list, index)
	}
	return list
}

func (g *generator) insert(least int) bson.D {
	documents := bson.A{}
	for range least + g.random.IntN(3) {
		id := g.newID()
		if len(documents) > 0 && g.chance(4) {
			id = g.number(g.nextID - 1) // taken by the document before, within the command
		}
		documents = append(documents, append(doc("_id", id), g.object(3)...))
	}
	command := bson.D{{Key: "insert", Value: collection}, {Key: "documents", Value: documents}}
	if g.chance(3) {
		command = append(command, bson.E{Key: "ordered", Value: false})
	}
	return command
}

// operation draws one command.
func (g *generator) operation() bson.D {
	if g.piping && !g.chance(4) {
		return g.aggregate()
	}
	switch g.random.IntN(12) {
	case 0, 1:
		return g.insert(1)
	case 2, 3, 4, 5:
		return g.update()
	case 6:
		return g.delete()
	case 7:
		return g.findAndModify()
	case 8:
		return g.aggregate()
	case 9:
		return bson.D{{Key: "count", Value: collection}, {Key: "query", Value: g.filter(2)}}
	default:
		return g.find()
	}
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

func (g *generator) update() bson.D {
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
	if u, isOperators := statement[1].Value.(bson.D); isOperators && strings.Contains(jsonOf(u), "$[x]") {
		statement = append(statement, bson.E{Key: "arrayFilters", Value: bson.A{g.arrayFilter()}})
	}
	return bson.D{{Key: "update", Value: collection}, {Key: "updates", Value: bson.A{statement}}}
}

func (g *generator) arrayFilter() bson.D {
	condition := g.predicate(1)
	if strings.Contains(jsonOf(condition), `"$all":[]`) { // which mongod refuses here: it has no field left
		condition = 1
	}
	if g.chance(2) {
		return doc("x."+g.path(), condition)
	}
	return doc("x", condition)
}

// upsertTarget names a new _id, so that no server has to make one.
func (g *generator) upsertTarget() bson.D {
	filter := doc("_id", g.newID())
	if g.chance(2) {
		filter = append(filter, bson.E{Key: g.path(), Value: g.oneOf(g.value(2), doc("$eq", g.scalar()), doc("$gt", g.scalar()))})
	}
	return filter
}

func (g *generator) delete() bson.D {
	limit := g.random.IntN(2)
	return bson.D{{Key: "delete", Value: collection}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: g.target(limit == 1)}, {Key: "limit", Value: limit}}}}}
}

func (g *generator) findAndModify() bson.D {
	command := bson.D{{Key: "findAndModify", Value: collection}, {Key: "query", Value: g.target(false)}}
	command = append(command, bson.E{Key: "sort", Value: g.sort(command[1].Value.(bson.D))})
	if g.chance(4) {
		command = append(command, bson.E{Key: "remove", Value: true})
	} else {
		u := g.modification(true)
		command = append(command, bson.E{Key: "update", Value: u}, bson.E{Key: "new", Value: g.chance(2)})
		if operators, is := u.(bson.D); is && strings.Contains(jsonOf(operators), "$[x]") {
			command = append(command, bson.E{Key: "arrayFilters", Value: bson.A{g.arrayFilter()}})
		}
	}
	if g.chance(3) { // where one fails, mongod has written already
		command = append(command, bson.E{Key: "fields", Value: g.projection(g.harmless)})
	}
	return command
}

func (g *generator) find() bson.D {
	filter := g.filter(3)
	command := bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: filter}, {Key: "sort", Value: g.sort(filter)}}
	if g.chance(2) {
		command = append(command, bson.E{Key: "projection", Value: g.projection(g.expression)})
	}
	if g.chance(4) {
		command = append(command, bson.E{Key: "skip", Value: g.random.IntN(3)})
	}
	if g.chance(4) {
		command = append(command, bson.E{Key: "limit", Value: g.random.IntN(5)})
	}
	return command
}

// sort draws the order for what a filter takes. It ends with _id, so that it is total. Where _id is given it has one other path: whether two
// that both lead to arrays are an error then depends on mongod's plan.
func (g *generator) sort(filter bson.D) bson.D {
	paths := 3
	if has(filter, "_id") {
		paths = 2
	}
	d := bson.D{}
	for range g.random.IntN(paths) {
		if path := g.path(); !has(d, path) {
			d = append(d, bson.E{Key: path, Value: g.oneOf(1, -1)})
		}
	}
	return append(d, bson.E{Key: "_id", Value: g.oneOf(1, -1)})
}
