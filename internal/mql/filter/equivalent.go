package filter

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// Equivalent reports whether two filters plainly say the same: they differ at most in how numbers are typed, in the order of
// conditions, and in what is spelled out. Both may be nil, which is a filter of its own.
func (f *Filter) Equivalent(g *Filter) bool {
	if f == nil || g == nil {
		return f == g
	}
	return f.by.Same(g.by) && f.clause.canonical() == g.clause.canonical()
}

// canonical is a text that two clauses have in common exactly when they are equivalent.
func (c *clause) canonical() string {
	text := []byte{byte(c.op)}
	text = append(append(text, c.path.String()...), 0)
	switch {
	case c.children != nil:
		parts := make([]string, 0, len(c.children))
		for _, child := range c.children {
			parts = append(parts, child.canonical())
		}
		slices.Sort(parts)
		return string(text) + "{" + strings.Join(parts, "\x00") + "}"
	case c.op == Exists:
	case c.op == opType:
		types, _ := c.test.(*typeTest)
		for _, t := range argument.EveryType {
			if types != nil && types.types.Has(t) {
				text = append(text, byte(t))
			}
		}
	case c.op == In:
		for _, v := range c.values {
			text = bsonraw.AppendKey(text, v)
		}
		for _, p := range c.patterns {
			text = append(text, p.canonical()...)
		}
	case c.op == opRegex:
		if x, ok := c.test.(regexTest); ok {
			text = bsonraw.AppendKey(text, regexValueOf(x))
		}
	default:
		text = bsonraw.AppendKey(text, c.value)
	}
	return string(text)
}
