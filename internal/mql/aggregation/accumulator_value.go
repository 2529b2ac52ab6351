package aggregation

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

type totalSum struct{ total expression.Total }

func (a *totalSum) add(v bsonraw.Value) (int, error) {
	a.total.Add(v)
	return 0, nil
}

func (a *totalSum) result(ctx *expression.Context) (bsonraw.Value, error) {
	return a.total.Sum(ctx), nil
}

type totalAverage struct{ total expression.Total }

func (a *totalAverage) add(v bsonraw.Value) (int, error) {
	a.total.Add(v)
	return 0, nil
}

func (a *totalAverage) result(ctx *expression.Context) (bsonraw.Value, error) {
	return a.total.Average(ctx), nil
}

// deviation is $stdDevPop and, with sample, $stdDevSamp.
type deviation struct {
	spread expression.Deviation
	sample bool
}

func (a *deviation) add(v bsonraw.Value) (int, error) {
	a.spread.Add(v)
	return 0, nil
}

func (a *deviation) result(ctx *expression.Context) (bsonraw.Value, error) {
	return a.spread.Result(ctx, a.sample), nil
}

// extreme is $min or $max. Null and what is missing do not count.
type extreme struct {
	sign  int
	scope *expression.Scope
	value bsonraw.Value
}

func (a *extreme) add(v bsonraw.Value) (int, error) {
	if v.Type.Class() == bsonraw.TypeNull.Class() || v.Type == bsonraw.TypeUndefined {
		return 0, nil
	}
	if !a.value.IsMissing() && a.scope.Collation().Compare(v, a.value)*a.sign <= 0 {
		return 0, nil
	}
	kept := len(v.Data) - len(a.value.Data)
	a.value = keep(a.value, v)
	return kept, nil
}

func (a *extreme) result(*expression.Context) (bsonraw.Value, error) { return orNull(a.value), nil }

type firstValue struct {
	value bsonraw.Value
	taken bool
}

func (a *firstValue) add(v bsonraw.Value) (int, error) {
	if a.taken {
		return 0, nil
	}
	a.taken, a.value = true, keep(a.value, v)
	return len(v.Data), nil
}

func (a *firstValue) full() bool { return a.taken }

func (a *firstValue) result(*expression.Context) (bsonraw.Value, error) { return orNull(a.value), nil }

type lastValue struct{ value bsonraw.Value }

func (a *lastValue) add(v bsonraw.Value) (int, error) {
	kept := len(v.Data) - len(a.value.Data)
	a.value = keep(a.value, v)
	return kept, nil
}

func (a *lastValue) result(*expression.Context) (bsonraw.Value, error) { return orNull(a.value), nil }

// pushed is $push: all values in their order.
type pushed struct{ list bsonraw.ArrayBuilder }

func (a *pushed) add(v bsonraw.Value) (int, error) {
	if v.IsMissing() {
		return 0, nil
	}
	before := a.list.Size()
	a.list.Append(v)
	return a.list.Size() - before, nil
}

func (a *pushed) result(*expression.Context) (bsonraw.Value, error) {
	return bsonraw.Value{Type: bsonraw.TypeArray, Data: a.list.End()}, nil
}

// distinctValues is $addToSet: each value once, in the order in which they came first.
type distinctValues struct {
	scope *expression.Scope
	seen  map[string]struct{}
	list  []bsonraw.Value
	key   []byte
}

func (a *distinctValues) add(v bsonraw.Value) (int, error) {
	if v.IsMissing() {
		return 0, nil
	}
	if a.seen == nil {
		a.seen = map[string]struct{}{}
	}
	a.key = a.scope.Collation().AppendKey(a.key[:0], v)
	if _, ok := a.seen[string(a.key)]; ok {
		return 0, nil
	}
	a.seen[string(a.key)] = struct{}{}
	a.list = append(a.list, keep(bsonraw.Value{}, v))
	return len(a.key) + len(v.Data), nil
}

func (a *distinctValues) result(*expression.Context) (bsonraw.Value, error) {
	list := bsonraw.BeginArray(nil)
	for _, v := range a.list {
		list.Append(v)
	}
	return bsonraw.Value{Type: bsonraw.TypeArray, Data: list.End()}, nil
}

// merged is $mergeObjects: the fields of all documents, the last value of each.
type merged struct {
	names  []string
	values map[string]bsonraw.Value
}

func (a *merged) add(v bsonraw.Value) (kept int, err error) {
	if v.Type.Class() == bsonraw.TypeNull.Class() || v.Type == bsonraw.TypeUndefined {
		return 0, nil
	}
	if v.Type != bsonraw.TypeDocument {
		return 0, mongoerr.New(5911200, "$mergeObjects only supports objects")
	}
	if a.values == nil {
		a.values = map[string]bsonraw.Value{}
	}
	for it := v.Doc().Iter(); it.Next(); {
		name := string(it.Key())
		old, known := a.values[name]
		if !known {
			a.names = append(a.names, name)
			kept += 2 * len(name)
		}
		a.values[name] = keep(bsonraw.Value{}, it.Value())
		kept += len(it.Value().Data) - len(old.Data)
	}
	return kept, nil
}

func (a *merged) result(*expression.Context) (bsonraw.Value, error) {
	out, at := bsonraw.BeginDoc(nil)
	for _, name := range a.names {
		out = bsonraw.AppendValue(out, name, a.values[name])
	}
	return bsonraw.Value{Type: bsonraw.TypeDocument, Data: bsonraw.EndDoc(out, at)}, nil
}
