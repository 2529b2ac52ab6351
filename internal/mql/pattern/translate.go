package pattern

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The meaning of PCRE's escapes as the inside of a character class.
const (
	classDigit         = `0-9`
	classNotDigit      = `\x00-/:-\x{10FFFF}`
	classWord          = `0-9A-Za-z_`
	classNotWord       = "\\x00-/:-@\\[-\\^`{-\\x{10FFFF}"
	classSpace         = `\t-\r `
	classNotSpace      = `\x00-\x08\x0e-\x1f!-\x{10FFFF}`
	classHorizontal    = `\t \x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}`
	classNotHorizontal = `\x00-\x08\n-\x1f!-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{180D}\x{180F}-\x{1FFF}\x{200B}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF}`
	classVertical      = `\n-\r\x{85}\x{2028}\x{2029}`
	classNotVertical   = `\x00-\t\x0e-\x{84}\x{86}-\x{2027}\x{202A}-\x{10FFFF}`
)

// endOfText is PCRE's $ outside of multiline mode: the end, or before a newline that ends the text.
const endOfText = `(?:\n?\z)`

// startOfLine is PCRE's ^ in multiline mode, which does not hold behind a newline that ends the text.
const startOfLine = `(?:\A|(?<=\n)(?!\z))`

// endOfTextApart is endOfText with the newline in a group, so that it can be told from the match.
const endOfTextApart = `(?:(\n?)\z)`

// flags are the options in force at a place of a pattern.
type flags struct{ fold, multiline, dotAll, extended, lazy bool }

// translator rewrites a pattern of PCRE for one of two engines: Go's, or the one that backtracks. For Go's, groups capture only
// in a search; otherwise all that matters is whether the pattern is found.
type translator struct {
	state
	names  map[string]int // groups by their name
	parens int            // at least as many as the groups that backreferences can name
	last   int            // the greatest number of a group that is referred to
	all    int            // how many groups the pattern has, if an earlier translation has counted them
	text   string         // the whole pattern
	lines  bool           // there is a ^ that holds at the beginning of lines
	ends   []int          // groups around what endOfText takes although it is not part of the match
}

// state is what is read and what is written of a translation.
type state struct {
	in      string        // what is still to be read
	out     *bytes.Buffer // where what is translated goes: the pattern, or a part of a class
	now     flags
	groups  []group // those that are open
	inClass bool    // in brackets
	atom    bool    // something stands before that may be repeated
	begin   int     // where in out it begins

	back, search bool  // for the engine that backtracks; for who asks where the matches are
	captured     int   // groups that capture so far
	captures     []int // those that are the pattern's own
}

// group is what holds outside of a group that is open, and where the group begins.
type group struct {
	flags
	begin int
}

func newTranslator(pattern, options string) *translator {
	t := &translator{
		state: state{in: pattern, out: &bytes.Buffer{}}, text: pattern, names: map[string]int{}, parens: strings.Count(pattern, "("),
	}
	for _, o := range options {
		t.now.set(o, true)
	}
	return t
}

// translate returns a pattern for the engine that is found in the same texts, or a *beyondLinearError when there is
// none. Mistakes that Go's parser finds too are left to it. Two corners differ: ^ of multiline mode after a newline that ends
// the text, and the two letters beyond ASCII that fold to ASCII ones in negated classes such as
// [^\w] when case is folded.
func (t *translator) translate() (string, error) {
	t.writeFlags()
	for t.in != "" {
		if err := t.next(); err != nil {
			return "", err
		}
	}
	if len(t.groups) > 0 {
		return "", errors.New("missing )")
	}
	return t.out.String(), nil
}

func (f *flags) set(option rune, on bool) bool {
	switch option {
	case 'i':
		f.fold = on
	case 'm':
		f.multiline = on
	case 's':
		f.dotAll = on
	case 'x':
		f.extended = on
	case 'U':
		f.lazy = on
	case 'u': // text is UTF-8 always
	default:
		return false
	}
	return true
}

// writeFlags writes the flags that Go's engine has, on and off.
func (t *state) writeFlags() {
	on, off := "", ""
	for _, f := range []struct {
		set  bool
		name string
	}{{t.now.fold, "i"}, {t.now.multiline, "m"}, {t.now.dotAll, "s"}} {
		if f.set {
			on += f.name
		} else {
			off += f.name
		}
	}
	t.out.WriteString("(?" + on)
	if off != "" {
		t.out.WriteString("-" + off)
	}
	t.out.WriteString(")")
}

// next translates one item.
func (t *translator) next() error {
	c := t.in[0]
	switch c {
	case '\\':
		return t.escape()
	case '[':
		return (&class{state: &t.state}).translate()
	case '(':
		return t.open()
	case ')':
		return t.close()
	case '$':
		return t.end(1, t.now.multiline)
	case '^':
		t.start()
		return nil
	case '*', '+', '?':
		return t.repeat(1)
	case '{':
		if n := repeatLength(t.in); n > 0 {
			return t.repeat(n)
		}
	case '|':
		t.take(1)
		t.atom = false
		return nil
	}
	if t.now.extended && t.skipExtended() {
		return nil
	}
	_, n := utf8.DecodeRuneInString(t.in)
	t.beginAtom()
	t.take(n)
	return nil
}

