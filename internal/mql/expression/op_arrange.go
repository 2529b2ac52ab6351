package expression

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// sortArray is $sortArray.
type sortArray struct {
	late
	input node
	by    *collation.Collation
	keys  []arrayKey // one without a path sorts whole items
}

type arrayKey struct {
	path []string
	sign int
}

func compileSortArray(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(2942500, "$sortArray requires an object as an argument, found: %s", argument.Type.Name())
	}
	var input, sortBy bsonraw.Value
	for it := argument.Doc().Iter(); it.Next(); {
		switch string(it.Key()) {
		case "input":
			input = it.Value()
		case "sortBy":
			sortBy = it.Value()
		default:
			return nil, unknownArgument(2942501, name)(it.Key())
		}
	}
	switch {
	case input.IsMissing():
		return nil, mongoerr.New(2942502, "$sortArray requires 'input' to be specified")
	case sortBy.IsMissing():
		return nil, mongoerr.New(2942503, "$sortArray requires 'sortBy' to be specified")
	}
	n := &sortArray{by: c.scope.Collation()}
	var err error
	if n.keys, err = readArrayKeys(sortBy); err != nil {
		return nil, err
	}
	n.input, err = c.operand(input)
	return n, err
}

func readArrayKeys(sortBy bsonraw.Value) ([]arrayKey, error) {
	switch {
	case sortBy.Type.IsNumber():
		sign, ok := directionOf(sortBy)
		if !ok {
			return nil, mongoerr.New(2942506, "The $sort element value must be either 1 or -1")
		}
		return []arrayKey{{sign: sign}}, nil
	case sortBy.Type != bsonraw.TypeDocument:
		return nil, mongoerr.New(2942507, "The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields")
	case sortBy.Doc().IsEmpty():
		return nil, badSortPattern("The sort pattern is empty when it should be a set of fields.")
	}
	var keys []arrayKey
	for it := sortBy.Doc().Iter(); it.Next(); {
		sign, ok := directionOf(it.Value())
		if !ok {
			return nil, badSortPattern("The sort element value must be either 1 or -1")
		}
		field := string(it.Key())
		if field == "" {
			return nil, badSortPattern("The sort field cannot be empty")
		}
		path := strings.Split(field, ".")
		if slices.Contains(path, "") {
			return nil, badSortPattern("The sort field is a dotted field but has an empty part: " + field)
		}
		keys = append(keys, arrayKey{path: path, sign: sign})
	}
	return keys, nil
}

func badSortPattern(what string) error { return mongoerr.New(2942505, "BadValue: %s", what) }

func directionOf(v bsonraw.Value) (sign int, ok bool) {
	if !v.Type.IsNumber() {
		return 0, false
	}
	n, ok := asInt32(v)
	return n, ok && (n == 1 || n == -1)
}

