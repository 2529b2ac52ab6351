package pattern

import (
	"regexp"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// Search finds where a regular expression matches, and what its groups capture. It is safe for concurrent use.
type Search struct {
	back *regexp2.Regexp // the engine that backtracks; nil where Go's is used

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
	if isBeyondLinear(t, translated, err) {
		re, t, err := compileBacktracking(pattern, options)
		if err != nil {
			return nil, compileError(pattern, err)
		}
		return &Search{back: re, captures: t.captures}, nil
	}
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

// In begins to search a text.
func (s *Search) In(text []byte) *Scan { return &Scan{search: s, text: text} }

// Scan finds one match after the other in a text.
type Scan struct {
	search *Search
	text   []byte

	// For the engine that backtracks:
	until      time.Time // when it is given up
	runes      []rune
	rune, byte int // one position in the text, as a number of characters and of bytes
}

// Find returns the first match that begins at offset from or behind it. The error is [ErrLimit].
func (s *Scan) Find(from int) (m Match, ok bool, err error) {
	if s.search.back != nil {
		return s.backtrack(from)
	}
	m, ok = s.search.find(s.text, from)
	return m, ok, nil
}

func (s *Search) find(text []byte, from int) (m Match, ok bool) {
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

// backtrack is Find with the engine that backtracks. Its time is that of all searches of the text together.
func (s *Scan) backtrack(from int) (m Match, ok bool, err error) {
	now := time.Now()
	if s.runes == nil {
		s.runes, s.until = []rune(string(s.text)), now.Add(Limit)
	}
	if now.After(s.until) {
		return m, false, ErrLimit
	}
	clock.used.Store(true)
	found, err := s.search.back.FindRunesMatchStartingAt(s.runes, s.runeAt(from))
	if err != nil {
		return m, false, ErrLimit
	}
	if found == nil {
		return m, false, nil
	}
	m = Match{Start: s.byteAt(found.RuneIndex), End: s.byteAt(found.RuneIndex + found.RuneLength)}
	for _, number := range s.search.captures {
		g := found.GroupByNumber(number)
		if g == nil || len(g.Captures) == 0 {
			m.Captures = append(m.Captures, [2]int{-1, -1})
			continue
		}
		m.Captures = append(m.Captures, [2]int{s.byteAt(g.RuneIndex), s.byteAt(g.RuneIndex + g.RuneLength)})
	}
	return m, true, nil
}

// byteAt moves to a number of characters and returns the number of bytes.
func (s *Scan) byteAt(n int) int {
	for ; s.rune < n; s.rune++ {
		_, size := utf8.DecodeRune(s.text[s.byte:])
		s.byte += size
	}
	for ; s.rune > n; s.rune-- {
		_, size := utf8.DecodeLastRune(s.text[:s.byte])
		s.byte -= size
	}
	return s.byte
}

// runeAt moves to a number of bytes and returns the number of characters.
func (s *Scan) runeAt(n int) int {
	for s.byte < n {
		s.byteAt(s.rune + 1)
	}
	for s.byte > n {
		s.byteAt(s.rune - 1)
	}
	return s.rune
}
