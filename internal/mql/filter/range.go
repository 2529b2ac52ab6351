package filter

import (
	"math"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/pattern"
)

// Range is an interval of values in the order of an index.
type Range struct {
	Low, High       bsonraw.Value
	LowOut, HighOut bool // the bound itself does not belong to it
}

// IsPoint reports whether there is one value in the range.
func (r Range) IsPoint() bool { return !r.LowOut && !r.HighOut && bsonraw.Equal(r.Low, r.High) }

// EveryValue is the range of all values.
var EveryValue = Range{Low: bsonraw.Value{Type: bsonraw.TypeMinKey}, High: bsonraw.Value{Type: bsonraw.TypeMaxKey}}

var undefinedValue = bsonraw.Value{Type: bsonraw.TypeUndefined}

func pointRange(v bsonraw.Value) Range { return Range{Low: v, High: v} }

// read sets the ranges of a clause that tests values; ok is false when it gives an index no hold.
func (p *Predicate) read(c *clause) (ok bool) {
	p.text = collation.HoldsText(c.value)
	switch c.op {
	case Eq:
		p.addEqual(c.value)
	case In:
		p.readMembers(c)
	case Lt, Lte, Gt, Gte:
		p.readOrder(c)
	case Exists:
		p.text, p.ranges = false, []Range{EveryValue}
	case opRegex:
		x, isRegex := c.test.(regexTest)
		if !isRegex {
			return false
		}
		p.addPattern(x)
	case opType:
		p.text = false
		p.readTypes(c.test)
	case opMod:
		p.text, p.ranges = false, []Range{classRange(bsonraw.TypeDouble, true)}
	default:
		return false
	}
	p.ranges, p.loose = p.sorted(p.ranges), p.sorted(p.loose)
	return true
}

// addEqual adds the keys of documents that have a value, or one whose value is an array and has it as an element.
func (p *Predicate) addEqual(v bsonraw.Value) {
	p.Exact = len(p.ranges) == 0
	switch v.Type {
	case bsonraw.TypeNull:
		p.Exact = false
		p.ranges = append(p.ranges, pointRange(undefinedValue), pointRange(v))
	case bsonraw.TypeArray:
		p.Exact = false
		first := v.Doc().At(0)
		if first.IsMissing() {
			first = undefinedValue
		}
		p.ranges = append(p.ranges, pointRange(first), pointRange(v))
	default:
		p.ranges = append(p.ranges, pointRange(v))
	}
}

func (p *Predicate) readMembers(c *clause) {
	exact := len(c.patterns) == 0
	for _, v := range c.values {
		p.text = p.text || collation.HoldsText(v)
		p.addEqual(v)
		exact = exact && v.Type != bsonraw.TypeNull && v.Type != bsonraw.TypeArray
	}
	for _, one := range c.patterns {
		if x, isRegex := one.test.(regexTest); isRegex {
			p.addPattern(x)
		}
	}
	p.Exact = exact
	p.loose = nil // strings among the values stand in the way
}

// readOrder reads $lt, $lte, $gt and $gte.
func (p *Predicate) readOrder(c *clause) {
	v := c.value
	inclusive := c.op == Lte || c.op == Gte
	switch {
	case v.Type == bsonraw.TypeNull || argument.IsNaN(v):
		// At most or at least null means null, and NaN likewise; below and above them is nothing.
		p.text, p.Exact = false, true
		if inclusive {
			p.addEqual(v)
		}
		return
	case v.Type == bsonraw.TypeMinKey || v.Type == bsonraw.TypeMaxKey || v.Type == bsonraw.TypeArray:
		p.text = false
		p.readExtreme(c)
		return
	}
	r := classRange(v.Type, false)
	if c.op == Gt || c.op == Gte {
		r.Low, r.LowOut = v, !inclusive
	} else {
		r.High, r.HighOut = v, !inclusive
	}
	p.Exact = true
	if r.hasValues() {
		p.ranges = append(p.ranges, r)
	}
}