func (n *sortArray) eval(ctx *Context) (bsonraw.Value, error) {
	input, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(input) {
		return bsonraw.NullValue, nil
	}
	if input.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(2942504, "The input argument to $sortArray must be an array, but was of type: %s", input.Type.Name())
	}
	var items []bsonraw.Value
	for it := input.Doc().Iter(); it.Next(); {
		items = append(items, it.Value())
	}
	slices.SortStableFunc(items, n.compare)
	out := bsonraw.BeginArray(ctx.Scratch())
	for _, item := range items {
		out.Append(item)
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

func (n *sortArray) compare(a, b bsonraw.Value) int {
	for _, key := range n.keys {
		if order := n.by.Compare(key.of(a), key.of(b)); order != 0 {
			return key.sign * order
		}
	}
	return 0
}

// of reads the key of an item. Unlike paths elsewhere it does not look into arrays.
func (k arrayKey) of(item bsonraw.Value) bsonraw.Value {
	for _, field := range k.path {
		if item.Type != bsonraw.TypeDocument {
			return bsonraw.NullValue
		}
		item = item.Doc().Lookup(field)
	}
	if item.IsMissing() {
		return bsonraw.NullValue
	}
	return item
}

func (n *sortArray) children(visit func(*node)) { visit(&n.input) }

// pick is $firstN, $lastN, $minN or $maxN.
type pick struct {
	untouched
	n, input node
	take     func(by *collation.Collation, items []bsonraw.Value, n int) []bsonraw.Value
	by       *collation.Collation
}

func picks(notObject mongoerr.Code, take func(by *collation.Collation, items []bsonraw.Value, n int) []bsonraw.Value) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		if argument.Type != bsonraw.TypeDocument {
			return nil, mongoerr.New(notObject, "specification must be an object; found %s: %s", name, argument.Shell())
		}
		p := &pick{take: take, by: c.scope.Collation()}
		unknown := func(key []byte) error {
			return mongoerr.New(5787901, "Unknown argument for 'n' operator: %s", key)
		}
		if err := c.named(argument.Doc(), unknown, named{"n", &p.n}, named{"input", &p.input}); err != nil {
			return nil, err
		}
		switch {
		case p.n == nil:
			return nil, mongoerr.New(5787906, "Missing value for 'n'")
		case p.input == nil:
			return nil, mongoerr.New(5787907, "Missing value for 'input'")
		}
		return p, nil
	}}
}

func (p *pick) eval(ctx *Context) (bsonraw.Value, error) {
	v, err := p.n.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	n, err := PickCount(v)
	if err != nil {
		return bsonraw.Value{}, err
	}
	input, err := p.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if input.Type != bsonraw.TypeArray {
		return bsonraw.Value{}, mongoerr.New(5788200, "Input must be an array")
	}
	var items []bsonraw.Value
	for it := input.Doc().Iter(); it.Next(); {
		items = append(items, it.Value())
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for _, item := range p.take(p.by, items, int(min(n, int64(len(items))))) {
		out.Append(item)
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

// PickCount reads the n of $firstN and its like.
func PickCount(v bsonraw.Value) (int64, error) {
	if !v.Type.IsNumber() {
		return 0, mongoerr.New(5787902, "Value for 'n' must be of integral type, but found %s", Text(v))
	}
	n, err := coerceLong(v)
	if err != nil {
		return 0, err
	}
	if double, _ := v.AsFloat64(); double != float64(n) { // as doubles, which lets the smallest fractions of a decimal128 pass
		return 0, mongoerr.New(5787903, "Value for 'n' must be of integral type, but found %s", Text(v))
	}
	if n <= 0 {
		return 0, mongoerr.New(5787908, "'n' must be greater than 0, found %d", n)
	}
	return n, nil
}

func (p *pick) children(visit func(*node)) {
	visit(&p.n)
	visit(&p.input)
}

func firstItems(_ *collation.Collation, items []bsonraw.Value, n int) []bsonraw.Value {
	return items[:n]
}

func lastItems(_ *collation.Collation, items []bsonraw.Value, n int) []bsonraw.Value {
	return items[len(items)-n:]
}

func leastItems(by *collation.Collation, items []bsonraw.Value, n int) []bsonraw.Value {
	return ranked(by, items, n, false)
}

func greatestItems(by *collation.Collation, items []bsonraw.Value, n int) []bsonraw.Value {
	return ranked(by, items, n, true)
}

func ranked(by *collation.Collation, items []bsonraw.Value, n int, greatest bool) []bsonraw.Value {
	if n == 0 {
		return nil // there are no items
	}
	r := NewRanking(int64(n), greatest)
	var key []byte
	for _, item := range items {
		if isNullish(item) {
			continue
		}
		key = by.AppendKey(key[:0], item)
		if r.Takes(key) {
			r.Put(slices.Clone(key), item)
		}
	}
	var out []bsonraw.Value
	r.Values(greatest, func(v bsonraw.Value) { out = append(out, v) })
	return out
}
