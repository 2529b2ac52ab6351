// Package elementary is the functions of $exp, $ln, $sin and their like.
//
// Functions of doubles give the double that is nearest to the true value, or nearly always: they compute with pairs of doubles, which
// hold twice the digits, and allocate nothing. That is what mongod's library gives, too. Where that is less exact, in hyperbolic
// functions and decimal logarithms, they are computed by the same formulas.
//
// Functions of [big.Float]s, whose names begin with Big, are for decimal128: they have more digits than it holds. Arguments are finite,
// and within what the function is defined for.
package elementary
