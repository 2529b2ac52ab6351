package filter

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// Op is what a clause does.
type Op uint8

// The operators. Their order is the one in which MongoDB sorts the conjuncts of a filter, which shows in what the positional
// operator stands for.
const (
	opTrue Op = iota
	opFalse
	opAnd
	opOr
	opElemMatchObject
	opElemMatchValue
	opSize
	Eq  // equal to Value
	Lte // at most Value, and of its class
	Lt  // below Value, and of its class
	Gt  // above Value, and of its class
	Gte // at least Value, and of its class
	opRegex
	opMod
	Exists // there is a value, null included
	In     // equal to one of Values
	opBits
	opNot
	opNor
	opType
	opExpr
	opSample
	opSchema
)

// String returns the operator as a filter spells it.
func (op Op) String() string { return opNames[op] }

var opNames = [...]string{
	opTrue: "$alwaysTrue", opFalse: "$alwaysFalse", opAnd: "$and", opOr: "$or", opElemMatchObject: "$elemMatch",
	opElemMatchValue: "$elemMatch", opSize: "$size", Eq: "$eq", Lte: "$lte", Lt: "$lt", Gt: "$gt", Gte: "$gte", opRegex: "$regex",
	opMod: "$mod", Exists: "$exists", In: "$in", opBits: "$bits", opNot: "$not", opNor: "$nor", opType: "$type", opExpr: "$expr",
	opSample: "$sampleRate", opSchema: "$jsonSchema",
}

// clause is one condition of a filter, as parsed.
type clause struct {
	op       Op
	path     bsonraw.Path // of conditions on a field; empty otherwise
	children []*clause    // of $and, $or, $nor, $not and $elemMatch
	test     test         // of conditions on one value
	value    bsonraw.Value
	values   []bsonraw.Value      // of In: in order, without duplicates
	patterns []*clause            // of In: the regular expressions among its members
	by       *collation.Collation // of comparisons: how strings compare
	run      node                 // of conditions on the whole document that have neither children nor a test: $expr, $sampleRate
	said     said
}

// said is how a condition was written, for those who are told that a document fails it.
type said struct {
	name  string        // the operator; "" for a conjunction that nobody wrote
	arg   bsonraw.Value // its argument
	plain bool          // no operator was written, but arg as the field's value
	all   bsonraw.Doc   // what stood beside the operator
}

// test decides on one value that a path led to. A missing value is one too.
type test interface {
	holds(v bsonraw.Value) bool
}

// conjunction joins conditions that nobody joined by name.
func conjunction(children []*clause) *clause { return &clause{op: opAnd, children: children} }

func negation(c *clause) *clause { return &clause{op: opNot, path: c.path, children: []*clause{c}} }

// leaf says how the condition reads an array at the end of its path.
func (c *clause) leaf() bsonraw.Leaf {
	switch c.op {
	case opSize, opElemMatchObject, opElemMatchValue:
		return bsonraw.LeafWhole
	}
	return bsonraw.LeafSpread
}