// beginAtom notes that something begins which may be repeated.
func (t *state) beginAtom() { t.atom, t.begin = true, t.out.Len() }

// start translates ^.
func (t *translator) start() {
	t.atom = false
	switch {
	case !t.back:
		t.lines = t.lines || t.now.multiline
		t.take(1)
		return
	case t.now.multiline:
		t.out.WriteString(startOfLine)
	default:
		t.out.WriteString(`\A`)
	}
	t.in = t.in[1:]
}

// end translates an assertion of n bytes that holds at the end, or before a newline that ends the text, or with lines before
// each newline. Something behind it could still match that newline, which endOfText has taken already.
func (t *translator) end(n int, lines bool) error {
	t.in = t.in[n:]
	t.atom = false
	switch {
	case t.in != "" && (strings.IndexByte("*+?", t.in[0]) >= 0 || repeatLength(t.in) > 0):
		return errNothingToRepeat
	case t.back && lines:
		t.out.WriteString(`(?=\n|\z)`)
		return nil
	case t.back:
		t.out.WriteString(`(?=\n?\z)`)
		return nil
	case lines:
		t.out.WriteString("$")
		return nil
	}
	if t.in != "" && t.in[0] != ')' && t.in[0] != '|' {
		return beyondLinear("an item behind the end of the text")
	}
	if t.search {
		t.ends = append(t.ends, t.capture())
		t.out.WriteString(endOfTextApart)
		return nil
	}
	t.out.WriteString(endOfText)
	return nil
}

// capture counts a group that captures, and returns its number.
func (t *state) capture() int {
	t.captured++
	return t.captured
}

// take copies n bytes.
func (t *state) take(n int) {
	t.out.WriteString(t.in[:n])
	t.in = t.in[n:]
}

// skipExtended skips white space and comments of extended mode.
func (t *state) skipExtended() bool {
	switch t.in[0] {
	case ' ', '\t', '\n', '\v', '\f', '\r':
		t.in = t.in[1:]
		return true
	case '#':
		_, t.in, _ = strings.Cut(t.in, "\n")
		return true
	}
	return false
}

// repeatLength returns the length of a quantifier in braces, 0 where the brace is but a character.
func repeatLength(s string) int {
	end := strings.IndexByte(s, '}')
	if s[0] != '{' || end < 0 {
		return 0
	}
	low, high, _ := strings.Cut(s[1:end], ",")
	if low == "" || strings.Trim(low, "0123456789") != "" || strings.Trim(high, "0123456789") != "" {
		return 0
	}
	return end + 1
}

const maxLinearRepeat = 1000

// repeat translates a quantifier of n bytes.
func (t *translator) repeat(n int) error {
	if !t.atom {
		return errNothingToRepeat
	}
	if n > 1 {
		low, high, more := strings.Cut(t.in[1:n-1], ",")
		a, errA := strconv.Atoi(low)
		b, errB := a, error(nil)
		if more && high != "" {
			b, errB = strconv.Atoi(high)
		}
		switch {
		case errA != nil || errB != nil || a > 65535 || b > 65535:
			return errors.New("number too big in {} quantifier")
		case b < a:
			return errors.New("numbers out of order in {} quantifier")
		case !t.back && (a > maxLinearRepeat || b > maxLinearRepeat):
			return beyondLinear("a quantifier over " + strconv.Itoa(maxLinearRepeat))
		}
	}
	t.out.WriteString(t.in[:n])
	t.in = t.in[n:]
	t.atom = false
	if strings.HasPrefix(t.in, "+") {
		t.in = t.in[1:]
		return t.possessive()
	}
	lazy := t.now.lazy
	if strings.HasPrefix(t.in, "?") {
		t.in = t.in[1:]
		lazy = !lazy
	}
	if lazy && (t.search || t.back) { // otherwise it does not matter
		t.out.WriteByte('?')
	}
	return nil
}

// possessive makes the atom that was repeated last give nothing back.
func (t *translator) possessive() error {
	if !t.back {
		return beyondLinear("a possessive quantifier")
	}
	atom := bytes.Clone(t.out.Bytes()[t.begin:])
	t.out.Truncate(t.begin)
	t.out.WriteString("(?>")
	t.out.Write(atom)
	t.out.WriteByte(')')
	return nil
}

var errNothingToRepeat = errors.New("nothing to repeat")

// rune writes a character by its number.
func (t *state) rune(r int64) {
	t.out.WriteString(`\x{` + strconv.FormatInt(r, 16) + "}")
}
