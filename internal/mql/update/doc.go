// Package update is MongoDB's update language: documents of operators, replacement documents and pipelines, compiled once and
// applied to raw documents. An application gives the new document and what the oplog records of it.
//
// Operators are compiled into a tree by their paths. Applying walks the document along that tree and collects edits, places
// in the old bytes with what stands there instead, which are spliced into the new document at the end: whatever is not changed
// is copied as it is, once. What the operators do is recorded as they do it ([oplog.Recorder]), not found by comparing.
//
// Neither filters (package filter) nor storage belong here; the caller finds the documents, makes missing _ids and stores.
package update
