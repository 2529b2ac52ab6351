package aggregation

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// accumulator takes the values of one field of a group, one for each document, and gives the field in the end.
type accumulator interface {
	// add takes a value, which is valid during the call, and returns how many bytes it keeps more than before.
	add(v bsonraw.Value) (kept int, err error)
	// result is valid until ctx.Reset. More values may follow.
	result(ctx *expression.Context) (bsonraw.Value, error)
}

// sated is an accumulator that may take no more values from some time on. Its input is then not computed for more documents, and cannot
// fail for them.
type sated interface{ full() bool }

// accumulation is a compiled accumulator.
type accumulation struct {
	// input is what the accumulator takes of a document.
	input accumulatorInput
	// count is the n of the operators that have one, else nil. Of a group it sees the _id alone.
	count *expression.Expression
	start func(n int64) accumulator
}

// accumulatorInput computes one value for a document: an expression, or several of them put together.
type accumulatorInput interface {
	Eval(ctx *expression.Context, doc bsonraw.Doc) (bsonraw.Value, error)
	Optimize() error
}

// accumulatorCompiler reads the argument of an accumulator.
type accumulatorCompiler func(c *compiler, name string, argument bsonraw.Value) (accumulation, error)

// accumulators is the table of $group's operators, those of MongoDB 7.0 that there are not included: they are nil.
var accumulators = map[string]accumulatorCompiler{
	"$sum":          unaryAccumulator(func(*expression.Scope) accumulator { return &totalSum{} }),
	"$avg":          unaryAccumulator(func(*expression.Scope) accumulator { return &totalAverage{} }),
	"$min":          unaryAccumulator(func(s *expression.Scope) accumulator { return &extreme{sign: -1, scope: s} }),
	"$max":          unaryAccumulator(func(s *expression.Scope) accumulator { return &extreme{sign: 1, scope: s} }),
	"$first":        unaryAccumulator(func(*expression.Scope) accumulator { return &firstValue{} }),
	"$last":         unaryAccumulator(func(*expression.Scope) accumulator { return &lastValue{} }),
	"$push":         unaryAccumulator(func(*expression.Scope) accumulator { return &pushed{list: bsonraw.BeginArray(nil)} }),
	"$addToSet":     unaryAccumulator(func(s *expression.Scope) accumulator { return &distinctValues{scope: s} }),
	"$mergeObjects": unaryAccumulator(func(*expression.Scope) accumulator { return &merged{} }),
	"$stdDevPop":    unaryAccumulator(func(*expression.Scope) accumulator { return &deviation{} }),
	"$stdDevSamp":   unaryAccumulator(func(*expression.Scope) accumulator { return &deviation{sample: true} }),
	"$count":        compileCountAccumulator,

	"$firstN": countedAccumulator(codeFirstNObject, func(_ *expression.Scope, n int64) accumulator { return &firstValues{n: n} }),
	"$lastN":  countedAccumulator(codeFirstNObject, func(_ *expression.Scope, n int64) accumulator { return &lastValues{n: n} }),
	"$minN":   countedAccumulator(codeMinNObject, func(s *expression.Scope, n int64) accumulator { return newExtremes(s, n, false) }),
	"$maxN":   countedAccumulator(codeMinNObject, func(s *expression.Scope, n int64) accumulator { return newExtremes(s, n, true) }),

	"$top":     rankedAccumulator(rankedForm{single: true}),
	"$topN":    rankedAccumulator(rankedForm{}),
	"$bottom":  rankedAccumulator(rankedForm{single: true, bottom: true}),
	"$bottomN": rankedAccumulator(rankedForm{bottom: true}),

	"$median":     quantileAccumulator,
	"$percentile": quantileAccumulator,

	"$accumulator": nil,
}

// compileAccumulation reads {$operator: argument}, whose form has been checked.
func compileAccumulation(c *compiler, spec bsonraw.Doc) (accumulation, error) {
	operator := firstKey(spec)
	argument := spec.Lookup(operator)
	compile, known := accumulators[operator]
	switch {
	case argument.Type == bsonraw.TypeArray:
		return accumulation{}, mongoerr.New(40237, "The %s accumulator is a unary operator", operator)
	case !known:
		return accumulation{}, mongoerr.New(15952, "unknown group operator '%s'", operator)
	case compile == nil:
		return accumulation{}, mongoerr.New(mongoerr.CommandNotSupported, "Accumulator %s is not supported by this server", operator)
	}
	return compile(c, operator, argument)
}

// optimize evaluates what no document changes.
func (a *accumulation) optimize() error {
	if a.count != nil {
		if err := a.count.Optimize(); err != nil {
			return err
		}
	}
	return a.input.Optimize()
}

// begin makes the accumulator for a group, whose _id may be a document that its n reads.
func (a *accumulation) begin(ctx *expression.Context, id bsonraw.Value) (accumulator, error) {
	if a.count == nil {
		return a.start(1), nil
	}
	root := bsonraw.Empty
	if id.IsDoc() {
		root = id.Doc()
	}
	v, err := a.count.Eval(ctx, root)
	if err != nil {
		return nil, err
	}
	n, err := expression.PickCount(v)
	if err != nil {
		return nil, err
	}
	return a.start(n), nil
}

// unaryAccumulator is the row of an operator whose argument is an expression.
func unaryAccumulator(begin func(*expression.Scope) accumulator) accumulatorCompiler {
	return func(c *compiler, _ string, argument bsonraw.Value) (accumulation, error) {
		input, err := expression.Compile(argument, c.scope)
		return accumulation{input: input, start: func(int64) accumulator { return begin(c.scope) }}, err
	}
}

func compileCountAccumulator(c *compiler, _ string, argument bsonraw.Value) (accumulation, error) {
	if argument.Type != bsonraw.TypeDocument || !argument.Doc().IsEmpty() {
		return accumulation{}, mongoerr.New(mongoerr.TypeMismatch, "$count takes no arguments, i.e. $count:{}")
	}
	input, err := expression.Compile(bsonraw.Int32Value(1), c.scope)
	return accumulation{input: input, start: func(int64) accumulator { return &totalSum{} }}, err
}

// isAccumulator reports whether a value has the form of an accumulator's specification.
func isAccumulator(spec bsonraw.Value) bool {
	return spec.Type == bsonraw.TypeDocument && strings.HasPrefix(firstKey(spec.Doc()), "$")
}

func orNull(v bsonraw.Value) bsonraw.Value {
	if v.IsMissing() {
		return bsonraw.NullValue
	}
	return v
}

// keep copies v into the memory of old, which is given up.
func keep(old, v bsonraw.Value) bsonraw.Value {
	return bsonraw.Value{Type: v.Type, Data: append(old.Data[:0:cap(old.Data)], v.Data...)}
}
