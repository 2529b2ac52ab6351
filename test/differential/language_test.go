package differential

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// filter draws a query.
func (g *generator) filter(depth int) bson.D {
	d := bson.D{}
	for range g.random.IntN(3) {
		switch {
		case depth > 0 && g.chance(6):
			list := bson.A{}
			for range g.random.IntN(2) + 1 {
				list = append(list, g.filter(depth-1))
			}
			d = append(d, bson.E{Key: g.oneOf("$and", "$or", "$nor").(string), Value: list})
		case depth > 0 && g.chance(10):
			d = append(d, bson.E{Key: "$expr", Value: g.harmless(2)})
		case depth > 0 && g.chance(16) && !has(d, "$jsonSchema"):
			d = append(d, bson.E{Key: "$jsonSchema", Value: g.schema(2)})
		default:
			path := g.path()
			switch {
			case g.chance(6):
				path = "_id"
			case len(g.paths) > 0 && g.chance(2):
				path = g.oneOf(g.paths...).(string)
			}
			if !has(d, path) { // mongod looks for an _id that stands there twice by one of them
				d = append(d, bson.E{Key: path, Value: g.predicate(path, depth)})
			}
		}
	}
	return d
}

// predicate draws what the field at a path is compared with.
func (g *generator) predicate(path string, depth int) any {
	if g.chance(4) {
		return g.near(path, 2)
	}
	if g.chance(6) {
		return bson.D{{Key: g.oneOf("$gt", "$gte").(string), Value: g.near(path, 1)}, {Key: g.oneOf("$lt", "$lte").(string), Value: g.near(path, 1)}}
	}
	d := bson.D{}
	for range g.random.IntN(2) + 1 {
		name, argument := g.operator(path, depth)
		if !has(d, name) {
			d = append(d, bson.E{Key: name, Value: argument})
		}
		if name == "$regex" && !has(d, "$options") && g.chance(2) {
			d = append(d, bson.E{Key: "$options", Value: g.oneOf("i", "m", "s", "x", "im", "")})
		}
	}
	return d
}

func (g *generator) operator(path string, depth int) (name string, argument any) {
	list := func() bson.A {
		out := bson.A{}
		for range g.random.IntN(4) {
			out = append(out, g.near(path, 1))
		}
		return out
	}
	switch g.random.IntN(18) {
	case 0, 1, 2, 3, 4, 5:
		return g.oneOf("$gt", "$gte", "$lt", "$lte", "$eq", "$ne").(string), g.near(path, 2)
	case 6, 7:
		return g.oneOf("$in", "$nin").(string), list()
	case 8:
		return "$exists", g.oneOf(true, false, 0, 1)
	case 9:
		return "$type", g.oneOf("number", "string", "array", "object", 1, 16, "null", "bool", bson.A{"int", "array"}, "undefined", "decimal",
			"double", "binData", "objectId", "date", "regex", "dbPointer", "javascript", "symbol", "javascriptWithScope", "timestamp", "long", "minKey", "maxKey", -1, 127)
	case 10:
		return "$size", g.random.IntN(4)
	case 11:
		return "$all", list()
	case 12, 13:
		if depth > 0 && g.chance(2) {
			return "$elemMatch", g.filter(depth - 1)
		}
		name, argument := g.operator(path, depth-1)
		if name == "$all" { // a $match that mongod moves ahead of a $unset is written anew by it, and then refused by its own parser
			name = "$in"
		}
		return "$elemMatch", doc(name, argument)
	case 14:
		return "$mod", bson.A{g.oneOf(2, 3, -2, 2.5, int64(4)), g.oneOf(0, 1, -1)}
	case 15:
		return "$regex", g.oneOf("a", "^a", "b$", "", "[ab]", "(?i)A", "^A b", "a.b", bson.Regex{Pattern: "^a"})
	case 16:
		return g.oneOf("$bitsAllSet", "$bitsAnySet", "$bitsAllClear", "$bitsAnyClear").(string), g.oneOf(1, 2, 7, bson.A{0, 1}, bson.A{63, 70}, bson.Binary{Data: []byte{3}})
	default:
		if g.chance(4) {
			return "$not", bson.Regex{Pattern: g.oneOf("a", "^b").(string), Options: g.oneOf("", "i").(string)}
		}
		if depth > 0 {
			name, argument := g.operator(path, depth-1)
			return "$not", doc(name, argument)
		}
		return "$ne", g.scalar()
	}
}

