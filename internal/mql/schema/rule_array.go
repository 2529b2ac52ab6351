package schema

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// itemCountRule is minItems or maxItems.
type itemCountRule struct {
	name string
	arg  bsonraw.Value
	bounds
}

func readItemCount(_ *compiler, s *source, arg bsonraw.Value) (rule, error) {
	b, err := s.readBounds(arg)
	return &itemCountRule{s.keyword, arg, b}, err
}

func (x *itemCountRule) holds(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeArray || x.hold(v.Doc().Len())
}

func (x *itemCountRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", x.name)
	r.Specified(x.arg, x.name)
	r.Text("reason", "array did not match specified length")
	r.Value("consideredValue", v)
	r.Number("numberOfItems", v.Doc().Len())
}

// uniqueRule is uniqueItems.
type uniqueRule struct{ arg bsonraw.Value }

func readUniqueItems(_ *compiler, _ *source, arg bsonraw.Value) (rule, error) {
	if arg.Type != bsonraw.TypeBool {
		return nil, mismatch("$jsonSchema keyword 'uniqueItems' must be a boolean")
	}
	if !arg.Bool() {
		return nil, nil
	}
	return &uniqueRule{arg}, nil
}

func (x *uniqueRule) holds(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeArray || repeated(v.Doc()).IsMissing()
}

func (x *uniqueRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "uniqueItems")
	r.Specified(x.arg, "uniqueItems")
	r.Text("reason", "found a duplicate item")
	r.Value("consideredValue", v)
	r.Value("duplicatedValue", repeated(v.Doc()))
}

// itemsRule is items or additionalItems with one schema for all elements from a position on.
type itemsRule struct {
	name, reason string
	from         int
	each         *node
}

// readItems reads items, which is a schema for all elements or one for each of the first ones.
func readItems(c *compiler, _ *source, arg bsonraw.Value) (rule, error) {
	switch arg.Type {
	case bsonraw.TypeDocument:
		each, err := c.schema(arg.Doc(), false)
		return &itemsRule{name: "items", reason: "At least one item did not match the sub-schema", each: each}, err
	case bsonraw.TypeArray:
	default:
		return nil, mismatch("$jsonSchema keyword 'items' must be an array or an object, not %s", arg.Type.Name())
	}
	var x firstItemsRule
	for it := arg.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			return nil, mismatch("$jsonSchema keyword 'items' requires that each element of the array is an object, but found a %s", it.Value().Type.Name())
		}
		one, err := c.schema(it.Value().Doc(), false)
		if err != nil {
			return nil, err
		}
		x = append(x, one)
	}
	return x, nil
}

func (x *itemsRule) holds(v bsonraw.Value) bool {
	at, _ := x.failing(v)
	return at < 0
}

// failing finds the first element that fails the schema; at is negative if there is none.
func (x *itemsRule) failing(v bsonraw.Value) (at int, item bsonraw.Value) {
	if v.Type != bsonraw.TypeArray {
		return -1, item
	}
	for it := v.Doc().Iter(); it.Next(); at++ {
		if at >= x.from && !x.each.holds(it.Value()) {
			return at, it.Value()
		}
	}
	return -1, item
}

func (x *itemsRule) report(r *violation.Report, v bsonraw.Value) {
	at, item := x.failing(v)
	r.Text("operatorName", x.name)
	x.each.reportAbout(r)
	r.Text("reason", x.reason)
	r.Number("itemIndex", at)
	x.each.reportDetails(r, item)
}

// firstItemsRule is items with a schema for each of the first elements.
type firstItemsRule []*node

func (x firstItemsRule) holds(v bsonraw.Value) bool {
	if v.Type != bsonraw.TypeArray {
		return true
	}
	i := 0
	for it := v.Doc().Iter(); i < len(x) && it.Next(); i++ {
		if !x[i].holds(it.Value()) {
			return false
		}
	}
	return true
}

func (x firstItemsRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "items")
	r.Array("details", func() {
		i, failed := 0, 0
		for it := v.Doc().Iter(); i < len(x) && it.Next(); i++ {
			if r.Full() || x[i].holds(it.Value()) {
				continue
			}
			r.Item(failed, func() {
				r.Long("itemIndex", i)
				x[i].reportDetails(r, it.Value())
			})
			failed++
		}
	})
}

// noMoreItemsRule is additionalItems: false.
type noMoreItemsRule struct {
	arg  bsonraw.Value
	from int
}

// readAdditionalItems reads additionalItems, which means something beside an array of items only.
func readAdditionalItems(c *compiler, s *source, arg bsonraw.Value) (rule, error) {
	var each *node
	switch arg.Type {
	case bsonraw.TypeBool:
	case bsonraw.TypeDocument:
		var err error
		if each, err = c.schema(arg.Doc(), false); err != nil {
			return nil, err
		}
	default:
		return nil, mismatch("$jsonSchema keyword 'additionalItems' must be either an object or a boolean, but got a %s", arg.Type.Name())
	}
	items := s.keywords["items"]
	switch {
	case items.Type != bsonraw.TypeArray:
		return nil, nil
	case each != nil:
		return &itemsRule{"additionalItems", "At least one additional item did not match the sub-schema", items.Doc().Len(), each}, nil
	case arg.Bool():
		return nil, nil
	}
	return &noMoreItemsRule{arg, items.Doc().Len()}, nil
}

func (x *noMoreItemsRule) holds(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeArray || v.Doc().Len() <= x.from
}

func (x *noMoreItemsRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "additionalItems")
	r.Specified(x.arg, "additionalItems")
	r.Text("reason", "found additional items")
	r.Array("additionalItems", func() {
		i := 0
		for it := v.Doc().Iter(); it.Next(); i++ {
			if i >= x.from {
				r.Value(strconv.Itoa(i-x.from), it.Value())
			}
		}
	})
}
