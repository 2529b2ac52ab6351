package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// QuantileSpec is what $percentile or $median is asked for.
type QuantileSpec struct {
	Input  bsonraw.Value // an expression
	shares []float64     // of $percentile
	single bool          // $median
}

// ReadQuantiles reads the argument of $percentile or $median. The shares p must be known beforehand.
func ReadQuantiles(operator string, argument bsonraw.Doc, scope *Scope) (*QuantileSpec, error) {
	return newCompiler(scope).quantiles(operator, argument)
}

func (c *compiler) quantiles(operator string, argument bsonraw.Doc) (*QuantileSpec, error) {
	s := &QuantileSpec{single: operator == "$median"}
	var p, method bsonraw.Value
	places := map[string]*bsonraw.Value{"input": &s.Input, "method": &method}
	if !s.single {
		places["p"] = &p
	}
	for it := argument.Iter(); it.Next(); {
		place := places[string(it.Key())]
		switch {
		case place == nil:
			return nil, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", operator, it.Key())
		case !place.IsMissing():
			return nil, mongoerr.New(mongoerr.IDLDuplicateField, "BSON field '%s.%s' is a duplicate field", operator, it.Key())
		}
		*place = it.Value()
		if place == &method {
			if err := checkQuantileMethod(operator, method); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range []string{"input", "p", "method"} {
		if place := places[name]; place != nil && place.IsMissing() {
			return nil, mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.%s' is missing but a required field", operator, name)
		}
	}
	if s.single {
		s.shares = []float64{0.5}
		return s, nil
	}
	var err error
	s.shares, err = c.shares(p)
	return s, err
}

func checkQuantileMethod(operator string, method bsonraw.Value) error {
	if method.Type != bsonraw.TypeString {
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.method' is the wrong type '%s', expected type 'string'", operator, method.Type.Name())
	}
	if string(method.Bytes()) != "approximate" {
		return mongoerr.New(mongoerr.BadValue, "Currently only 'approximate' can be used as percentile 'method'.")
	}
	return nil
}

func (c *compiler) shares(p bsonraw.Value) ([]float64, error) {
	list, ok, err := c.constant(p)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, mongoerr.New(7750300, "The $percentile 'p' field must be an array of constant values, but found value: %s.", p.Shell())
	}
	if list.Type != bsonraw.TypeArray || list.Doc().IsEmpty() {
		return nil, errShare(7750301, list)
	}
	var shares []float64
	for it := list.Doc().Iter(); it.Next(); {
		share, ok := it.Value().AsFloat64()
		switch {
		case !ok:
			return nil, errShare(7750302, it.Value())
		case !(share >= 0 && share <= 1):
			return nil, errShare(7750303, it.Value())
		}
		shares = append(shares, share)
	}
	return shares, nil
}

func errShare(code mongoerr.Code, found bsonraw.Value) error {
	return mongoerr.New(code, "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found: %s", Text(found))
}

// Result makes the result of numbers: a double, or an array with one for each share; null where there are no numbers.
func (s *QuantileSpec) Result(ctx *Context, of *Quantiles) (bsonraw.Value, error) {
	one := func(share float64) bsonraw.Value {
		if f, ok := of.At(share); ok {
			return ctx.doubleValue(f)
		}
		return bsonraw.NullValue
	}
	if s.single {
		return one(s.shares[0]), nil
	}
	out := bsonraw.BeginArray(ctx.Scratch())
	for _, share := range s.shares {
		out.Append(one(share))
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}

// quantile is $percentile or $median as an expression: of the numbers in an array, or of a single one.
type quantile struct {
	late
	spec  *QuantileSpec
	input node
}

func compileQuantile(notObject mongoerr.Code) operator {
	return operator{special: func(c *compiler, name string, argument bsonraw.Value) (node, error) {
		if argument.Type != bsonraw.TypeDocument {
			return nil, mongoerr.New(notObject, "specification must be an object; found %s: %s", name, argument.Shell())
		}
		spec, err := c.quantiles(name, argument.Doc())
		if err != nil {
			return nil, err
		}
		input, err := c.operand(spec.Input)
		return &quantile{spec: spec, input: input}, err
	}}
}

func (n *quantile) eval(ctx *Context) (bsonraw.Value, error) {
	v, err := n.input.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	var of Quantiles
	if v.Type != bsonraw.TypeArray {
		of.Add(v)
		return n.spec.Result(ctx, &of)
	}
	for it := v.Doc().Iter(); it.Next(); {
		of.Add(it.Value())
	}
	return n.spec.Result(ctx, &of)
}

func (n *quantile) children(visit func(*node)) { visit(&n.input) }
