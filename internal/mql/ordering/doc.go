// Package ordering is MongoDB's sort specification: {age: -1, "name.last": 1}. It compiles one into an [Ordering], which turns
// each document into a key whose bytes compare as the documents are to be sorted. Who sorts, and with how much memory, is not
// decided here.
package ordering