// modification draws a replacement, operators, or a pipeline.
func (g *generator) modification(single bool) any {
	switch {
	case single && g.chance(8):
		return g.object(3)
	case g.chance(8):
		pipeline := bson.A{}
		for range g.random.IntN(3) {
			pipeline = append(pipeline, g.oneOf(g.set(), doc("$replaceWith", doc("$mergeObjects", bson.A{"$$ROOT", g.object(2)}))))
		}
		return append(pipeline, g.oneOf(
			doc("$set", doc(g.plainPath(), g.expression(2))), doc("$unset", g.plainPath()), doc("$project", doc(g.plainPath(), g.oneOf(1, 0)))))
	}
	d := bson.D{}
	for range g.random.IntN(2) + 1 {
		name, argument := g.updateOperator()
		if !has(d, name) {
			d = append(d, bson.E{Key: name, Value: argument})
		}
	}
	return d
}

// plainPath has no numbers, which pipelines take for names.
func (g *generator) plainPath() string {
	return g.oneOf("a", "b", "c", "a.b", "a.c", "b.a", "c.a.b").(string)
}

func (g *generator) updatePath() string {
	if g.chance(8) {
		return g.oneOf("a", "b", "c").(string) + g.oneOf(".$[]", ".$[x]", ".$").(string) + g.oneOf("", ".a", ".b", ".b.$[]", ".a.0").(string)
	}
	return g.path()
}

// arrayPath draws a path, often one that leads to an array, and integerPath one that leads to a whole number.
func (g *generator) arrayPath() string {
	return g.updatePathTo(func(h held) bool { _, is := h.value.(bson.A); return is })
}

func (g *generator) integerPath() string {
	return g.updatePathTo(func(h held) bool { _, is := h.value.(int32); return is })
}

func (g *generator) updatePathTo(takes func(held) bool) string {
	if g.chance(2) {
		if one, ok := g.heldBy(takes); ok {
			return one.path
		}
	}
	return g.updatePath()
}

func (g *generator) updateOperator() (name string, argument any) {
	of := func(value func() any, path func() string) bson.D {
		d := bson.D{}
		for range g.random.IntN(2) + 1 {
			if path := path(); !has(d, path) {
				d = append(d, bson.E{Key: path, Value: value()})
			}
		}
		return d
	}
	fields := func(value func() any) bson.D { return of(value, g.updatePath) }
	arrays := func(value func() any) bson.D { return of(value, g.arrayPath) }
	integers := func(value func() any) bson.D { return of(value, g.integerPath) }
	number := func() any { return g.oneOf(1, -1, int64(5), 1.5, decimal("0.1"), 0, int64(1)<<62) }
	switch g.random.IntN(16) {
	case 0, 1, 2:
		return "$set", fields(func() any { return g.value(2) })
	case 3:
		return "$unset", fields(func() any { return "" })
	case 4:
		return g.oneOf("$inc", "$mul").(string), integers(number)
	case 5:
		return g.oneOf("$min", "$max").(string), fields(func() any { return g.value(1) })
	case 6:
		return "$rename", doc(g.plainPath(), g.plainPath())
	case 7, 8:
		return "$push", arrays(g.pushed)
	case 9:
		return "$addToSet", arrays(func() any { return g.oneOf(g.value(1), doc("$each", bson.A{g.scalar(), g.scalar(), g.value(1)})) })
	case 10:
		return "$pop", arrays(func() any { return g.oneOf(1, -1) })
	case 11:
		return "$pull", arrays(func() any { return g.predicate("", 1) })
	case 12:
		return "$pullAll", arrays(func() any { return bson.A{g.scalar(), g.scalar(), g.value(1)} })
	case 13:
		return "$setOnInsert", fields(func() any { return g.value(2) })
	case 14:
		return "$currentDate", doc("now", g.oneOf(true, doc("$type", "date"), doc("$type", "timestamp")))
	default:
		return "$bit", integers(func() any { return doc(g.oneOf("and", "or", "xor").(string), g.oneOf(1, 6, int64(3), -2)) })
	}
}

