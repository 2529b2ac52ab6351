package filter

import (
	"slices"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/pattern"
)

// Options are what a filter needs beside its document.
type Options struct {
	// Scope holds the collation of comparisons, and the variables and constants that $expr may name. Nil has no collation, and
	// no variables but those that every expression has.
	Scope *expression.Scope
	// Validator says that the filter will be asked about documents that are to be stored. Some operators are not allowed then.
	Validator bool
	// Upsert says that a document may be made of the filter. It must not have $expr then.
	Upsert bool
}

// Filter is a compiled filter. It is immutable and may be used concurrently.
type Filter struct {
	clause *clause
	parsed *clause // before it was simplified
	run    node
	by     *collation.Collation

	// positional runs the conjuncts in the order in which MongoDB does, because the last one to find an array's element decides
	// the position. It is built at first use: only updates with a positional operator ask for it.
	positional lateNode
	written    lateNode // runs them in the order in which they were written, for projections
	usesExpr   bool
	usesSchema bool
	slow       bool
	plainID    bool
}

// Compile reads a filter document. Errors carry MongoDB's codes and texts, most of them BadValue. The filter keeps references
// into doc, which must not change.
func Compile(doc bsonraw.Doc, opts Options) (*Filter, error) {
	p := newParser(opts)
	parsed, err := p.document(doc)
	if err != nil {
		return nil, err
	}
	c := simplify(parsed)
	p.filter = Filter{
		clause:     c,
		parsed:     parsed,
		run:        build(c, atDocument),
		by:         opts.Scope.Collation(),
		usesExpr:   p.usesExpr,
		usesSchema: p.usesSchema,
		slow:       isSlow(c),
		plainID:    isPlainID(doc),
	}
	return &p.filter, nil
}

// lateNode is a node that is built when it is asked for. Where several ask at once it is built for each.
type lateNode struct{ built atomic.Pointer[node] }

func (l *lateNode) get(build func(*clause) node, c *clause) node {
	if n := l.built.Load(); n != nil {
		return *n
	}
	n := build(c)
	l.built.Store(&n)
	return n
}

// Match reports whether the filter takes the document. Only $expr gives errors. It is for filters that cannot take long, or whose
// documents are few; MatchWith for the others.
func (f *Filter) Match(doc bsonraw.Doc) (bool, error) {
	ok, _, err := f.run.match(nil, doc.Value())
	return ok, err
}

// MatchWith is Match where ctx ends what takes long, and for filters whose scope has variables: it holds their values. It also
// holds the memory that $expr takes, which the caller gives back with Reset.
func (f *Filter) MatchWith(ctx *expression.Context, doc bsonraw.Doc) (bool, error) {
	ok, _, err := f.run.match(ctx, doc.Value())
	return ok, err
}

// MatchAt is Match that also says which element of an array the document matched by: the index that the positional operator $
// of an update stands for, -1 where no array was spread. Where several clauses meet arrays, MongoDB sorts them by
// operator and path, and the last one decides; within $or, $nor and $not none does.
func (f *Filter) MatchAt(ctx *expression.Context, doc bsonraw.Doc) (matched bool, index int, err error) {
	ok, at, err := f.positional.get(buildOrdered, f.clause).match(ctx, doc.Value())
	if !ok || err != nil {
		return false, -1, err
	}
	return true, at, nil
}

// Collation returns how the filter compares strings.
func (f *Filter) Collation() *collation.Collation { return f.by }

// ID returns the one value that the filter demands _id to have; ok is false when it demands none. Values are equal as the
// collation has it.
func (f *Filter) ID() (v bsonraw.Value, ok bool) {
	list := []*clause{f.clause}
	if f.clause.op == opAnd {
		list = f.clause.children
	}
	for _, c := range list {
		if c.op == Eq && c.path.String() == "_id" {
			return c.value, c.value.Type != bsonraw.TypeArray && c.value.Type != bsonraw.TypeNull
		}
	}
	return v, false
}

// IsPlainID reports whether the filter was written as {_id: <value>}, without an operator, and the value is of a type that MongoDB looks up
// without a plan.
func (f *Filter) IsPlainID() bool { return f.plainID }

func isPlainID(doc bsonraw.Doc) bool {
	it := doc.Iter()
	if !it.Next() || string(it.Key()) != "_id" {
		return false
	}
	v := it.Value()
	if it.Next() {
		return false
	}
	switch v.Type {
	case bsonraw.TypeRegex, bsonraw.TypeSymbol, bsonraw.TypeDBPointer:
		return false
	case bsonraw.TypeDocument:
		inner := v.Doc().Iter()
		return !inner.Next() || len(inner.Key()) == 0 || inner.Key()[0] != '$'
	}
	return true
}

// Position is MatchAt for the positional operator $ of a projection: where several clauses meet arrays, the last one as they were
// written decides.
func (f *Filter) Position(ctx *expression.Context, doc bsonraw.Doc) (matched bool, index int, err error) {
	ok, at, err := f.written.get(buildWritten, f.clause).match(ctx, doc.Value())
	if !ok || err != nil {
		return false, -1, err
	}
	return true, at, nil
}

// IsSlow reports whether the filter may take long for one document, longer than reading it.
func (f *Filter) IsSlow() bool { return f.slow }

// manyChildren is how many conditions in one list make a filter slow.
const manyChildren = 64

func isSlow(c *clause) bool {
	switch c.op {
	case opExpr, opSchema:
		return true
	case opRegex:
		x, ok := c.test.(regexTest)
		return ok && pattern.IsSlow(x.matcher)
	case In:
		return len(c.patterns) > 0
	}
	return len(c.children) > manyChildren || slices.ContainsFunc(c.children, isSlow)
}

// IsEmpty reports whether the filter takes every document without looking at it.
func (f *Filter) IsEmpty() bool { return f.clause.op == opTrue }

// IsDisjunction reports whether the filter is an $or.
func (f *Filter) IsDisjunction() bool { return f.clause.op == opOr }

// IsNever reports whether it is plain that the filter takes no document, as with {a: {$in: []}}.
func (f *Filter) IsNever() bool { return isNever(f.clause) }

func isNever(c *clause) bool {
	switch c.op {
	case opFalse:
		return true
	case In:
		return len(c.values) == 0 && len(c.patterns) == 0
	case opAnd:
		return slices.ContainsFunc(c.children, isNever)
	}
	return false
}
