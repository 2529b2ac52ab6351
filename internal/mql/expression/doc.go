// Package expression is MongoDB's aggregation expression language: what $expr, computed fields of projections, $addFields,
// $redact and the other stages evaluate.
//
// [Compile] turns a BSON value into a tree of nodes once; [Expression.Eval] runs the tree on a document's bytes. Results are
// views into the document, into the expression's constants or into the memory of a [Context]; field paths and comparisons of
// plain values allocate nothing.
//
// Everything that names a variable is resolved when compiling, through a [Scope]: system variables, a command's let and
// constants become constant nodes, variables of $let, $map and the like become slots in the Context.
//
// The operators are one table (table.go): name, number of arguments and a function, or a compile function where an operator
// reads its argument in a form of its own. A new operator is a new row. Stages, projections and accumulators do not belong here.
package expression
