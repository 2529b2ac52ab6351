package pattern

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var errUnsupportedEscape = errors.New(`PCRE does not support \L, \l, \N{name}, \U, or \u`)

// escape translates what begins with a backslash, outside of classes.
func (t *translator) escape() error {
	if len(t.in) < 2 {
		return errors.New(`\ at end of pattern`)
	}
	c := t.in[1]
	switch c {
	case 'b', 'B', 'A', 'z', 'G':
		return t.assertion(c)
	case 'Z':
		return t.end(2, false)
	case 'E':
		t.in = t.in[2:]
		t.atom = false
		return nil
	case 'Q':
		return t.quoted()
	}
	t.beginAtom()
	switch c {
	case 'p', 'P':
		t.out.WriteString("(?-i:")
		defer t.out.WriteString(")")
		return t.property()
	case 'N':
		if strings.HasPrefix(t.in, `\N{`) && repeatLength(t.in[2:]) == 0 {
			return errUnsupportedEscape
		}
		t.in = t.in[2:]
		t.out.WriteString(`[^\n]`)
		return nil
	case 'R', 'X':
		return t.sequence(c)
	case 'K', 'C':
		return beyondBoth(`\` + string(c))
	case 'g', 'k':
		return t.reference()
	}
	if c >= '1' && c <= '9' {
		return t.numbered()
	}
	if set := classOf(c); set != "" {
		// With case folded, the engines count two letters beyond ASCII among the word characters.
		t.in = t.in[2:]
		t.out.WriteString("(?-i:[" + set + "])")
		return nil
	}
	return t.character()
}

// assertion translates \b, \B, \A, \z and \G.
func (t *translator) assertion(c byte) error {
	t.atom = false
	switch {
	case !t.back && c == 'G':
		return beyondLinear(`\G`)
	case t.back && c == 'b':
		t.out.WriteString(wordBoundary)
	case t.back && c == 'B':
		t.out.WriteString(notWordBoundary)
	default:
		t.out.WriteString(t.in[:2])
	}
	t.in = t.in[2:]
	return nil
}

// sequence translates \R, the end of a line in any form, and \X, a character with all of its marks.
func (t *translator) sequence(c byte) error {
	if !t.back {
		return beyondLinear(`\` + string(c))
	}
	t.in = t.in[2:]
	if c == 'R' {
		t.out.WriteString(`(?>\r\n|[` + classVertical + `])`)
	} else {
		t.out.WriteString(`(?>\r\n|(?s:.)\p{M}*)`)
	}
	return nil
}

// classOf returns the inside of the class that an escape stands for, "" where there is none.
func classOf(c byte) string {
	switch c {
	case 'd':
		return classDigit
	case 'D':
		return classNotDigit
	case 'w':
		return classWord
	case 'W':
		return classNotWord
	case 's':
		return classSpace
	case 'S':
		return classNotSpace
	case 'h':
		return classHorizontal
	case 'H':
		return classNotHorizontal
	case 'v':
		return classVertical
	case 'V':
		return classNotVertical
	}
	return ""
}

// character translates an escape that stands for one character, or for one of a Unicode property.
func (t *state) character() error {
	c := t.in[1]
	switch {
	case c == 'p' || c == 'P':
		return t.property()
	case c == 'x':
		return t.hexadecimal()
	case c == 'o':
		digits, rest, ok := strings.Cut(strings.TrimPrefix(t.in[2:], "{"), "}")
		n, err := strconv.ParseInt(digits, 8, 32)
		if !ok || err != nil || n > utf8.MaxRune {
			return errors.New(`missing terminating } or invalid digits after \o`)
		}
		t.in = rest
		t.rune(n)
	case c == 'c':
		if len(t.in) < 3 || t.in[2] >= utf8.RuneSelf {
			return errors.New(`\c must be followed by an ASCII character`)
		}
		control := t.in[2]
		if control >= 'a' && control <= 'z' {
			control -= 'a' - 'A'
		}
		t.in = t.in[3:]
		t.rune(int64(control ^ 0x40))
	case c == '0':
		t.octal(3)
	case c == 'e':
		t.in = t.in[2:]
		t.rune(0x1b)
	case strings.IndexByte("afnrt", c) >= 0:
		t.take(2)
	case strings.IndexByte("LlUu", c) >= 0:
		return errUnsupportedEscape
	default:
		// Any other character stands for itself.
		_, n := utf8.DecodeRuneInString(t.in[1:])
		if quoted := regexp.QuoteMeta(t.in[1 : 1+n]); t.inClass && c == '-' {
			t.out.WriteString(`\-`)
		} else {
			t.out.WriteString(quoted)
		}
		t.in = t.in[1+n:]
	}
	return nil
}

// numbered translates a backslash and a number: a backreference, or an octal one where there are not that many groups.
func (t *translator) numbered() error {
	digits := len(t.in[1:]) - len(strings.TrimLeft(t.in[1:], "0123456789"))
	n, err := strconv.Atoi(t.in[1 : 1+digits])
	switch {
	case err == nil && (n < 10 || n <= t.parens):
		t.in = t.in[1+digits:]
		return t.backreference(n)
	case t.in[1] > '7':
		t.in = t.in[1:] // the digit stands for itself
		t.take(1)
		return nil
	}
	t.octal(3)
	return nil
}

// octal translates a backslash and up to most octal digits.
func (t *state) octal(most int) {
	i := 1
	var n int64
	for i < len(t.in) && i <= most && t.in[i] >= '0' && t.in[i] <= '7' {
		n = n*8 + int64(t.in[i]-'0')
		i++
	}
	t.in = t.in[i:]
	t.rune(n)
}

func (t *state) hexadecimal() error {
	s := t.in[2:]
	if strings.HasPrefix(s, "{") {
		digits, rest, ok := strings.Cut(s[1:], "}")
		n, err := strconv.ParseInt(digits, 16, 64)
		switch {
		case !ok || err != nil || n < 0:
			return errors.New(`non-hex character in \x{} (closing brace missing?)`)
		case n > utf8.MaxRune:
			return errors.New(`character value in \x{} or \o{} is too large`)
		case n >= 0xd800 && n <= 0xdfff:
			return errors.New("disallowed Unicode code point (>= 0xd800 && <= 0xdfff)")
		}
		t.in = rest
		t.rune(n)
		return nil
	}
	i := 0
	for i < 2 && i < len(s) && strings.IndexByte("0123456789abcdefABCDEF", s[i]) >= 0 {
		i++
	}
	n, _ := strconv.ParseInt("0"+s[:i], 16, 32)
	t.in = s[i:]
	t.rune(n)
	return nil
}

// property translates \pL, \p{Greek} and their negations. Go's parser knows most of their names.
func (t *state) property() error {
	n := 3
	if strings.HasPrefix(t.in[2:], "{") {
		n = strings.IndexByte(t.in, '}') + 1
	}
	if n <= 0 || n > len(t.in) {
		return errors.New(`malformed \P or \p sequence`)
	}
	name := strings.Trim(t.in[2:n], "{}")
	negated := t.in[1] == 'P'
	if rest, twice := strings.CutPrefix(name, "^"); twice {
		name, negated = rest, !negated
	}
	t.in = t.in[n:]
	escape := `\p{`
	if negated {
		escape = `\P{`
	}
	if list, special := specialProperties[name]; special && !negated {
		t.writeSet(list)
		return nil
	} else if special {
		return beyondBoth("the property " + name + " negated")
	}
	if _, err := regexp.Compile(escape + name + "}"); err != nil {
		return errors.New(`unknown property name after \P or \p`)
	}
	t.out.WriteString(escape + name + "}")
	return nil
}

// writeSet writes the inside of a class, as a class of its own outside of one.
func (t *state) writeSet(set string) {
	if t.inClass {
		t.out.WriteString(set)
	} else {
		t.out.WriteString("[" + set + "]")
	}
}

// specialProperties are those of PCRE alone.
var specialProperties = map[string]string{
	"Any": `\x00-\x{10FFFF}`, "L&": `\p{Lu}\p{Ll}\p{Lt}`, "Xan": `\p{L}\p{N}`, "Xwd": `\p{L}\p{N}_`,
	"Xsp": `\p{Z}` + classSpace, "Xps": `\p{Z}` + classSpace,
}

// quoted translates \Q...\E. A quantifier behind it is about the last character alone.
func (t *translator) quoted() error {
	text, rest, _ := strings.Cut(t.in[2:], `\E`)
	t.in = rest
	if t.atom = text != ""; t.atom {
		_, last := utf8.DecodeLastRuneInString(text)
		t.out.WriteString(regexp.QuoteMeta(text[:len(text)-last]))
		t.beginAtom()
		t.out.WriteString(regexp.QuoteMeta(text[len(text)-last:]))
	}
	return nil
}
