package plan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// values are what documents and filters are made of: few enough that they meet, of many classes.
var values = []any{
	nil, 0, 1, 2, 2.5, int64(3), -1, "", "a", "b", "A", "ab", true, false,
	bson.D{},
	bson.D{{Key: "x", Value: 1}},
	bson.D{{Key: "x", Value: "a"}, {Key: "y", Value: 2}},
	bson.A{},
	bson.A{1},
	bson.A{1, 3},
	bson.A{nil, "a"},
	bson.A{bson.A{1}},
	bson.MinKey{},
	bson.MaxKey{},
	bson.Undefined{},
	bson.Regex{Pattern: "^a"},
	bson.A{bson.D{{Key: "x", Value: 1}, {Key: "y", Value: 2}}, bson.D{{Key: "x", Value: bson.A{2, 3}}}},
	bson.A{bson.D{{Key: "x", Value: 2}, {Key: "y", Value: bson.A{0, 2}}}, bson.D{}},
	bson.D{{Key: "x", Value: bson.A{1, 2}}},
	bson.D{{Key: "x", Value: nil}},
}

var fields = []string{"a", "b", "c", "a.x", "a.y", "b.x"}

func genDoc(t *rapid.T, id int) bson.D {
	d := bson.D{{Key: "_id", Value: id}}
	for _, name := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "has "+name) {
			d = append(d, bson.E{Key: name, Value: rapid.SampledFrom(values).Draw(t, name)})
		}
	}
	return d
}

// scalars are values that every comparison takes.
var scalars = slices.DeleteFunc(slices.Clone(values), func(v any) bool {
	switch v.(type) {
	case bson.Undefined, bson.Regex:
		return true
	}
	return false
})

func genCondition(t *rapid.T, depth int) any {
	value := rapid.SampledFrom(scalars).Draw(t, "value")
	switch op := rapid.SampledFrom([]string{"", "$gt", "$gte", "$lt", "$lte", "$ne", "$in", "$nin", "$exists", "$elemMatch", "$not", "$regex", "$type", "$all", "range"}).Draw(t, "op"); op {
	case "":
		return value
	case "$in", "$nin", "$all":
		return bson.D{{Key: op, Value: bson.A{value, rapid.SampledFrom(scalars).Draw(t, "other")}}}
	case "$exists":
		return bson.D{{Key: op, Value: rapid.Bool().Draw(t, "exists")}}
	case "$elemMatch":
		if depth > 0 && rapid.Bool().Draw(t, "object") {
			return bson.D{{Key: op, Value: bson.D{{Key: "x", Value: genCondition(t, depth-1)}, {Key: "y", Value: genCondition(t, depth-1)}}}}
		}
		return bson.D{{Key: op, Value: bson.D{{Key: "$gte", Value: 1}, {Key: "$lt", Value: value}}}}
	case "$not":
		return bson.D{{Key: op, Value: bson.D{{Key: "$gt", Value: value}}}}
	case "$regex":
		return bson.D{{Key: op, Value: rapid.SampledFrom([]string{"^a", "^a.*", "b"}).Draw(t, "pattern")}}
	case "$type":
		return bson.D{{Key: op, Value: rapid.SampledFrom([]any{"string", "array", "null", "number", bson.A{"int", "object"}}).Draw(t, "type")}}
	case "range":
		return bson.D{{Key: "$gte", Value: value}, {Key: "$lte", Value: rapid.SampledFrom(scalars).Draw(t, "high")}}
	default:
		return bson.D{{Key: op, Value: value}}
	}
}

func genFilter(t *rapid.T, depth int) bson.D {
	all := bson.A{}
	for range rapid.IntRange(1, 3).Draw(t, "conditions") {
		if depth > 0 && rapid.IntRange(0, 3).Draw(t, "or") == 0 {
			or := bson.A{}
			for range rapid.IntRange(1, 3).Draw(t, "branches") {
				or = append(or, genFilter(t, depth-1))
			}
			all = append(all, bson.D{{Key: rapid.SampledFrom([]string{"$or", "$or", "$nor"}).Draw(t, "join"), Value: or}})
			continue
		}
		if rapid.IntRange(0, 5).Draw(t, "expr") == 0 {
			equal := bson.A{"$" + rapid.SampledFrom(fields).Draw(t, "path"), bson.D{{Key: "$literal", Value: rapid.SampledFrom(values).Draw(t, "constant")}}}
			all = append(all, bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: equal}}}})
			continue
		}
		all = append(all, bson.D{{Key: rapid.SampledFrom(append(fields, "_id")).Draw(t, "field"), Value: genCondition(t, 1)}})
	}
	return bson.D{{Key: "$and", Value: all}}
}

var english = bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 1}}

