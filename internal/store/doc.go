// Package store keeps everything that must survive: the catalog, documents, index entries, the oplog, documents as they were
// before they changed (image.go) and the records of retryable writes, in one Pebble database.
//
// A write is one Pebble batch, oplog entry included, so a crash leaves all of it or nothing (commit.go). Timestamps are handed
// out under the commit lock, in the order in which batches enter the journal (journal.go) and Pebble. Whoever waits for a commit syncs the
// journal, and only then the entries are shown to readers of the tail (durable.go, tail.go). After any storage error the store
// stops for good (failure.go). Documents that are read by their _id again and again are kept beside Pebble (rows.go).
//
// Only this package imports Pebble. It knows nothing of commands, queries or change streams: it takes documents and oplog
// entries as bytes and gives them back.
package store
