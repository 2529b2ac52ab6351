package aggregation

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// Codes for an argument that is no document.
const (
	codeFirstNObject mongoerr.Code = 5787801
	codeMinNObject   mongoerr.Code = 5787900
)

// countedAccumulator is the row of an operator that takes {input, n} and gives an array of at most n values.
func countedAccumulator(notObject mongoerr.Code, begin func(s *expression.Scope, n int64) accumulator) accumulatorCompiler {
	return func(c *compiler, name string, argument bsonraw.Value) (a accumulation, err error) {
		if argument.Type != bsonraw.TypeDocument {
			return a, mongoerr.New(notObject, "specification must be an object; found %s: %s", name, argument.Shell())
		}
		var n, input bsonraw.Value
		for it := argument.Doc().Iter(); it.Next(); {
			switch string(it.Key()) {
			case "n":
				n = it.Value()
			case "input":
				input = it.Value()
			default:
				return a, mongoerr.New(5787901, "Unknown argument for 'n' operator: %s", it.Key())
			}
		}
		switch {
		case n.IsMissing():
			return a, mongoerr.New(5787906, "Missing value for 'n'")
		case input.IsMissing():
			return a, mongoerr.New(5787907, "Missing value for 'input'")
		}
		if a.count, err = expression.Compile(n, c.scope); err != nil {
			return a, err
		}
		a.input, err = expression.Compile(input, c.scope)
		a.start = func(n int64) accumulator { return begin(c.scope, n) }
		return a, err
	}
}

// arrayOf makes an array of values.
func arrayOf(values func(visit func(v bsonraw.Value))) bsonraw.Value {
	list := bsonraw.BeginArray(nil)
	values(list.Append)
	return bsonraw.Value{Type: bsonraw.TypeArray, Data: list.End()}
}

// valueOverhead is what a value that is kept takes beside its bytes.
const valueOverhead = 32

// firstValues is $firstN.
type firstValues struct {
	n    int64
	list bsonraw.ArrayBuilder
	took int64
	more bool // there were more
}

func (a *firstValues) add(v bsonraw.Value) (int, error) {
	if a.took == 0 {
		a.list = bsonraw.BeginArray(nil)
	}
	if a.took == a.n {
		a.more = true
		return 0, nil
	}
	a.took++
	before := a.list.Size()
	a.list.Append(orNull(v))
	return a.list.Size() - before, nil
}

// full is told when a value was turned away, as in MongoDB: an expression that fails for the one behind the last fails the $group.
func (a *firstValues) full() bool { return a.more }

func (a *firstValues) result(*expression.Context) (bsonraw.Value, error) {
	if a.took == 0 {
		return emptyArray, nil
	}
	// The end is written to a copy, so that more can follow.
	list := a.list
	return bsonraw.Value{Type: bsonraw.TypeArray, Data: bytes.Clone(list.End())}, nil
}

var emptyArray = bsonraw.Value{Type: bsonraw.TypeArray, Data: bsonraw.Empty}

// lastValues is $lastN.
type lastValues struct {
	n    int64
	ring []bsonraw.Value
	at   int // the oldest, once there are n
}

func (a *lastValues) add(v bsonraw.Value) (int, error) {
	v = orNull(v)
	if int64(len(a.ring)) < a.n {
		a.ring = append(a.ring, keep(bsonraw.Value{}, v))
		return len(v.Data) + valueOverhead, nil
	}
	old := a.ring[a.at]
	a.ring[a.at] = keep(old, v)
	a.at = (a.at + 1) % len(a.ring)
	return len(v.Data) - len(old.Data), nil
}

func (a *lastValues) result(*expression.Context) (bsonraw.Value, error) {
	return arrayOf(func(visit func(v bsonraw.Value)) {
		for i := range a.ring {
			visit(a.ring[(a.at+i)%len(a.ring)])
		}
	}), nil
}

// extremes is $minN and $maxN. Null and what is missing do not count.
type extremes struct {
	scope    *expression.Scope
	ranking  *expression.Ranking
	greatest bool
	key      []byte
}

func newExtremes(s *expression.Scope, n int64, greatest bool) *extremes {
	return &extremes{scope: s, ranking: expression.NewRanking(n, greatest), greatest: greatest}
}

func (a *extremes) add(v bsonraw.Value) (int, error) {
	if v.Type.Class() == bsonraw.TypeNull.Class() || v.Type == bsonraw.TypeUndefined {
		return 0, nil
	}
	a.key = a.scope.Collation().AppendKey(a.key[:0], v)
	return rank(a.ranking, a.key, v), nil
}

func (a *extremes) result(*expression.Context) (bsonraw.Value, error) {
	return arrayOf(func(visit func(v bsonraw.Value)) { a.ranking.Values(a.greatest, visit) }), nil
}

// rank gives a ranking a value if it takes it, and returns how many bytes it keeps more than before.
func rank(r *expression.Ranking, key []byte, v bsonraw.Value) (kept int) {
	if !r.Takes(key) {
		return 0
	}
	goneKey, gone := r.Put(bytes.Clone(key), keep(bsonraw.Value{}, v))
	kept = len(key) + len(v.Data)
	if goneKey == nil {
		return kept + rankedOverhead
	}
	return kept - len(goneKey) - len(gone.Data)
}

// rankedOverhead is what a row of a ranking takes beside its bytes.
const rankedOverhead = 64