func genIndexes(t *rapid.T) []bson.D {
	var list []bson.D
	for i := range rapid.IntRange(1, 4).Draw(t, "indexes") {
		key := bson.D{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(fields), 1, 3, rapid.ID).Draw(t, "key") {
			key = append(key, bson.E{Key: name, Value: rapid.SampledFrom([]int{1, -1}).Draw(t, "direction")})
		}
		wild := rapid.IntRange(0, 4).Draw(t, "wildcard") == 0
		if wild {
			key = bson.D{{Key: rapid.SampledFrom([]string{"$**", "a.$**", "b.x.$**"}).Draw(t, "key"), Value: 1}}
		}
		spec := index(string(rune('p'+i)), key)
		if wild && key[0].Key == "$**" && rapid.Bool().Draw(t, "projected") {
			spec = append(spec, bson.E{Key: "wildcardProjection", Value: rapid.SampledFrom([]bson.D{
				{{Key: "a", Value: 1}},
				{{Key: "a.x", Value: 1}, {Key: "_id", Value: 1}},
				{{Key: "a", Value: 0}, {Key: "b.x", Value: 0}},
				{{Key: "a", Value: bson.D{{Key: "y", Value: 1}}}},
				{{Key: "_id", Value: 1}},
			}).Draw(t, "projection")})
		}
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			if !wild {
				spec = append(spec, bson.E{Key: "sparse", Value: true})
			}
		case 1:
			partial := rapid.SampledFrom([]bson.D{
				{{Key: "a", Value: bson.D{{Key: "$exists", Value: true}}}},
				{{Key: "b", Value: bson.D{{Key: "$gte", Value: 1}}}},
				{{Key: "a", Value: bson.D{{Key: "$type", Value: "number"}}}},
				{{Key: "$or", Value: bson.A{bson.D{{Key: "b", Value: 1}}, bson.D{{Key: "c", Value: bson.D{{Key: "$lt", Value: "b"}}}}}}},
			}).Draw(t, "partial")
			spec = append(spec, bson.E{Key: "partialFilterExpression", Value: partial})
		case 2:
			spec = append(spec, bson.E{Key: "collation", Value: english})
		}
		list = append(list, spec)
	}
	return list
}

func genSort(t *rapid.T) bson.D {
	spec := bson.D{}
	for _, field := range rapid.SliceOfNDistinct(rapid.SampledFrom(append(fields, "_id")), 0, 3, rapid.ID).Draw(t, "sort") {
		spec = append(spec, bson.E{Key: field, Value: rapid.SampledFrom([]int{1, -1}).Draw(t, "direction")})
	}
	if len(spec) == 0 {
		return nil
	}
	return spec
}

// TestEveryPlanFindsWhatAScanFinds holds plans by any indexes, for any filter and order, to what a scan of all documents gives.
func TestEveryPlanFindsWhatAScanFinds(t *testing.T) {
	t.Parallel()
	en, err := collation.Parse(marshal(t, english), "collation")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, genIndexes(rt)...)
		for id := range rapid.IntRange(1, 25).Draw(rt, "documents") {
			f.insert(t, marshal(t, genDoc(rt, id)))
		}
		by := rapid.SampledFrom([]*collation.Collation{nil, nil, en}).Draw(rt, "collation")
		spec := genFilter(rt, 2)
		compiled := query(t, spec, by)
		sort := genSort(rt)
		want := f.run(t, plan.Choose(f.coll, plan.Query{Filter: compiled, Hint: plan.Hint{Natural: 1}}), 1000)
		slices.Sort(want)
		for _, x := range append([]*store.Index{nil}, f.coll.Indexes...) {
			if x != nil && (x.Sparse || x.Rules != nil && !x.Spec.Lookup("partialFilterExpression").IsMissing()) {
				continue // a hint has them give what they have
			}
			p := plan.Choose(f.coll, plan.Query{Filter: compiled, Order: order(t, sort, by), Hint: plan.Hint{Index: x}})
			if p.Err() != nil {
				continue // which only a hint does
			}
			got := f.run(t, p, 1+rapid.IntRange(0, 3).Draw(rt, "pause"))
			slices.Sort(got)
			if !slices.Equal(got, want) {
				rt.Fatalf("filter %v by index %s: got %v, a scan gives %v", spec, names(p), got, want)
			}
			if p.Sorted && sort != nil {
				f.checkOrder(rt, p, order(t, sort, by), spec)
			}
		}
	})
}

func (f *fixture) checkOrder(t *rapid.T, p *plan.Plan, order *ordering.Ordering, spec bson.D) {
	w := p.Open(f.st)
	defer w.Close()
	var last []byte
	for {
		d, err := w.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		key, err := order.AppendKey(nil, d)
		if err != nil {
			return // a sort would fail; an index has no such document
		}
		if bytes.Compare(key, last) < 0 {
			t.Fatalf("filter %v sorted by %v with index %s: %s is out of order", spec, order.Fields(), names(p), d.Shell())
		}
		last = key
	}
}
