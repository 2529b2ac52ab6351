package differential

import "go.mongodb.org/mongo-driver/v2/bson"

func (w *watcher) create(name string) bson.D {
	command := bson.D{{Key: "create", Value: name}}
	if w.chance(2) {
		command = append(command, bson.E{Key: "changeStreamPreAndPostImages", Value: doc("enabled", w.chance(4) == false)})
	}
	switch w.random.IntN(12) {
	case 0:
		command = append(command, bson.E{Key: "validator", Value: doc("a", doc("$ne", 7))})
	case 1, 2:
		if !w.weighing {
			break
		}
		command = append(command, bson.E{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 2}}})
	}
	return command
}

// schema draws a change of what there is.
func (w *watcher) schema() {
	name, ns := w.name(), func(name string) bson.D { return doc("$ns", name) }
	rename := func(to any, dropTarget bool) {
		command := bson.D{{Key: "renameCollection", Value: ns(name)}, {Key: "to", Value: to}}
		if dropTarget {
			command = append(command, bson.E{Key: "dropTarget", Value: true})
		}
		w.add(step{verb: "admin", database: "admin", command: command})
	}
	switch w.random.IntN(16) {
	case 0:
		w.run(bson.D{{Key: "drop", Value: name}})
	case 1:
		w.run(w.create(name))
	case 2:
		rename(ns(w.name()), false)
	case 3:
		rename(ns(w.name()), true)
	case 4:
		if w.chance(2) { // of several collections mongod drops any first, and it has events of databases that only an aborted transaction began
			w.run(doc("create", "d"))
			for _, name := range []string{"d", "e", "f", "merged", "v"} {
				w.run(doc("drop", name))
			}
			w.run(doc("dropDatabase", 1))
		} else {
			rename(ns("other:"+w.name()), w.chance(2))
		}
	case 5, 6:
		if w.indexed {
			w.run(bson.D{{Key: "createIndexes", Value: name}, {Key: "indexes", Value: w.plainIndexes()}})
		}
	case 7:
		w.run(bson.D{{Key: "dropIndexes", Value: name}, {Key: "index", Value: w.oneOf("*", "i0", "i1", bson.A{"i0", "i1"})}})
	case 8, 11:
		w.view()
		if w.chance(2) {
			w.run(doc("drop", "v"))
		}
	case 9:
		w.run(bson.D{{Key: "aggregate", Value: name}, {Key: "pipeline", Value: bson.A{doc("$sort", doc("_id", 1)), doc("$out", w.oneOf("d", "e", "f"))}}, {Key: "cursor", Value: bson.D{}}})
	case 10:
		w.run(bson.D{{Key: "aggregate", Value: name}, {Key: "pipeline", Value: bson.A{doc("$sort", doc("_id", 1)), doc("$merge", bson.D{
			{Key: "into", Value: "merged"}, {Key: "whenMatched", Value: w.oneOf("replace", "merge", "keepExisting")},
		})}}, {Key: "cursor", Value: bson.D{}}})
	default:
		w.run(w.modify(name))
	}
}

func (w *watcher) plainIndexes() bson.A {
	list := bson.A{}
	for i, name := range []string{"i0", "i1"} {
		if i > 0 && w.chance(2) {
			break
		}
		index := bson.D{{Key: "key", Value: doc(w.oneOf("a", "b", "c", "a.b").(string), w.oneOf(1, -1))}, {Key: "name", Value: name}}
		switch w.random.IntN(6) {
		case 0:
			index = append(index, bson.E{Key: "sparse", Value: true})
		case 1:
			index = append(index, bson.E{Key: "hidden", Value: true})
		case 2:
			index = append(index, bson.E{Key: "partialFilterExpression", Value: doc("a", doc("$gt", 1))})
		}
		list = append(list, index)
	}
	return list
}

// modify draws a collMod, most often one that turns images on or off.
func (w *watcher) modify(name string) bson.D {
	command := bson.D{{Key: "collMod", Value: name}}
	switch w.random.IntN(6) {
	case 0:
		return append(command, bson.E{Key: "validator", Value: w.oneOf(doc("a", doc("$ne", 3)), bson.D{})})
	case 1:
		return append(command, bson.E{Key: "validationLevel", Value: w.oneOf("off", "strict", "moderate")})
	case 2:
		return append(command, bson.E{Key: "index", Value: bson.D{{Key: "name", Value: "i0"}, {Key: "hidden", Value: w.chance(2)}}})
	default:
		return append(command, bson.E{Key: "changeStreamPreAndPostImages", Value: doc("enabled", !w.chance(3))})
	}
}

func (w *watcher) view() {
	pipeline := bson.A{doc("$match", doc("a", w.scalar()))}
	w.run(w.oneOf(
		bson.D{{Key: "create", Value: "v"}, {Key: "viewOn", Value: collection}, {Key: "pipeline", Value: pipeline}},
		bson.D{{Key: "create", Value: "v"}, {Key: "viewOn", Value: "d"}, {Key: "pipeline", Value: bson.A{}}},
		bson.D{{Key: "collMod", Value: "v"}, {Key: "viewOn", Value: collection}, {Key: "pipeline", Value: pipeline}},
		bson.D{{Key: "drop", Value: "v"}},
	).(bson.D))
}
