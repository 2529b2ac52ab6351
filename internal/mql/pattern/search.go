package pattern

import (
	"regexp"
	"sync"
	"unicode/utf8"
)

// Search finds where a regular expression matches, and what its groups capture. It is safe for concurrent use.
type Search struct {
	first    *regexp.Regexp
	next     func() *regexp.Regexp // finds a match behind the first character
	captures []int
	ends     []int
}

// Match is a place where a pattern was found, as offsets in bytes. Captures are the pattern's groups in order; one that took no
// part is {-1, -1}.
type Match struct {
	Start, End int
	Captures   [][2]int
}

// CompileSearch is [Compile] for who needs to know where the matches are.
func CompileSearch(pattern, options string) (*Search, error) {
	t := newTranslator(pattern, options)
	t.search = true
	translated, err := t.translate()
	if err != nil {
		return nil, compileError(pattern, err)
	}
	first, err := regexp.Compile(translated)
	if err != nil {
		return nil, compileError(pattern, err)
	}
	// Go's engine has no search from an offset that still sees what is before it, so one character before is made part of it.
	next := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\A(?s:.)(?s:.*?)(` + translated + `)`) })
	return &Search{first: first, next: next, captures: t.captures, ends: t.ends}, nil
}

// Find returns the first match that begins at offset from or behind it.
func (s *Search) Find(text []byte, from int) (m Match, ok bool) {
	re, whole, base := s.first, 0, 0
	if from > 0 {
		_, before := utf8.DecodeLastRune(text[:from])
		re, whole, base = s.next(), 1, from-before
	}
	found := re.FindSubmatchIndex(text[base:])
	if found == nil {
		return Match{}, false
	}
	place := func(group int) [2]int {
		group += whole
		if found[2*group] < 0 {
			return [2]int{-1, -1}
		}
		return [2]int{base + found[2*group], base + found[2*group+1]}
	}
	all := place(0)
	m = Match{Start: all[0], End: all[1]}
	for _, group := range s.ends {
		if end := place(group); end[0] >= 0 {
			m.End = end[0]
		}
	}
	for _, group := range s.captures {
		capture := place(group)
		capture[1] = min(capture[1], m.End)
		m.Captures = append(m.Captures, capture)
	}
	return m, true
}
