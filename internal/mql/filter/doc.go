// Package filter is MongoDB's query language: what find, $match, updates, deletes, partial indexes and validators use to say
// which documents they mean.
//
// A filter is compiled once, in three steps: the document is parsed into clauses (compile.go and one file a family of
// operators), the clauses are simplified (simplify.go), and nodes are built that run on a document's bytes (build.go, node.go).
// Clauses stay available to those who plan with them: [Filter.Conjunction] for the choice of an index, [Filter.Equalities] for
// upserts. Matching neither decodes nor allocates.
//
// Which values a path leads to is decided in bsonraw ([bsonraw.Path.Walk]), what $expr computes in package expression, reached
// through expr.go alone, and how regular expressions are read in pattern.go. Nothing of updates, sorting or storage belongs here.
package filter
