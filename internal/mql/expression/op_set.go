package expression

import (
	"slices"
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
)

// valueSet is the values of an array in their order, each once. Of those that are equal it has the first.
type valueSet struct {
	by     *collation.Collation
	values []bsonraw.Value
}

func newSet(by *collation.Collation, array bsonraw.Doc) valueSet {
	s := valueSet{by: by}
	s.addAll(array)
	return s
}

func (s *valueSet) addAll(array bsonraw.Doc) {
	for it := array.Iter(); it.Next(); {
		s.values = append(s.values, it.Value())
	}
	slices.SortStableFunc(s.values, s.by.Compare)
	s.values = slices.CompactFunc(s.values, func(a, b bsonraw.Value) bool { return s.by.Compare(a, b) == 0 })
}

func (s *valueSet) has(v bsonraw.Value) bool {
	_, found := slices.BinarySearchFunc(s.values, v, s.by.Compare)
	return found
}

func (s *valueSet) retain(other valueSet) {
	s.values = slices.DeleteFunc(s.values, func(v bsonraw.Value) bool { return !other.has(v) })
}

func (s *valueSet) covers(other valueSet) bool {
	return !slices.ContainsFunc(other.values, func(v bsonraw.Value) bool { return !s.has(v) })
}

func (s *valueSet) value(ctx *Context) (bsonraw.Value, error) {
	out := bsonraw.BeginArray(ctx.Scratch())
	for _, v := range s.values {
		out.Append(v)
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

// setOperator makes a row whose functions compare by the collation of the scope.
func setOperator(row func(by *collation.Collation) operator) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		return row(c.scope.Collation()).compile(c, name, argument)
	}}
}

func setUnion(by *collation.Collation) operator {
	return operator{joins: true, joinsApart: true, nary: func(ctx *Context, args []node) (bsonraw.Value, error) {
		union := valueSet{by: by}
		for _, arg := range args {
			v, err := arg.eval(ctx)
			if err != nil {
				return bsonraw.Value{}, err
			}
			if isNullish(v) {
				return bsonraw.NullValue, nil
			}
			if v.Type != bsonraw.TypeArray {
				return bsonraw.Value{}, mongoerr.New(17043, "All operands of $setUnion must be arrays. One argument is of type: %s", v.Type.Name())
			}
			union.addAll(v.Doc())
		}
		return union.value(ctx)
	}}
}

func setIntersection(by *collation.Collation) operator {
	return operator{joins: true, joinsApart: true, nary: func(ctx *Context, args []node) (bsonraw.Value, error) {
		common := valueSet{by: by}
		for i, arg := range args {
			v, err := arg.eval(ctx)
			if err != nil {
				return bsonraw.Value{}, err
			}
			if isNullish(v) {
				return bsonraw.NullValue, nil
			}
			if v.Type != bsonraw.TypeArray {
				return bsonraw.Value{}, mongoerr.New(17047, "All operands of $setIntersection must be arrays. One argument is of type: %s", v.Type.Name())
			}
			set := newSet(by, v.Doc())
			if i > 0 && len(common.values) <= len(set.values) { // equal values stay from the smaller set
				common.retain(set)
				continue
			}
			if i > 0 {
				set.retain(common)
			}
			common = set
		}
		return common.value(ctx)
	}}
}

func setDifference(by *collation.Collation) operator {
	return operator{binary: func(ctx *Context, a, b bsonraw.Value) (bsonraw.Value, error) {
		if isNullish(a) || isNullish(b) {
			return bsonraw.NullValue, nil
		}
		if a.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, mongoerr.New(17048, "both operands of $setDifference must be arrays. First argument is of type: %s", a.Type.Name())
		}
		if b.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, mongoerr.New(17049, "both operands of $setDifference must be arrays. Second argument is of type: %s", b.Type.Name())
		}
		without, left := newSet(by, b.Doc()), newSet(by, a.Doc())
		out := bsonraw.BeginArray(ctx.Scratch())
		for it := a.Doc().Iter(); it.Next(); { // in the order of the first array, unlike the other sets
			i, found := slices.BinarySearchFunc(left.values, it.Value(), by.Compare)
			if found && !without.has(it.Value()) {
				out.Append(it.Value())
				left.values = slices.Delete(left.values, i, i+1)
			}
		}
		return ctx.keepValue(bsonraw.TypeArray, out.End())
	}}
}

