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
	t.atom = true
	c := t.in[1]
	switch c {
	case 'w', 'W':
		// With case folded, Go's engine counts two letters beyond ASCII among the word characters.
		t.in = t.in[2:]
		t.out.WriteString(`(?-i:\` + string(c) + ")")
		return nil
	case 'd', 'D':
		t.take(2)
		return nil
	case 'b', 'B', 'A', 'z':
		t.take(2)
		t.atom = false
		return nil
	case 'Z':
		return t.end(2)
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
	case 'Q':
		return t.quoted()
	case 'E':
		t.in = t.in[2:]
		t.atom = false
		return nil
	case 'G', 'K', 'X', 'C', 'R', 'g', 'k':
		return beyondLinear(`\` + string(c))
	}
	if c >= '1' && c <= '9' {
		return t.numbered()
	}
	if set := classOf(c); set != "" {
		t.in = t.in[2:]
		t.out.WriteString("[" + set + "]")
		return nil
	}
	return t.character()
}

// classEscape translates what begins with a backslash, inside a class.
func (t *translator) classEscape(c *classParts) error {
	if len(t.in) < 2 {
		return errors.New("missing terminating ] for character class")
	}
	escape := t.in[1]
	if set := classOf(escape); set != "" {
		t.in = t.in[2:]
		c.sets.WriteString(set)
		return nil
	}
	into := &c.chars
	switch escape {
	case 'd', 'D', 'w', 'W', 'p', 'P':
		into = &c.sets
		c.property = c.property || escape == 'p' || escape == 'P'
	case 'Q', 'E', 'B', 'N', 'R', 'X':
		return beyondLinear(`\` + string(escape) + " in a character class")
	}
	outside := t.out
	t.out = into
	defer func() { t.out = outside }()
	switch {
	case strings.IndexByte("dDwW", escape) >= 0:
		t.take(2)
	case escape == 'b':
		t.in = t.in[2:]
		t.rune('\b')
	case escape >= '1' && escape <= '7':
		t.octal(3)
	default:
		return t.character()
	}
	return nil
}

// classOf returns the inside of the class that an escape stands for, "" where Go's engine has the same or there is none.
func classOf(c byte) string {
	switch c {
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
func (t *translator) character() error {
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
		t.out.WriteString(regexp.QuoteMeta(t.in[1 : 1+n]))
		t.in = t.in[1+n:]
	}
	return nil
}

// numbered translates a backslash and a number: a backreference, or an octal one where there are not that many groups.
func (t *translator) numbered() error {
	digits := len(t.in[1:]) - len(strings.TrimLeft(t.in[1:], "0123456789"))
	n, err := strconv.Atoi(t.in[1 : 1+digits])
	if err != nil || n < 10 || n <= t.parens || t.in[1] > '7' {
		return beyondLinear("a backreference")
	}
	t.octal(3)
	return nil
}

// octal translates a backslash and up to most octal digits.
func (t *translator) octal(most int) {
	i := 1
	var n int64
	for i < len(t.in) && i <= most && t.in[i] >= '0' && t.in[i] <= '7' {
		n = n*8 + int64(t.in[i]-'0')
		i++
	}
	t.in = t.in[i:]
	t.rune(n)
}

func (t *translator) hexadecimal() error {
	s := t.in[2:]
	if strings.HasPrefix(s, "{") {
		digits, rest, ok := strings.Cut(s[1:], "}")
		if n, err := strconv.ParseInt(digits, 16, 32); ok && err == nil && n >= 0 && n <= utf8.MaxRune {
			t.in = rest
			t.rune(n)
			return nil
		}
		return errors.New(`invalid digits or too large a number after \x{`)
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

// property copies \pL, \p{Greek} and their negations. Go's parser knows most of their names.
func (t *translator) property() error {
	n := 3
	if strings.HasPrefix(t.in[2:], "{") {
		n = strings.IndexByte(t.in, '}') + 1
	}
	if n <= 0 || n > len(t.in) {
		return errors.New(`malformed \P or \p sequence`)
	}
	if _, err := regexp.Compile(t.in[:n]); err != nil {
		return beyondLinear("the property " + t.in[:n])
	}
	t.take(n)
	return nil
}

// quoted translates \Q...\E. A quantifier behind it is about the last character alone.
func (t *translator) quoted() error {
	text, rest, _ := strings.Cut(t.in[2:], `\E`)
	t.in = rest
	t.out.WriteString(regexp.QuoteMeta(text))
	t.atom = text != ""
	return nil
}
