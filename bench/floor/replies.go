package main

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// What is answered, made once.
var (
	done    = document(bson.D{ok})
	written = document(bson.D{{Key: "n", Value: 1}, {Key: "nModified", Value: 1}, ok})
	found   = document(bson.D{{Key: "cursor", Value: append(bson.D{{Key: "firstBatch", Value: bson.A{padded()}}, {Key: "id", Value: int64(0)}}, ns)}, ok})
	opened  = document(bson.D{{Key: "cursor", Value: append(cursor(), bson.E{Key: "firstBatch", Value: bson.A{}}, ns)}, ok})
	ok      = bson.E{Key: "ok", Value: 1}
	ns      = bson.E{Key: "ns", Value: "sluice_bench.live"}

	// token is as long as the tokens of events are.
	token = bson.D{{Key: "_data", Value: strings.Repeat("8", 140)}}
	event = bson.D{
		{Key: "_id", Value: token},
		{Key: "operationType", Value: "insert"},
		{Key: "clusterTime", Value: bson.Timestamp{T: 1, I: 1}},
		{Key: "wallTime", Value: bson.DateTime(1)},
		{Key: "ns", Value: bson.D{{Key: "db", Value: "sluice_bench"}, {Key: "coll", Value: "live"}}},
		{Key: "documentKey", Value: bson.D{{Key: "_id", Value: int64(0)}}},
	}
	updateEvent = document(event)
	// eventBegin is an event up to the document that it ends with, without its own end.
	eventBegin = begin(document(event), bson.TypeEmbeddedDocument, "fullDocument")
	// batchBegin is the reply to a getMore up to the array of its batch, and batchCursorAt where the cursor in it begins.
	batchBegin, batchCursorAt = beginBatch()
)

func beginBatch() (reply []byte, cursorAt int) {
	reply = begin(document(bson.D{}), bson.TypeEmbeddedDocument, "cursor")
	return append(reply, begin(document(cursor()), bson.TypeArray, "nextBatch")...), len(reply)
}

// cursor is what all replies of a stream say of its cursor.
func cursor() bson.D {
	return bson.D{{Key: "id", Value: int64(cursorID)}, {Key: "postBatchResumeToken", Value: token}}
}

// padded is a document of documentBytes.
func padded() bson.D {
	doc := bson.D{{Key: "_id", Value: int64(0)}, {Key: "pad", Value: ""}}
	doc[1].Value = strings.Repeat("a", documentBytes-len(document(doc)))
	return doc
}

func document(d bson.D) []byte {
	b, err := bson.Marshal(d)
	if err != nil {
		panic(err) // constants
	}
	return b
}

// begin takes a document's end away, and begins one more element.
func begin(d []byte, kind bson.Type, name string) []byte {
	return append(append(append(d[:len(d)-1], byte(kind)), name...), 0)
}

// hello is what a primary says of itself.
func hello(address string) []byte {
	return document(bson.D{
		{Key: "helloOk", Value: true},
		{Key: "isWritablePrimary", Value: true},
		{Key: "ismaster", Value: true},
		{Key: "setName", Value: "floor"},
		{Key: "setVersion", Value: 1},
		{Key: "hosts", Value: bson.A{address}},
		{Key: "primary", Value: address},
		{Key: "me", Value: address},
		{Key: "secondary", Value: false},
		{Key: "maxBsonObjectSize", Value: 16 << 20},
		{Key: "maxMessageSizeBytes", Value: maxMessage},
		{Key: "maxWriteBatchSize", Value: 100_000},
		{Key: "logicalSessionTimeoutMinutes", Value: 30},
		{Key: "minWireVersion", Value: 0},
		{Key: "maxWireVersion", Value: 21},
		{Key: "ok", Value: 1},
	})
}
