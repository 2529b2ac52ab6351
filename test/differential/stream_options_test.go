package differential

import (
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// watch opens a stream of any kind.
func (w *watcher) watch() {
	name := fmt.Sprintf("s%d", len(w.streams)+1)
	where := w.oneOf(collection, collection, "d", "database", "database", "cluster", otherDatabase).(string)
	options, stages := w.options(), bson.A{}
	if where == "cluster" {
		stages = append(stages, doc("$match", doc("ns.db", doc("$in", bson.A{doc("$var", "database"), doc("$var", "otherDatabase")}))))
	}
	switch {
	case w.chance(6): // whether images are there that must be is seen where a filter is asked
		options = bson.D{{Key: w.oneOf("fullDocument", "fullDocumentBeforeChange").(string), Value: "required"}}
		stages = append(stages, doc("$match", w.match()))
	case !w.chance(3):
		for range 1 + w.random.IntN(2) {
			stages = append(stages, w.stage())
		}
	}
	if where == "cluster" && strings.Contains(jsonOf(doc("stages", stages)), `"$all":[]`) {
		// A filter that nothing meets is asked behind the images, with all that stands beside it: then those of events in others' databases count.
		options = bson.D{}
	}
	if field(options, "showRawUpdateDescription") != nil && strings.Contains(jsonOf(doc("stages", stages)), `"updateDescription":`) {
		// mongod asks for an updateDescription what is in the oplog, and leaves out updates that have none as raw ones.
		options = bson.D{}
	}
	fields := doc("cursor", w.oneOf(bson.D{}, bson.D{}, doc("batchSize", 0), doc("batchSize", 1), doc("batchSize", 2), doc("batchSize", 5)))
	if w.chance(4) {
		fields = append(fields, bson.E{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: w.oneOf(1, 2, 3)}}})
	}
	w.add(watchStep(name, where, []any{options, stages, fields}))
	w.streams = append(w.streams, name)
}

func (w *watcher) options() bson.D {
	d := bson.D{}
	switch w.random.IntN(8) {
	case 0, 1:
		d = append(d, bson.E{Key: "fullDocument", Value: "updateLookup"})
	case 2:
		d = append(d, bson.E{Key: "fullDocument", Value: "whenAvailable"})
	case 3:
		d = append(d, bson.E{Key: "fullDocument", Value: w.oneOf("default", "required")})
	}
	switch w.random.IntN(6) {
	case 0, 1:
		d = append(d, bson.E{Key: "fullDocumentBeforeChange", Value: "whenAvailable"})
	case 2:
		d = append(d, bson.E{Key: "fullDocumentBeforeChange", Value: w.oneOf("off", "required")})
	}
	if w.chance(2) {
		d = append(d, bson.E{Key: "showExpandedEvents", Value: true})
	}
	if w.chance(8) {
		d = append(d, bson.E{Key: "showRawUpdateDescription", Value: true})
	}
	if w.chance(12) {
		d = append(d, bson.E{Key: "showSystemEvents", Value: true})
	}
	return d
}

// stage draws a stage behind the stream's. None puts a field of an event's own where there is none: mongod keeps their places.
func (w *watcher) stage() bson.D {
	if w.chance(2) {
		return doc("$match", w.match())
	}
	if w.chance(12) { // what loses the token, or fails
		return w.oneOf(
			doc("$project", doc("_id", 0)), doc("$addFields", doc("_id", 1)), doc("$unset", "_id._data"), doc("$project", doc("_id._data", 1)),
			doc("$replaceWith", "$ns"), doc("$set", doc("x", doc("$add", bson.A{"$fullDocument.a", 1}))),
		).(bson.D)
	}
	return w.oneOf(
		doc("$project", bson.D{{Key: "operationType", Value: 1}, {Key: "fullDocument", Value: 1}}),
		doc("$project", bson.D{{Key: "ns", Value: 1}, {Key: "k", Value: "$documentKey._id"}, {Key: "clusterTime", Value: 1}}),
		doc("$project", bson.D{{Key: "updateDescription", Value: 0}, {Key: "fullDocument.a", Value: 0}}),
		doc("$addFields", bson.D{{Key: "x", Value: doc("$toUpper", "$operationType")}, {Key: "extra.a", Value: 1}}),
		doc("$addFields", doc("fields", doc("$size", doc("$objectToArray", doc("$ifNull", bson.A{"$fullDocument", bson.D{}}))))),
		doc("$set", doc("updated", doc("$objectToArray", "$updateDescription.updatedFields"))),
		doc("$set", doc("operationType", doc("$switch", bson.D{
			{Key: "branches", Value: bson.A{bson.D{{Key: "case", Value: doc("$eq", bson.A{"$operationType", "insert"})}, {Key: "then", Value: "new"}}}},
			{Key: "default", Value: "$operationType"},
		}))),
		doc("$unset", bson.A{"updateDescription.truncatedArrays", "fullDocument.b"}),
		doc("$unset", "operationType"),
		doc("$replaceRoot", doc("newRoot", bson.D{{Key: "_id", Value: "$_id"}, {Key: "o", Value: "$operationType"}, {Key: "d", Value: "$fullDocument"}})),
		doc("$replaceWith", doc("$mergeObjects", bson.A{"$$ROOT", doc("x", "$updateDescription.updatedFields")})),
		doc("$redact", doc("$cond", bson.A{doc("$eq", bson.A{"$operationType", w.kind()}), "$$PRUNE", "$$KEEP"})),
		doc("$redact", doc("$cond", bson.A{doc("$eq", bson.A{"$a", 1}), "$$PRUNE", "$$DESCEND"})),
	).(bson.D)
}

