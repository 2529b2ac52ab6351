// Package bsonraw works on BSON as bytes: it walks, compares, looks up, appends and orders documents and values without
// decoding them.
//
// Bytes that come from outside are checked once, with [Validate]; everything else here then relies on their structure and
// never reads beyond a slice, whatever it is given. Nothing of a query language, of storage or of the wire belongs here.
// The rules of order are those of the MongoDB manual's "Comparison/Sort Order"; the byte layout is that of bsonspec.org.
package bsonraw
