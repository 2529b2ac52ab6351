// Package changestream makes change streams of the oplog: it reads the $changeStream stage, turns oplog entries into events,
// and builds and reads resume tokens.
//
// An event is a function of its oplog entry alone, and of the store where a document is looked up. A [Stream] is a position
// and compiled options, nothing else: it holds no entry, no iterator and no goroutine between two calls of [Stream.Fill]. Where
// entries and documents are kept is not known here: [Source] and [Lookup] say what is needed. Cursors, waiting and replies
// belong to the caller.
package changestream
