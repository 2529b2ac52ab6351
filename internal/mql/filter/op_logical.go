package filter

import (
	"math/rand/v2"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/expression"
)

// logical reads $and, $or and $nor.
func logical(op Op) documentOperator {
	return func(p *parser, c condition) (*clause, error) {
		if c.arg.Type != bsonraw.TypeArray {
			return nil, badValue("%s must be an array", c.name)
		}
		if c.arg.Doc().IsEmpty() {
			return nil, badValue("$and/$or/$nor must be a nonempty array")
		}
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		all := &clause{op: op}
		for it := c.arg.Doc().Iter(); it.Next(); {
			if !it.Value().IsDoc() {
				return nil, badValue("$or/$and/$nor entries need to be full objects")
			}
			child, err := p.document(it.Value().Doc())
			if err != nil {
				return nil, err
			}
			all.children = append(all.children, child)
		}
		return all, nil
	}
}

func parseNot(p *parser, c condition) (*clause, error) {
	switch c.arg.Type {
	case bsonraw.TypeRegex:
		inner, err := p.regexValue(c.path, c.arg)
		if err != nil {
			return nil, err
		}
		return negation(inner), nil
	case bsonraw.TypeDocument:
		if c.arg.Doc().IsEmpty() {
			return nil, badValue("$not cannot be empty")
		}
		inner, err := p.operators(c.path, c.arg.Doc())
		if err != nil {
			return nil, err
		}
		return negation(inner), nil
	}
	return nil, badValue("$not needs a regex or a document")
}

func parseComment(*parser, condition) (*clause, error) { return nil, nil }

// always reads $alwaysTrue and $alwaysFalse, whose argument must be 1.
func always(op Op) documentOperator {
	return func(_ *parser, c condition) (*clause, error) {
		n, err := argument.Integer(c.name, c.arg)
		if err != nil {
			return nil, failedToParse(err)
		}
		if n != 1 {
			return nil, mongoerr.New(mongoerr.FailedToParse, "%s must be an integer value of 1", c.name)
		}
		return &clause{op: op}, nil
	}
}

func parseSampleRate(p *parser, c condition) (*clause, error) {
	if p.inner {
		return nil, badValue("$sampleRate can only be applied to the top-level document")
	}
	rate, ok := c.arg.AsFloat64()
	if !ok {
		return nil, badValue("argument to $sampleRate must be a numeric type")
	}
	if !(rate >= 0 && rate <= 1) {
		return nil, badValue("numeric argument to $sampleRate must be in [0, 1]")
	}
	switch rate {
	case 0:
		return &clause{op: opFalse}, nil
	case 1:
		return &clause{op: opTrue}, nil
	}
	if p.validator {
		return nil, mongoerr.New(3040500, "$rand not allowed inside collection validators")
	}
	return &clause{op: opSample, run: sampleNode(rate)}, nil
}

// sampleNode takes each document with a probability.
type sampleNode float64

func (n sampleNode) match(*expression.Context, bsonraw.Value) (bool, int, error) {
	return rand.Float64() < float64(n), noPosition, nil
}