func (w *watcher) kind() string {
	return w.oneOf("insert", "insert", "update", "update", "replace", "delete", "drop", "rename", "dropDatabase", "invalidate", "create", "modify").(string)
}

func (w *watcher) match() bson.D {
	if w.chance(8) {
		return w.oneOf(
			doc("$or", bson.A{w.match(), w.match()}), doc("$and", bson.A{w.match(), w.match()}), doc("$nor", bson.A{w.unmatched()}),
		).(bson.D)
	}
	return w.oneOf(
		doc("operationType", w.kind()),
		doc("operationType", doc("$in", bson.A{w.kind(), w.kind(), "INSERT"})),
		doc("operationType", doc("$ne", w.kind())),
		doc("operationType", doc("$not", doc("$in", bson.A{w.kind(), w.kind()}))),
		doc("ns.coll", w.oneOf("c", "C", "d", bson.Regex{Pattern: "^[cd]$"}, doc("$ne", "c"), nil)),
		doc("ns", bson.D{{Key: "db", Value: doc("$var", "database")}, {Key: "coll", Value: "c"}}),
		doc("fullDocument."+w.path(), w.predicate("", 1)),
		doc("fullDocument.a", doc("$exists", w.chance(2))),
		doc("fullDocument", w.oneOf(nil, doc("$exists", false), doc("$type", "object"))),
		doc("fullDocumentBeforeChange", w.oneOf(nil, doc("$exists", true))),
		doc("fullDocumentBeforeChange.a", w.scalar()),
		doc("documentKey._id", doc(w.oneOf("$gt", "$lte", "$ne").(string), w.random.Int32N(6))),
		doc("documentKey", w.oneOf(doc("_id", 2), doc("$exists", true), nil)),
		doc("updateDescription.updatedFields."+w.oneOf("a", "b", "c", "a.0").(string), w.oneOf(doc("$exists", true), doc("$gt", 0), 1)),
		doc("updateDescription.removedFields", w.oneOf("a", "b", doc("$size", 0), bson.A{})),
		doc("updateDescription.truncatedArrays.newSize", w.oneOf(1, 2, doc("$gte", 0))),
		doc("updateDescription", w.oneOf(nil, doc("$exists", true))),
		doc("clusterTime", doc(w.oneOf("$gt", "$lt").(string), bson.Timestamp{T: 1, I: 1})),
		doc("wallTime", doc(w.oneOf("$gt", "$lt").(string), bson.NewDateTimeFromTime(time.Unix(1, 0)))),
		doc("to.coll", w.oneOf("c", "d", doc("$exists", true), nil)),
		doc("txnNumber", w.oneOf(doc("$exists", true), doc("$gt", 1))),
		doc("lsid", doc("$exists", true)),
		doc("operationDescription", doc("$exists", w.chance(2))),
		doc("$expr", doc("$eq", bson.A{"$operationType", w.kind()})),
		doc("$expr", doc("$gt", bson.A{doc("$size", doc("$ifNull", bson.A{"$updateDescription.removedFields", bson.A{}})), 0})),
		doc("$expr", doc("$in", bson.A{"$ns.coll", bson.A{"c", "D"}})),
		doc("$expr", doc("$lt", bson.A{"$fullDocument.a", "$fullDocument.b"})),
		bson.D{},
	).(bson.D)
}

// unmatched draws what is not to hold. Not about sessions: mongod loses retried writes to a filter on their absence, since the log has them.
func (w *watcher) unmatched() bson.D {
	for {
		filter := w.match()
		if text := jsonOf(filter); !strings.Contains(text, "lsid") && !strings.Contains(text, "txnNumber") {
			return filter
		}
	}
}
