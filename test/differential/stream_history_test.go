package differential

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const streamOperations = 20 // of a history of streams

// TestStreamHistories draws histories in which streams of all kinds watch what is done to several collections and to themselves, and resumes
// from each of their events in every way.
func TestStreamHistories(t *testing.T) {
	t.Parallel()
	drawn(t, drawStreamHistory)
}

// watcher draws what streams watch: writes to several collections of two databases, and what is done with the collections.
type watcher struct {
	*generator
	s       scenario
	streams []string
}

// drawStreamHistory makes the history of a seed.
func drawStreamHistory(seed uint64) scenario {
	g := &generator{random: rand.New(rand.NewPCG(seed, 1)), nextID: 1}
	g.indexed, g.weighing = g.chance(2), g.chance(2)
	if g.chance(3) {
		g.ids = g.oneOf(idAsText, idAsDocument, idAsObjectID).(func(int32) any)
	}
	w := &watcher{generator: g, s: scenario{name: fmt.Sprintf("history %d of streams", seed)}}
	if !g.chance(4) {
		w.run(w.create(collection))
		w.run(w.create("d"))
	}
	w.add(watchStep("s1", collection, []any{w.options(), bson.A{}}))
	w.add(watchStep("s2", "database", []any{bson.D{{Key: "showExpandedEvents", Value: true}}, bson.A{}}))
	w.streams = []string{"s1", "s2"}
	w.watch()
	w.run(w.named(w.insert(3), collection))
	for range streamOperations {
		switch {
		case g.chance(10):
			w.watch()
		case g.chance(6):
			w.add(step{verb: "events", name: w.streams[w.random.IntN(len(w.streams))]})
		default:
			w.happen()
		}
	}
	for _, name := range w.streams {
		w.add(step{verb: "events", name: name})
	}
	for _, name := range w.streams {
		w.add(step{verb: "resume", name: name})
	}
	// These two have no stages. With others it depends on how mongod asks their filters of the oplog whether it comes to an event.
	w.add(step{verb: "resume", name: "s2", where: "s1"})
	w.add(step{verb: "resume", name: w.streams[w.random.IntN(len(w.streams))], where: w.oneOf("s1", "s2").(string)})
	return w.s
}

func (w *watcher) add(s step) { w.s.steps = append(w.s.steps, s) }

func (w *watcher) run(command bson.D) { w.add(step{verb: "run", command: command}) }

// named moves a command to another collection.
func (w *watcher) named(command bson.D, name string) bson.D {
	return append(bson.D{{Key: command[0].Key, Value: name}}, command[1:]...)
}

// name draws a collection; most of what happens is in the first.
func (w *watcher) name() string {
	return w.oneOf(collection, collection, collection, "d", "e").(string)
}

// happen draws something that streams may show.
func (w *watcher) happen() {
	switch w.random.IntN(16) {
	case 0:
		w.transacted()
	case 1:
		w.retried()
	case 2, 3:
		w.schema()
	case 4:
		w.run(w.without(w.name()))
	case 5:
		w.other()
	case 6:
		w.shrunk(w.name())
	default:
		w.run(w.write(w.name()))
	}
}

// shrunk gives a document an array and makes it shorter, in a document that is large enough for that to be told.
func (w *watcher) shrunk(name string) {
	id := w.id()
	update := func(u any) {
		w.run(bson.D{{Key: "update", Value: name}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: doc("_id", id)}, {Key: "u", Value: u}}}}})
	}
	update(doc("$set", bson.D{{Key: "a", Value: bson.A{w.value(1), w.value(1), bson.A{1, 2, 3}, w.scalar()}}, {Key: "pad", Value: strings.Repeat("p", 200)}}))
	update(bson.A{doc("$set", doc("a", doc("$slice", bson.A{"$a", w.oneOf(1, 2, 3)}))), doc("$set", doc("b", w.oneOf("$c", 1, "$a")))})
}

// other does something in the second database.
func (w *watcher) other() {
	run := func(command bson.D) { w.add(step{verb: otherDatabase, database: otherDatabase, command: command}) }
	switch w.random.IntN(6) {
	case 0:
		run(doc("drop", collection))
	case 1: // with something in it: that of a database which only an aborted transaction began is an event in mongod until it is restarted
		run(doc("create", "d"))
		run(doc("drop", "d"))
		run(doc("drop", "e"))
		run(doc("dropDatabase", 1))
	default:
		run(w.write(collection))
	}
}

// write draws a command that writes to a collection.
func (w *watcher) write(name string) bson.D {
	var command bson.D
	switch w.random.IntN(10) {
	case 0, 1, 2:
		command = w.insert(1)
	case 3:
		command = w.delete()
	case 4:
		command = w.findAndModify()
	case 5:
		command = w.described()
	case 6:
		command = w.several()
	default:
		command = w.update()
	}
	return w.named(command, name)
}

// several draws some updates in one command, the next of which may come after one that failed.
func (w *watcher) several() bson.D {
	statements := bson.A{}
	for range 2 + w.random.IntN(3) {
		one, _ := field(w.update(), "updates").(bson.A)
		statements = append(statements, one...)
	}
	return bson.D{{Key: "update", Value: collection}, {Key: "updates", Value: statements}, {Key: "ordered", Value: w.chance(2)}}
}