// hasValues reports whether there is anything in the range: above true, for one, is no boolean.
func (r Range) hasValues() bool {
	order := bsonraw.Compare(r.Low, r.High)
	return order < 0 || order == 0 && !r.LowOut && !r.HighOut
}

// readExtreme reads comparisons with what lies beyond everything, and with arrays. An array is compared as a whole, while its keys
// are its elements: any will do.
func (p *Predicate) readExtreme(c *clause) {
	low, high := c.op == Lt || c.op == Lte, c.op == Gt || c.op == Gte
	switch {
	case c.value.Type == bsonraw.TypeMinKey && low || c.value.Type == bsonraw.TypeMaxKey && high:
		if p.Exact = true; c.op == Lte || c.op == Gte {
			p.addEqual(c.value)
		}
	default:
		p.ranges = []Range{EveryValue}
	}
}

// addPattern adds the strings that begin with the fixed beginning of a regular expression, or all, and itself as a value.
func (p *Predicate) addPattern(x regexTest) {
	p.text, p.Exact = true, false
	self := pointRange(regexValueOf(x))
	every := classRange(bsonraw.TypeString, false)
	p.loose = append(p.loose, every, self)
	prefix := pattern.Prefix(x.matcher)
	if prefix == "" {
		p.ranges = append(p.ranges, every, self)
		return
	}
	from, to := bsonraw.StringValue(prefix), every.High
	if end, ok := textAfter(prefix); ok {
		to = bsonraw.StringValue(end)
	}
	p.ranges = append(p.ranges, Range{Low: from, High: to, HighOut: true}, self)
}

// textAfter returns the smallest text behind all that begin with prefix.
func textAfter(prefix string) (string, bool) {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] != 0xff {
			end[i]++
			return string(end[:i+1]), true
		}
	}
	return "", false
}

func regexValueOf(x regexTest) bsonraw.Value {
	data := append(append([]byte(x.pattern), 0), x.options...)
	return bsonraw.Value{Type: bsonraw.TypeRegex, Data: append(data, 0)}
}

func (p *Predicate) readTypes(t test) {
	types, _ := t.(*typeTest)
	if types == nil || types.types.Has(bsonraw.TypeArray) {
		p.ranges = []Range{EveryValue} // keys are elements, which do not tell what they were in
		return
	}
	for _, one := range argument.EveryType {
		if types.types.Has(one) {
			p.ranges = append(p.ranges, classRange(one, true))
		}
	}
}

// sorted brings ranges into order and joins those that overlap, in the order of the predicate's own strings.
func (p *Predicate) sorted(list []Range) []Range {
	if len(list) < 2 {
		return list
	}
	by := p.by
	slices.SortStableFunc(list, func(a, b Range) int { return by.Compare(a.Low, b.Low) })
	out := list[:1]
	for _, r := range list[1:] {
		last := &out[len(out)-1]
		gap := by.Compare(r.Low, last.High)
		if gap > 0 || gap == 0 && (r.LowOut || last.HighOut) {
			out = append(out, r)
			continue
		}
		if end := by.Compare(r.High, last.High); end > 0 || end == 0 && !r.HighOut {
			last.High, last.HighOut = r.High, r.HighOut
		}
	}
	return out
}

// complement returns what lies between, before and behind ranges that are in order.
func complement(list []Range) []Range {
	out := make([]Range, 0, len(list)+1)
	next := Range{Low: EveryValue.Low, High: EveryValue.High}
	for _, r := range list {
		next.High, next.HighOut = r.Low, !r.LowOut
		if r.Low.Type != bsonraw.TypeMinKey {
			out = append(out, next)
		}
		next = Range{Low: r.High, LowOut: !r.HighOut, High: EveryValue.High}
	}
	if next.Low.Type != bsonraw.TypeMaxKey {
		out = append(out, next)
	}
	return out
}