// pushed is the argument of $push.
func (g *generator) pushed() any {
	if g.chance(2) {
		return g.value(1)
	}
	each := bson.A{}
	for range g.random.IntN(4) {
		each = append(each, g.value(1))
	}
	d := doc("$each", each)
	if g.chance(3) {
		d = append(d, bson.E{Key: "$position", Value: g.oneOf(0, 1, -1, -2, 9)})
	}
	if g.chance(3) {
		d = append(d, bson.E{Key: "$slice", Value: g.oneOf(0, 1, 2, -1, -2, 9)})
	}
	if len(each) > 0 && g.chance(3) { // the sort of an empty array is an update or none, by the indexes
		d = append(d, bson.E{Key: "$sort", Value: g.oneOf(1, -1, doc("a", 1), bson.D{{Key: "b", Value: -1}, {Key: "a", Value: 1}})})
	}
	return d
}

// projection draws one of find's, whose expression another function draws.
func (g *generator) projection(expression func(depth int) any) bson.D {
	d := bson.D{}
	include := g.random.IntN(2)
	computed := false // one field, because it is chance which of several mongod evaluates first
	for range g.random.IntN(3) {
		path := g.plainPath()
		if g.chance(6) {
			path = g.path()
		}
		if clashes(d, path) {
			continue
		}
		var v any = include
		switch {
		case g.chance(8):
			v = doc("$slice", g.oneOf(1, -1, bson.A{1, 1}, bson.A{-2, 1}, 0))
		case g.chance(8) && !strings.Contains(path, "."):
			v = doc("$elemMatch", g.filter(1))
		case include == 1 && !computed && g.chance(6):
			v, computed = expression(2), true
		}
		d = append(d, bson.E{Key: path, Value: v})
	}
	if g.chance(4) {
		d = append(d, bson.E{Key: "_id", Value: g.random.IntN(2)})
	}
	return d
}

// clashes says that a path is within another or around it.
func clashes(d bson.D, path string) bool {
	for _, e := range d {
		if e.Key == path || strings.HasPrefix(e.Key, path+".") || strings.HasPrefix(path, e.Key+".") {
			return true
		}
	}
	return false
}

// expression draws one of aggregation's.
func (g *generator) expression(depth int) any {
	switch {
	case depth > 0 && g.chance(2):
		return g.crossed(depth - 1)
	case depth > 0 && g.chance(5):
		return doc(g.oneOf("$add", "$subtract", "$multiply", "$divide", "$mod").(string), bson.A{g.quantity(), g.quantity()})
	}
	return g.expressionOf(depth, g.expression)
}

// quantity draws what can be calculated with.
func (g *generator) quantity() any {
	return g.oneOf(g.number(g.random.Int32N(9)-4), g.number(3), 1.5, bson.DateTime(1000*g.random.Int64N(9)), bson.DateTime(g.random.Int64N(9)-4), bson.DateTime(-1000*g.random.Int64N(9)), "$"+g.plainPath(), nil)
}

// harmless draws an expression that fails for no document: which conditions of a filter mongod comes to depends on its plan.
func (g *generator) harmless(depth int) any { return g.expressionOf(depth, g.harmless) }

// expressionOf draws an expression whose parts another function draws.
func (g *generator) expressionOf(depth int, part func(depth int) any) any {
	if depth == 0 || g.chance(3) {
		return g.oneOf("$"+g.plainPath(), "$_id", "$$ROOT", doc("$literal", g.value(1)), 1, "x", nil, true, variable)
	}
	a, b := part(depth-1), part(depth-1)
	switch g.random.IntN(8) {
	case 0, 1:
		return doc(g.oneOf("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$cmp").(string), bson.A{a, b})
	case 2:
		return doc(g.oneOf("$and", "$or").(string), bson.A{a, b})
	case 3:
		return doc("$not", bson.A{a})
	case 4:
		return doc("$cond", bson.A{a, b, part(depth - 1)})
	case 5:
		return doc("$ifNull", bson.A{a, b})
	case 6:
		return bson.D{{Key: "p", Value: a}, {Key: "q", Value: b}}
	default:
		return bson.A{a, b}
	}
}

