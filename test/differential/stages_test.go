package differential

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// barrier is behind a $unionWith, into which mongod moves the $match that follows, so that not all documents come to where stages fail.
var barrier = doc("$limit", 50)

// stages draws one or more stages of a pipeline. They avoid what mongod leaves open, and what its two engines do differently: the
// order of groups, and which of two engines compares undefined with null.
func (g *generator) stages() bson.A {
	switch g.random.IntN(18) {
	case 0, 1:
		return bson.A{doc("$match", g.filter(1))}
	case 2:
		return bson.A{
			doc("$project", g.oneOf( // with one expression, because it is chance which of several mongod evaluates first
				append(doc(g.plainPath(), 1), bson.E{Key: "d", Value: g.expression(2)}),
				append(doc(g.plainPath(), g.expression(2)), bson.E{Key: "d", Value: 1}))),
			g.oneOf(doc("$match", g.filter(1)), doc("$skip", 1)).(bson.D),
		}
	case 3:
		return bson.A{g.set()}
	case 4:
		return bson.A{doc("$unset", g.plainPath()), g.oneOf(doc("$match", g.filter(1)), g.set())}
	case 5:
		return bson.A{g.oneOf(doc("$skip", 1), doc("$limit", 3))}
	case 6:
		return bson.A{doc("$replaceRoot", doc("newRoot", doc("r", g.expression(2))))}
	case 7:
		return bson.A{g.oneOf(doc("$count", "n"), doc("$group", bson.D{{Key: "_id", Value: nil}, {Key: "v", Value: doc("$push", doc("$type", g.expression(1)))}, classic}))}
	case 8:
		return bson.A{g.unwind("$" + g.plainPath())}
	case 9, 10:
		return g.lookup()
	case 11:
		return bson.A{doc("$unionWith", g.oneOf(other, bson.D{{Key: "coll", Value: other}, {Key: "pipeline", Value: g.within(nil)}})), barrier}
	case 12:
		return bson.A{doc("$facet", bson.D{{Key: "f", Value: g.within(nil)}, {Key: "g", Value: g.within(nil)}})}
	case 13:
		return bson.A{doc("$bucketAuto", bson.D{
			{Key: "groupBy", Value: "$" + g.plainPath()},
			{Key: "buckets", Value: g.oneOf(1, 2, 3, 10)},
			{Key: "output", Value: doc("n", doc("$sum", 1))},
		})}
	case 14:
		return bson.A{doc("$bucket", bson.D{
			{Key: "groupBy", Value: "$" + g.plainPath()},
			{Key: "boundaries", Value: g.oneOf(bson.A{-1, 1, 2.5, 8}, bson.A{"", "a", "b"}, bson.A{0, int64(1), decimal("2")})},
			{Key: "default", Value: "else"},
			{Key: "output", Value: doc("n", doc("$push", "$_id"))},
		})}
	case 15:
		return bson.A{doc("$unionWith", doc("pipeline", bson.A{doc("$documents", bson.A{g.object(1), g.object(1)})})), barrier}
	case 16:
		return bson.A{doc("$sortByCount", "$_id"), doc("$sort", doc("_id", 1))}
	default:
		return bson.A{doc("$redact", doc("$cond", bson.A{g.harmless(1), g.oneOf("$$KEEP", "$$DESCEND"), g.oneOf("$$PRUNE", "$$DESCEND")}))}
	}
}

// set draws a stage that sets a field, or removes one.
func (g *generator) set() bson.D {
	return doc("$set", doc(g.plainPath(), g.expression(2)))
}

func (g *generator) unwind(path string) bson.D {
	spec := bson.D{{Key: "path", Value: path}}
	if g.chance(2) {
		spec = append(spec, bson.E{Key: "preserveNullAndEmptyArrays", Value: g.chance(2)})
	}
	if g.chance(3) {
		spec = append(spec, bson.E{Key: "includeArrayIndex", Value: g.oneOf("i", "a.i", "x.i")})
	}
	return doc("$unwind", spec)
}