// without drops the point of a type that has one value.
func without(list []Range, t bsonraw.Type) []Range {
	return slices.DeleteFunc(list, func(r Range) bool { return r.Low.Type == t })
}

func holdsNull(c *clause) bool {
	return c.value.Type == bsonraw.TypeNull || slices.ContainsFunc(c.values, func(v bsonraw.Value) bool { return v.Type == bsonraw.TypeNull })
}

// classRange returns the range of the values that compare with values of type t by value. NaN is a number, but only with nan set.
func classRange(t bsonraw.Type, nan bool) Range {
	zero := func(n int) []byte { return make([]byte, n) }
	full := func(n int) []byte { return slices.Repeat([]byte{0xff}, n) }
	value := func(t bsonraw.Type, data []byte) bsonraw.Value { return bsonraw.Value{Type: t, Data: data} }
	emptyDoc, emptyArray := bsonraw.Empty.Value(), value(bsonraw.TypeArray, bsonraw.Empty)
	firstID := value(bsonraw.TypeObjectID, zero(12))
	firstPointer := value(bsonraw.TypeDBPointer, append([]byte{1, 0, 0, 0, 0}, zero(12)...))
	emptyScope := value(bsonraw.TypeCodeScope, append([]byte{14, 0, 0, 0, 1, 0, 0, 0, 0}, bsonraw.Empty...))
	switch t {
	case bsonraw.TypeInt32, bsonraw.TypeInt64, bsonraw.TypeDouble, bsonraw.TypeDecimal128:
		low := math.Inf(-1)
		if nan {
			low = math.NaN()
		}
		return Range{Low: bsonraw.DoubleValue(low), High: bsonraw.DoubleValue(math.Inf(1))}
	case bsonraw.TypeString, bsonraw.TypeSymbol:
		return Range{Low: bsonraw.StringValue(""), High: emptyDoc, HighOut: true}
	case bsonraw.TypeDocument:
		return Range{Low: emptyDoc, High: emptyArray, HighOut: true}
	case bsonraw.TypeBinary:
		return Range{Low: value(t, zero(5)), High: firstID, HighOut: true}
	case bsonraw.TypeObjectID:
		return Range{Low: firstID, High: value(t, full(12))}
	case bsonraw.TypeBool:
		return Range{Low: value(t, []byte{0}), High: value(t, []byte{1})}
	case bsonraw.TypeDate:
		return Range{Low: bsonraw.DateValue(math.MinInt64), High: bsonraw.DateValue(math.MaxInt64)}
	case bsonraw.TypeTimestamp:
		return Range{Low: value(t, zero(8)), High: value(t, full(8))}
	case bsonraw.TypeRegex:
		return Range{Low: value(t, zero(2)), High: firstPointer, HighOut: true}
	case bsonraw.TypeDBPointer:
		return Range{Low: firstPointer, High: value(bsonraw.TypeJavaScript, []byte{1, 0, 0, 0, 0}), HighOut: true}
	case bsonraw.TypeJavaScript:
		return Range{Low: value(t, []byte{1, 0, 0, 0, 0}), High: emptyScope, HighOut: true}
	case bsonraw.TypeCodeScope:
		return Range{Low: emptyScope, High: EveryValue.High, HighOut: true}
	}
	return pointRange(value(t, nil))
}

// Sides reports which bounds of the range say something: the least and the greatest value of a class, or of all, do not.
func (r Range) Sides() (low, high bool) {
	return !isFirst(r.Low), !isLast(r.High)
}

// isFirst reports whether v is the least value of its class.
func isFirst(v bsonraw.Value) bool {
	return bsonraw.Equal(v, classRange(v.Type, false).Low) || argument.IsNaN(v)
}

// isLast reports whether v is the greatest value of its class, or the bound behind it, which is the least of another.
func isLast(v bsonraw.Value) bool {
	return bsonraw.Equal(v, classRange(v.Type, false).High) || v.Type != bsonraw.TypeNull && !v.Type.IsNumber() && isFirst(v)
}