// described draws an update whose description has names that need care, or that is not smaller than the document.
func (w *watcher) described() bson.D {
	wide := bson.D{}
	for i := range 1 + w.random.IntN(12) {
		wide = append(wide, bson.E{Key: w.oneOf("a", "b", "0", "1", "x.y", "$z", "").(string) + strings.Repeat("n", i), Value: w.value(2)})
	}
	u := w.oneOf(
		bson.A{doc("$set", doc("c", doc("$literal", wide)))},
		bson.A{doc("$replaceWith", doc("$mergeObjects", bson.A{"$$ROOT", doc("$literal", wide), doc("_id", "$_id")}))},
		bson.A{doc("$set", doc("a", doc("$reverseArray", doc("$cond", bson.A{doc("$isArray", "$a"), "$a", bson.A{1, 2, 3}}))))},
		bson.A{doc("$set", doc("a", doc("$slice", bson.A{doc("$cond", bson.A{doc("$isArray", "$a"), "$a", bson.A{1, 2, 3}}), w.oneOf(1, 2, -1)})))},
		bson.A{doc("$unset", w.oneOf("a", "b", "c.b", "a.0", bson.A{"a", "b"}))},
		bson.A{doc("$set", doc("pad", strings.Repeat("p", w.random.IntN(60))))},
		doc("$set", doc("c", wide)), doc("$push", doc("a", doc("$each", bson.A{w.value(1), w.value(1)}))),
		doc("$unset", bson.D{{Key: "a", Value: 1}, {Key: "b.0", Value: 1}, {Key: "c.a.0", Value: 1}}),
	)
	return bson.D{{Key: "update", Value: collection}, {Key: "updates", Value: bson.A{bson.D{{Key: "q", Value: w.target(true)}, {Key: "u", Value: u}}}}}
}

// without draws a command that fails, or changes nothing, or not everything.
func (w *watcher) without(name string) bson.D {
	update := func(q, u any, more ...bson.E) bson.D {
		return bson.D{{Key: "update", Value: name}, {Key: "updates", Value: bson.A{append(bson.D{{Key: "q", Value: q}, {Key: "u", Value: u}}, more...)}}}
	}
	multi := bson.E{Key: "multi", Value: true}
	return w.oneOf(
		update(bson.D{}, doc("$set", doc("_id", 77))),
		update(bson.D{}, doc("$nonsense", doc("a", 1))),
		update(doc("_id", "nobody"), doc("$set", doc("a", 1))),
		update(bson.D{}, doc("$unset", doc("nothing", 1)), multi),
		update(bson.D{}, doc("$max", doc("zero", 0)), multi),
		update(bson.D{}, bson.A{doc("$set", doc("same", "$same"))}),
		update(bson.D{}, doc("$pull", doc("zero", 1))),
		bson.D{{Key: "insert", Value: name}, {Key: "documents", Value: bson.A{doc("_id", w.newID()), doc("_id", bson.A{1})}}, {Key: "ordered", Value: false}},
		bson.D{{Key: "delete", Value: name}, {Key: "deletes", Value: bson.A{bson.D{{Key: "q", Value: doc("_id", "nobody")}, {Key: "limit", Value: 0}}}}},
		bson.D{{Key: "drop", Value: "nothing"}},
		bson.D{{Key: "dropIndexes", Value: name}, {Key: "index", Value: "nothing"}},
		bson.D{{Key: "collMod", Value: name}},
		bson.D{{Key: "find", Value: name}, {Key: "sort", Value: doc("_id", 1)}},
	).(bson.D)
}

// retried draws a write that its client sends twice.
func (w *watcher) retried() {
	w.transactions++
	command := w.write(w.name())
	if at := slices.IndexFunc(command, func(e bson.E) bool { return e.Key == "fields" }); at >= 0 {
		command = slices.Delete(command, at, at+1) // which mongod leaves out of the answer to the second
	}
	command = append(command, bson.E{Key: "lsid", Value: doc("id", doc("$var", "session"))}, bson.E{Key: "txnNumber", Value: w.transactions})
	if strings.Contains(jsonOf(command), `"multi":true`) || command[0].Key == "delete" {
		return // which cannot be retried
	}
	w.run(command)
	w.run(command)
}

// transacted draws writes in a transaction, to several collections.
func (w *watcher) transacted() {
	w.transactions++
	in := func(command bson.D, more ...bson.E) bson.D {
		command = append(command, bson.E{Key: "lsid", Value: doc("id", doc("$var", "session"))},
			bson.E{Key: "txnNumber", Value: w.transactions}, bson.E{Key: "autocommit", Value: false})
		return append(command, more...)
	}
	w.run(in(w.write(w.name()), bson.E{Key: "startTransaction", Value: true}))
	for range w.random.IntN(6) {
		switch {
		case w.chance(8):
			w.add(step{verb: otherDatabase, database: otherDatabase, command: in(w.write(collection))})
		case w.chance(12):
			w.run(in(bson.D{{Key: "create", Value: w.oneOf("e", "f")}}))
		default:
			w.run(in(w.write(w.name())))
		}
	}
	end := w.oneOf("commitTransaction", "commitTransaction", "commitTransaction", "abortTransaction").(string)
	w.add(step{verb: "admin", database: "admin", command: in(doc(end, 1))})
}