// aggregate draws a pipeline. An early sort makes the order of the documents certain; it is one that no document fails, since which
// documents come to it depends on which filters are moved before it.
func (g *generator) aggregate() bson.D {
	sort := bson.D{{Key: g.plainPath(), Value: g.oneOf(1, -1)}, {Key: "_id", Value: g.oneOf(1, -1)}}
	pipeline := bson.A{doc("$match", g.filter(2)), doc("$sort", sort)}
	if g.chance(3) {
		pipeline = append(pipeline, doc("$limit", 1+g.random.IntN(4)))
	}
	for range g.random.IntN(4) {
		pipeline = append(pipeline, g.stages()...)
	}
	pipeline = slices.DeleteFunc(pipeline, reachesLeftOut(pipeline))
	if g.chance(2) {
		pipeline = append(pipeline, g.group()...)
	} else {
		pipeline = append(pipeline, g.output()...)
	}
	return g.defined(g.hinted(g.collated(bson.D{{Key: "aggregate", Value: g.source()}, {Key: "pipeline", Value: pipeline}, {Key: "cursor", Value: bson.D{}}})))
}

// classic is an accumulator that one of mongod's two engines does not have, so that the other, whose errors have the documented codes, runs
// the whole $group.
var classic = bson.E{Key: "k", Value: doc("$firstN", bson.D{{Key: "input", Value: "$_id"}, {Key: "n", Value: 1}})}

// group draws a $group whose accumulators depend on no more than the order of the documents.
func (g *generator) group() bson.A {
	v := func() any { return g.oneOf("$"+g.plainPath(), "$_id", g.expression(2)) }
	sortBy := bson.D{{Key: g.plainPath(), Value: g.oneOf(1, -1)}, {Key: "_id", Value: 1}}
	counted := func() bson.D { return bson.D{{Key: "input", Value: v()}, {Key: "n", Value: g.random.IntN(3) + 1}} }
	accumulators := []func() bson.D{
		func() bson.D {
			return doc(g.oneOf("$sum", "$avg", "$first", "$last", "$push", "$stdDevPop", "$stdDevSamp", "$min", "$max").(string), v())
		},
		func() bson.D { return doc(g.oneOf("$firstN", "$lastN", "$minN", "$maxN").(string), counted()) },
		func() bson.D {
			return doc(g.oneOf("$top", "$bottom").(string), bson.D{{Key: "output", Value: v()}, {Key: "sortBy", Value: sortBy}})
		},
		func() bson.D {
			return doc(g.oneOf("$topN", "$bottomN").(string), bson.D{{Key: "output", Value: v()}, {Key: "sortBy", Value: sortBy}, {Key: "n", Value: 2}})
		},
		func() bson.D { return doc("$count", bson.D{}) },
		func() bson.D { return doc("$mergeObjects", g.oneOf("$$ROOT", doc("p", v()))) },
		func() bson.D { return doc("$addToSet", v()) },
	}
	fields := doc("_id", g.oneOf(nil, v()))
	fields = append(fields, classic)
	for _, name := range []string{"v", "w"} {
		fields = append(fields, bson.E{Key: name, Value: accumulators[g.random.IntN(len(accumulators))]()})
	}
	stages := bson.A{doc("$group", fields), doc("$sort", doc("_id", 1))}
	for _, e := range fields[2:] {
		if e.Value.(bson.D)[0].Key == "$addToSet" { // which has no order
			stages = append(stages, doc("$set", doc(e.Key, doc("$sortArray", bson.D{{Key: "input", Value: "$" + e.Key}, {Key: "sortBy", Value: 1}}))))
		}
	}
	return stages
}
