package bsonraw

import "strings"

// Path is a dotted path, split once. The zero Path has no parts. Nothing about names is checked: a part may be empty or begin
// with a dollar sign, and languages that refuse such names do so themselves.
type Path struct {
	text  string
	parts []PathPart
}

// PathPart is one name of a [Path].
type PathPart struct {
	Name string
	// Index is the array position that the name spells, or -1. Only the plain spelling counts: "0" and "10", not "00" or "+1".
	Index int
}

// NewPath splits a dotted path at its dots.
func NewPath(text string) Path {
	parts := make([]PathPart, 0, strings.Count(text, ".")+1)
	for name := range strings.SplitSeq(text, ".") {
		parts = append(parts, PathPart{Name: name, Index: arrayIndex(name)})
	}
	return Path{text: text, parts: parts}
}

// String returns the path with its dots.
func (p Path) String() string { return p.text }

// Len returns the number of parts.
func (p Path) Len() int { return len(p.parts) }

// Part returns the i-th part.
func (p Path) Part(i int) PathPart { return p.parts[i] }

// Parts returns all parts; they must not be changed.
func (p Path) Parts() []PathPart { return p.parts }

// From returns the path without its first n parts.
func (p Path) From(n int) Path {
	if n >= len(p.parts) {
		return Path{}
	}
	text := p.text
	for range n {
		_, text, _ = strings.Cut(text, ".")
	}
	return Path{text: text, parts: p.parts[n:]}
}

// HasIndex reports whether some part spells an array position.
func (p Path) HasIndex() bool {
	for _, part := range p.parts {
		if part.Index >= 0 {
			return true
		}
	}
	return false
}

// Covers reports whether p is q or leads to something that holds what q leads to: "a" covers "a" and "a.b", not "ab".
func (p Path) Covers(q Path) bool {
	if len(p.parts) > len(q.parts) {
		return false
	}
	for i, part := range p.parts {
		if part.Name != q.parts[i].Name {
			return false
		}
	}
	return true
}

// Lookup returns the one value that the path names in a document, or a missing value: names in documents, positions in
// arrays. It never spreads over the elements of an array; that is what [Path.Walk] does.
func (p Path) Lookup(doc Doc) Value {
	v := Value{TypeDocument, doc}
	for _, part := range p.parts {
		switch {
		case v.Type == TypeDocument:
			v = v.Doc().Lookup(part.Name)
		case v.Type == TypeArray && part.Index >= 0:
			v = v.Doc().At(part.Index)
		default:
			return Value{}
		}
	}
	return v
}

// At returns the i-th element of an array, by position whatever its name, or a missing value.
func (d Doc) At(i int) Value {
	for it := d.Iter(); it.Next(); i-- {
		if i == 0 {
			return it.Value()
		}
	}
	return Value{}
}

// arrayIndex returns the position that a name spells, or -1.
func arrayIndex(name string) int {
	if name == "" || len(name) > 9 || name[0] == '0' && len(name) > 1 {
		return -1
	}
	n := 0
	for i := range len(name) {
		c := name[i]
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}
