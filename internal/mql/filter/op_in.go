package filter

import (
	"slices"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// maxLinear is up to how many values of $in are tried one after the other.
const maxLinear = 4

func parseIn(p *parser, c condition) (*clause, error) {
	if c.arg.Type != bsonraw.TypeArray {
		return nil, badValue("%s needs an array", c.name)
	}
	var values []bsonraw.Value
	var patterns []*clause
	for it := c.arg.Doc().Iter(); it.Next(); {
		v := it.Value()
		switch {
		case isOperators(v, false):
			return nil, badValue("cannot nest $ under $in")
		case v.Type == bsonraw.TypeUndefined:
			return nil, badValue("InMatchExpression equality cannot be undefined")
		case v.Type == bsonraw.TypeRegex:
			pattern, err := p.regexValue(c.path, v)
			if err != nil {
				return nil, err
			}
			patterns = append(patterns, pattern)
		default:
			values = append(values, v)
		}
	}
	in := newIn(c.path, values, patterns, p.scope.Collation())
	switch {
	case len(in.values) == 1 && len(patterns) == 0:
		return &clause{op: Eq, path: c.path, value: in.values[0], by: in.by, test: newComparison(Eq, in.values[0], in.by)}, nil
	case len(patterns) == 1 && len(values) == 0:
		return patterns[0], nil
	}
	return in, nil
}

// newIn makes the clause for values, in any order, and patterns.
func newIn(path bsonraw.Path, values []bsonraw.Value, patterns []*clause, by *collation.Collation) *clause {
	slices.SortStableFunc(values, by.Compare)
	values = slices.CompactFunc(values, by.Equal)
	in := &clause{op: In, path: path, values: values, patterns: patterns, by: by, test: newMembershipTest(values, by)}
	if len(patterns) == 0 {
		return in
	}
	tests := anyTest{in.test}
	for _, pattern := range patterns {
		tests = append(tests, pattern.test)
	}
	in.test = tests
	return in
}

func parseNin(p *parser, c condition) (*clause, error) {
	in, err := parseIn(p, c)
	if err != nil {
		return nil, err
	}
	return negation(in), nil
}

func newMembershipTest(values []bsonraw.Value, by *collation.Collation) test {
	switch {
	case len(values) == 0:
		return neverTest{}
	case len(values) == 1:
		return newComparison(Eq, values[0], by)
	case len(values) <= maxLinear:
		tests := make(anyTest, 0, len(values))
		for _, v := range values {
			tests = append(tests, newComparison(Eq, v, by))
		}
		return tests
	}
	if slices.ContainsFunc(values, by.Matters) {
		return newCollatedMember(values, by)
	}
	x := memberTest{values: values}
	for _, v := range values {
		x.null = x.null || v.Type == bsonraw.TypeNull
	}
	return x
}

// anyTest holds where one of its tests does.
type anyTest []test

func (x anyTest) holds(v bsonraw.Value) bool {
	for _, one := range x {
		if one.holds(v) {
			return true
		}
	}
	return false
}

// memberTest looks a value up among many.
type memberTest struct {
	values []bsonraw.Value // sorted
	null   bool
}

func (x memberTest) holds(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeMissing, bsonraw.TypeNull, bsonraw.TypeUndefined:
		return x.null
	}
	low, high := 0, len(x.values)
	for low < high {
		mid := int(uint(low+high) >> 1)
		order := bsonraw.Compare(x.values[mid], v)
		switch {
		case order == 0:
			return true
		case order < 0:
			low = mid + 1
		default:
			high = mid
		}
	}
	return false
}

// collatedMember looks a value up among many by its key under a collation.
type collatedMember struct {
	by   *collation.Collation
	keys map[string]struct{}
	null bool
	pool *sync.Pool // *[]byte
}

func newCollatedMember(values []bsonraw.Value, by *collation.Collation) test {
	x := collatedMember{by: by, keys: make(map[string]struct{}, len(values)), pool: &sync.Pool{New: func() any { return new([]byte) }}}
	for _, v := range values {
		x.null = x.null || v.Type == bsonraw.TypeNull
		x.keys[string(by.AppendKey(nil, v))] = struct{}{}
	}
	return x
}

func (x collatedMember) holds(v bsonraw.Value) bool {
	switch v.Type {
	case bsonraw.TypeMissing, bsonraw.TypeNull, bsonraw.TypeUndefined:
		return x.null
	}
	key := x.pool.Get().(*[]byte)
	*key = x.by.AppendKey((*key)[:0], v)
	_, found := x.keys[string(*key)]
	x.pool.Put(key)
	return found
}
