package differential

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// source is where a command reads.
func (g *generator) source() string {
	if g.viewed && g.chance(3) {
		return view
	}
	return collection
}

func (g *generator) find() bson.D {
	filter := g.filter(3)
	command := bson.D{{Key: "find", Value: g.source()}, {Key: "filter", Value: filter}, {Key: "sort", Value: g.sort(filter)}}
	if g.chance(2) {
		projection := g.projection(g.expression)
		switch {
		case command[0].Value == view: // where mongod tells of one thing wrong with it after the other
			projection = doc(g.plainPath(), g.random.IntN(2))
		case g.chance(8):
			projection = doc(g.oneOf("a.$", "b.$", "a.b.$").(string), 1)
		}
		command = append(command, bson.E{Key: "projection", Value: projection})
	}
	if g.chance(4) {
		command = append(command, bson.E{Key: "skip", Value: g.random.IntN(3)})
	}
	if g.chance(4) {
		command = append(command, bson.E{Key: "limit", Value: g.random.IntN(5)})
	}
	if len(g.hints) > 0 && g.chance(8) {
		return g.defined(g.collated(g.bounded(command)))
	}
	return g.defined(g.hinted(g.collated(command)))
}

// bounded gives a find borders in an index.
func (g *generator) bounded(command bson.D) bson.D {
	hint, is := g.oneOf(g.hints...).(bson.D)
	if !is || strings.Contains(jsonOf(hint), "hashed") { // whose borders are hashes
		hint = doc("_id", 1)
	}
	border := func() bson.D {
		d := bson.D{}
		for _, e := range hint {
			d = append(d, bson.E{Key: e.Key, Value: g.value(1)})
		}
		return d
	}
	command = append(command, bson.E{Key: "hint", Value: hint})
	if g.chance(2) {
		command = append(command, bson.E{Key: "min", Value: border()})
	}
	if g.chance(2) {
		command = append(command, bson.E{Key: "max", Value: border()})
	}
	if g.chance(2) && !g.collating { // whose keys are weights, of which each server has its own
		command = append(command, bson.E{Key: "returnKey", Value: true})
	}
	return command
}

func (g *generator) count() bson.D {
	command := bson.D{{Key: "count", Value: g.source()}, {Key: "query", Value: g.filter(2)}}
	if g.chance(4) {
		command = append(command, bson.E{Key: "skip", Value: g.random.IntN(3)})
	}
	if g.chance(4) {
		command = append(command, bson.E{Key: "limit", Value: g.oneOf(0, 1, 2, -2)})
	}
	return g.hinted(g.collated(command))
}

// distinct draws the values of a field. Where an index serves it, it is chance which one of equal values comes.
func (g *generator) distinct() bson.D {
	if g.indexed {
		return g.count()
	}
	return g.collated(bson.D{{Key: "distinct", Value: collection}, {Key: "key", Value: g.oneOf(g.path(), "_id")}, {Key: "query", Value: g.filter(1)}})
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
