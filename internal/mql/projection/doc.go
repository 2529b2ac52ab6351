// Package projection shapes documents: find's projections, $project, $addFields ($set) and $unset.
//
// [Compile] turns a specification into a tree of the fields that it names; [Projection.Append] walks a document once and
// appends the result to a buffer. What an output field is computed from is package expression's matter; conditions of
// $elemMatch are package filter's.
//
// Fields keep the order of the document; computed fields that are not in the document follow in the order of the
// specification.
package projection
