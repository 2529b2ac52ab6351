// Package schema is MongoDB's JSON Schema: what $jsonSchema means in queries and validators. It is draft 4 with bsonType, and
// without references, formats, defaults and the type integer.
//
// A schema is compiled once into rules that run on a value's bytes. A rule asks something of values of one kind, numbers for
// example, and takes all others. Rules stand in the order in which MongoDB reports them, and write why a document fails
// ([Schema.Report]). Which documents a schema is asked about does not belong here.
package schema
