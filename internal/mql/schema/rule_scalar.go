package schema

import (
	"errors"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/decimal"
	"github.com/sluicestream/sluice/internal/mql/pattern"
	"github.com/sluicestream/sluice/internal/mql/violation"
)

// codeRegexInvalid is the code of a regular expression that is none.
const codeRegexInvalid mongoerr.Code = 51091

// patternRule is pattern.
type patternRule struct {
	arg     bsonraw.Value
	matcher pattern.Matcher
}

func readPattern(_ *compiler, s *source, arg bsonraw.Value) (rule, error) {
	if arg.Type != bsonraw.TypeString {
		return nil, mismatch("$jsonSchema keyword 'pattern' must be a string")
	}
	if s.root {
		return nil, nil // MongoDB does not read it
	}
	matcher, err := pattern.Compile(arg.Str(), "")
	if wrong, ok := errors.AsType[*pattern.SyntaxError](err); ok {
		return nil, mongoerr.New(codeRegexInvalid, "Regular expression is invalid: %s", wrong.What)
	}
	if err != nil {
		return nil, err
	}
	return &patternRule{arg, matcher}, nil
}

func (x *patternRule) holds(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeString || x.matcher.Match(v.Bytes())
}

func (x *patternRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "pattern")
	r.Specified(x.arg, "pattern")
	r.Text("reason", "regular expression did not match")
	r.Value("consideredValue", v)
}

// bounds is a number of things between two limits.
type bounds struct{ least, most int64 }

// readBounds reads a keyword that is a least or greatest number of things.
func (s *source) readBounds(arg bsonraw.Value) (bounds, error) {
	n, err := s.natural(arg)
	if s.keyword[:3] == "min" {
		return bounds{n, 1 << 62}, err
	}
	return bounds{0, n}, err
}

func (b bounds) hold(n int) bool { return int64(n) >= b.least && int64(n) <= b.most }

// lengthRule is minLength or maxLength, in code points.
type lengthRule struct {
	name string
	arg  bsonraw.Value
	bounds
}

func readLength(_ *compiler, s *source, arg bsonraw.Value) (rule, error) {
	b, err := s.readBounds(arg)
	return &lengthRule{s.keyword, arg, b}, err
}

func (x *lengthRule) holds(v bsonraw.Value) bool {
	return v.Type != bsonraw.TypeString || x.hold(utf8.RuneCount(v.Bytes()))
}

func (x *lengthRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", x.name)
	r.Specified(x.arg, x.name)
	r.Text("reason", "specified string length was not satisfied")
	r.Value("consideredValue", v)
}

// boundRule is minimum or maximum.
type boundRule struct {
	name      string
	arg       bsonraw.Value
	exclusive bool
}

func readBound(_ *compiler, s *source, arg bsonraw.Value) (rule, error) {
	if !arg.Type.IsNumber() {
		return nil, mismatch("$jsonSchema keyword '%s' must be a number", s.keyword)
	}
	x := &boundRule{name: s.keyword, arg: arg}
	exclusive := exclusiveOf[s.keyword]
	if v, given := s.keywords[exclusive]; given {
		if v.Type != bsonraw.TypeBool {
			return nil, mismatch("$jsonSchema keyword '%s' must be a boolean", exclusive)
		}
		x.exclusive = v.Bool()
	}
	return x, nil
}

// holds compares; NaN is equal to itself and not ordered.
func (x *boundRule) holds(v bsonraw.Value) bool {
	if !v.Type.IsNumber() {
		return true
	}
	if a, b := argument.IsNaN(v), argument.IsNaN(x.arg); a || b {
		return a && b && !x.exclusive
	}
	order := bsonraw.Compare(v, x.arg)
	if x.name == "maximum" {
		order = -order
	}
	return order > 0 || order == 0 && !x.exclusive
}

func (x *boundRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", x.name)
	if x.exclusive {
		r.SpecifiedPair(x.name, x.arg, exclusiveOf[x.name], bsonraw.BoolValue(true))
	} else {
		r.Specified(x.arg, x.name)
	}
	r.Text("reason", "comparison failed")
	r.Value("consideredValue", v)
}

// multipleRule is multipleOf.
type multipleRule struct {
	arg     bsonraw.Value
	divisor *apd.Decimal
	whole   int64 // the divisor if it is of a type of integers, else 0
}

func readMultipleOf(_ *compiler, _ *source, arg bsonraw.Value) (rule, error) {
	if !arg.Type.IsNumber() {
		return nil, mismatch("$jsonSchema keyword 'multipleOf' must be a number")
	}
	if !argument.IsNaN(arg) && bsonraw.Compare(arg, bsonraw.Int32Value(0)) <= 0 {
		return nil, failed("$jsonSchema keyword 'multipleOf' must have a positive value")
	}
	x := &multipleRule{arg: arg, divisor: decimal.Of(arg)}
	switch {
	case argument.IsNaN(arg):
		return nil, badValue("divisor cannot be NaN")
	case x.divisor.Form == apd.Infinite:
		return nil, badValue("divisor cannot be infinite")
	case arg.Type == bsonraw.TypeInt32 || arg.Type == bsonraw.TypeInt64: // others may be rounded as decimals
		x.whole, _ = arg.AsInt64()
	}
	return x, nil
}

func (x *multipleRule) holds(v bsonraw.Value) bool {
	switch {
	case !v.Type.IsNumber():
		return true
	case x.whole != 0 && (v.Type == bsonraw.TypeInt32 || v.Type == bsonraw.TypeInt64):
		n, _ := v.AsInt64()
		return n%x.whole == 0
	}
	return decimal.IsMultiple(decimal.Of(v), x.divisor)
}

func (x *multipleRule) report(r *violation.Report, v bsonraw.Value) {
	r.Text("operatorName", "multipleOf")
	r.Specified(x.arg, "multipleOf")
	r.Text("reason", "considered value is not a multiple of the specified value")
	r.Value("consideredValue", v)
}