// reachesLeftOut reports which stages of a pipeline unwind an array that a projection before takes fields of elements from, or set fields of its
// elements: mongod may count elements that the projection has left out, and give them fields. See the scenario "elements that are left out".
func reachesLeftOut(pipeline bson.A) func(stage any) bool {
	var below []string
	for _, stage := range pipeline {
		fields, _ := field(stage.(bson.D), "$project").(bson.D)
		for _, f := range fields {
			below = append(below, f.Key)
		}
	}
	within := func(array string) bool {
		return slices.ContainsFunc(below, func(path string) bool { return strings.HasPrefix(path, array+".") })
	}
	return func(stage any) bool {
		if spec, ok := field(stage.(bson.D), "$unwind").(bson.D); ok {
			return within(strings.TrimPrefix(field(spec, "path").(string), "$"))
		}
		set, _ := field(stage.(bson.D), "$set").(bson.D)
		return slices.ContainsFunc(set, func(e bson.E) bool {
			array, _, dotted := strings.Cut(e.Key, ".")
			return dotted && within(array)
		})
	}
}

// within draws a pipeline within another. Match is what it may begin with.
func (g *generator) within(match any) bson.A {
	pipeline := bson.A{}
	if match != nil && g.chance(2) {
		pipeline = append(pipeline, doc("$match", match))
	}
	for range g.random.IntN(3) {
		pipeline = append(pipeline, g.oneOf(
			doc("$match", g.filter(1)), g.set(), doc("$sort", doc("_id", g.oneOf(1, -1))), doc("$limit", 2),
			doc("$project", doc("a", 1)), g.unwind("$"+g.plainPath())))
	}
	return pipeline
}

// lookup draws a $lookup, and sometimes the $unwind of what it gives.
func (g *generator) lookup() bson.A {
	stages := bson.A{}
	spec := bson.D{{Key: "from", Value: other}, {Key: "as", Value: g.oneOf("x", "a.x", "d")}}
	local := g.plainPath()
	if g.chance(3) {
		local = "_id"
	}
	if g.chance(2) {
		stages = append(stages, doc("$match", doc(local, doc("$not", doc("$type", "undefined")))))
		spec = append(spec, bson.E{Key: "localField", Value: local}, bson.E{Key: "foreignField", Value: g.oneOf("_id", g.plainPath())},
			bson.E{Key: "pipeline", Value: g.within(nil)})
	} else {
		spec = append(spec,
			bson.E{Key: "let", Value: bson.D{{Key: "v", Value: "$" + local}, {Key: "w", Value: g.expression(1)}}},
			bson.E{Key: "pipeline", Value: append(g.within(doc("$expr", doc(g.oneOf("$eq", "$lt", "$gte").(string), bson.A{"$" + g.plainPath(), "$$v"}))),
				doc("$set", doc("w", "$$w")))})
	}
	stages = append(stages, doc("$lookup", spec))
	if g.chance(2) {
		stages = append(stages, g.unwind("$"+spec[1].Value.(string)))
	}
	return stages
}

// output draws a stage that writes what a pipeline gives, or none.
func (g *generator) output() bson.A {
	switch g.random.IntN(8) {
	case 0:
		return bson.A{doc("$out", "out")}
	case 1:
		return bson.A{doc("$merge", bson.D{
			{Key: "into", Value: "merged"},
			{Key: "whenMatched", Value: g.oneOf("replace", "merge", bson.A{doc("$set", doc(g.plainPath(), "$$new.a"))})},
			{Key: "whenNotMatched", Value: g.oneOf("insert", "insert", "discard", "fail")},
		})}
	case 2:
		return bson.A{doc("$merge", bson.D{{Key: "into", Value: "merged"}, {Key: "whenMatched", Value: g.oneOf("keepExisting", "fail")}})}
	}
	return nil
}