// subset is $setIsSubset. A second array that is constant is looked at once, and errors have other codes then.
type subset struct {
	by          *collation.Collation
	part, whole node
	known       *valueSet // of whole
}

func compileSetIsSubset(c *compiler, name string, argument bsonraw.Value) (node, error) {
	args, err := c.arguments(argument)
	if err != nil {
		return nil, err
	}
	if err := (operator{min: 2, max: 2}).checkArity(name, len(args)); err != nil {
		return nil, err
	}
	return &subset{by: c.scope.Collation(), part: args[0], whole: args[1]}, nil
}

func (n *subset) prepare() error {
	whole, ok := n.whole.(*constant)
	if _, both := n.part.(*constant); !ok || both {
		return nil
	}
	if whole.value.Type != bsonraw.TypeArray {
		return errSubset(17311, "Second", whole.value)
	}
	set := newSet(n.by, whole.value.Doc())
	n.known = &set
	return nil
}

func errSubset(code mongoerr.Code, which string, v bsonraw.Value) error {
	return mongoerr.New(code, "both operands of $setIsSubset must be arrays. %s argument is of type: %s", which, v.Type.Name())
}

func (n *subset) eval(ctx *Context) (bsonraw.Value, error) {
	part, err := n.part.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if n.known != nil {
		if part.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, errSubset(17310, "First", part)
		}
		return bsonraw.BoolValue(n.known.covers(newSet(n.by, part.Doc()))), nil
	}
	whole, err := n.whole.eval(ctx)
	switch {
	case err != nil:
		return bsonraw.Value{}, err
	case part.Type != bsonraw.TypeArray:
		return bsonraw.Value{}, errSubset(17046, "First", part)
	case whole.Type != bsonraw.TypeArray:
		return bsonraw.Value{}, errSubset(17042, "Second", whole)
	}
	set := newSet(n.by, whole.Doc())
	return bsonraw.BoolValue(set.covers(newSet(n.by, part.Doc()))), nil
}

func (n *subset) children(visit func(*node)) {
	visit(&n.part)
	visit(&n.whole)
}

// compileSetEquals counts the arguments in words of its own, and looks at constants before the others.
func compileSetEquals(c *compiler, name string, argument bsonraw.Value) (node, error) {
	args, err := c.arguments(argument)
	if err != nil {
		return nil, err
	}
	if len(args) < 2 {
		return nil, mongoerr.New(17045, "%s needs at least two arguments had: %d", name, len(args))
	}
	return &setEquals{by: c.scope.Collation(), args: args}, nil
}

type setEquals struct {
	late
	by   *collation.Collation
	args []node
}

func (n *setEquals) eval(ctx *Context) (bsonraw.Value, error) {
	equal := true
	var first valueSet
	for i, arg := range n.args {
		v, err := arg.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if v.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, errSetEquals(17044, i, v)
		}
		if set := newSet(n.by, v.Doc()); i == 0 {
			first = set
		} else if len(first.values) != len(set.values) || !first.covers(set) {
			equal = false
			break
		}
	}
	return bsonraw.BoolValue(equal), nil
}

// prepare refuses a constant that is no array before anything runs.
func (n *setEquals) prepare() error {
	for i, arg := range n.args {
		if c, ok := arg.(*constant); ok && c.value.Type != bsonraw.TypeArray {
			return errSetEquals(5887502, i, c.value)
		}
	}
	return nil
}

func errSetEquals(code mongoerr.Code, i int, v bsonraw.Value) error {
	return mongoerr.New(code, "All operands of $setEquals must be arrays. %s-th argument is of type: %s", strconv.Itoa(i+1), v.Type.Name())
}

func (n *setEquals) children(visit func(*node)) { visitAll(n.args, visit) }

// elementsTrue is $anyElementTrue or $allElementsTrue: it stops at the first element whose truth is stop.
func elementsTrue(name string, code mongoerr.Code, stop bool) operator {
	return operator{unary: func(_ *Context, a bsonraw.Value) (bsonraw.Value, error) {
		if a.Type != bsonraw.TypeArray {
			return bsonraw.Value{}, mongoerr.New(code, "%s's argument must be an array, but is %s", name, a.Type.Name())
		}
		for it := a.Doc().Iter(); it.Next(); {
			if it.Value().Truthy() == stop {
				return bsonraw.BoolValue(stop), nil
			}
		}
		return bsonraw.BoolValue(!stop), nil
	}}
}
