package pattern

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The meaning of PCRE's escapes in the words of Go's engine, as the inside of a character class.
const (
	classSpace         = `\t-\r `
	classNotSpace      = `\x00-\x08\x0e-\x1f!-\x{10FFFF}`
	classHorizontal    = `\t \x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}`
	classNotHorizontal = `\x00-\x08\n-\x1f!-\x{9F}\x{A1}-\x{167F}\x{1681}-\x{180D}\x{180F}-\x{1FFF}\x{200B}-\x{202E}\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF}`
	classVertical      = `\n-\r\x{85}\x{2028}\x{2029}`
	classNotVertical   = `\x00-\t\x0e-\x{84}\x{86}-\x{2027}\x{202A}-\x{10FFFF}`
)

// endOfText is PCRE's $ outside of multiline mode: the end, or before a newline that ends the text.
const endOfText = `(?:\n?\z)`

// endOfTextApart is endOfText with the newline in a group, so that it can be told from the match.
const endOfTextApart = `(?:(\n?)\z)`

// flags are the options in force at a place of a pattern.
type flags struct{ fold, multiline, dotAll, extended bool }

// translator rewrites a pattern of PCRE for Go's engine. Groups capture only in a search; otherwise all that matters is whether
// the pattern is found.
type translator struct {
	in     string           // what is still to be read
	out    *strings.Builder // where what is translated goes: the pattern, or a part of a class
	now    flags
	groups []flags // what was in force outside of the groups that are open
	names  map[string]bool
	parens int  // at least as many as the groups that backreferences can name
	atom   bool // something stands before that may be repeated

	search   bool
	captured int   // groups of Go's engine that capture so far
	captures []int // those that are the pattern's own
	ends     []int // those around what endOfText takes although it is not part of the match
}

func newTranslator(pattern, options string) *translator {
	t := &translator{in: pattern, names: map[string]bool{}, out: &strings.Builder{}, parens: strings.Count(pattern, "(")}
	for _, o := range options {
		t.now.set(o, true)
	}
	return t
}

// translate returns a pattern for Go's engine that is found in the same texts, or a *beyondLinearError when there is
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
	case 'u', 'U': // text is UTF-8 always, and greed does not decide whether there is a match
	default:
		return false
	}
	return true
}

// writeFlags writes the flags that Go's engine has, on and off.
func (t *translator) writeFlags() {
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
		return t.class()
	case '(':
		return t.open()
	case ')':
		return t.close()
	case '$':
		if t.now.multiline {
			t.take(1)
			t.atom = false
			return nil
		}
		return t.end(1)
	case '^':
		t.take(1)
		t.atom = false
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
	t.take(n)
	t.atom = true
	return nil
}

// end translates an assertion of n bytes that holds at the end, or before a newline that ends the text. Something behind it
// could still match that newline, which endOfText has taken already.
func (t *translator) end(n int) error {
	t.in = t.in[n:]
	t.atom = false
	if t.in != "" && (strings.IndexByte("*+?", t.in[0]) >= 0 || repeatLength(t.in) > 0) {
		return errors.New("nothing to repeat")
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
func (t *translator) capture() int {
	t.captured++
	return t.captured
}

// take copies n bytes.
func (t *translator) take(n int) {
	t.out.WriteString(t.in[:n])
	t.in = t.in[n:]
}

// skipExtended skips white space and comments of extended mode.
func (t *translator) skipExtended() bool {
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
		return errors.New("nothing to repeat")
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
		case a > maxLinearRepeat || b > maxLinearRepeat:
			return beyondLinear("a quantifier over " + strconv.Itoa(maxLinearRepeat))
		}
	}
	quantifier := t.in[:n]
	t.in = t.in[n:]
	if strings.HasPrefix(t.in, "+") {
		return beyondLinear("a possessive quantifier")
	}
	if strings.HasPrefix(t.in, "?") {
		t.in = t.in[1:]
		if t.search { // otherwise it does not matter
			quantifier += "?"
		}
	}
	// What is repeated already needs a group to be repeated again.
	t.out.WriteString(quantifier)
	if next := t.in; next != "" && (strings.IndexByte("*+?", next[0]) >= 0 || next[0] == '{' && repeatLength(next) > 0) {
		return beyondLinear("a quantifier on a quantifier")
	}
	t.atom = false
	return nil
}

// rune writes a character by its number.
func (t *translator) rune(r int64) {
	t.out.WriteString(`\x{` + strconv.FormatInt(r, 16) + "}")
}
