// Package plan chooses how the documents that a filter asks for are found, and walks them: one document by its _id, a range of
// _ids, ranges of an index, or all documents.
//
// A plan only ever narrows what is looked at: every document is tested against the whole filter before it is handed out, so a
// range may be too wide but never too narrow.
package plan
