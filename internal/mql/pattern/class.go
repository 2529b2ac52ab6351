package pattern

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// classParts is a character class in brackets while it is translated. Escapes and names that stand for sets of characters are
// kept apart, because PCRE does not fold the case of what they contain and Go's engine does.
type classParts struct {
	negated     bool
	chars, sets bytes.Buffer
	single      bool // the last item was one character, which may begin a range
}

// class translates a character class in brackets.
func (t *translator) class() error {
	c := &classParts{}
	if word, length := wordBorder(t.in); length > 0 {
		if !t.back {
			return beyondLinear(t.in[:length])
		}
		t.in = t.in[length:]
		t.out.WriteString(word)
		t.atom = false
		return nil
	}
	t.in = t.in[1:]
	if strings.HasPrefix(t.in, "^") {
		c.negated = true
		t.in = t.in[1:]
	}
	for strings.HasPrefix(t.in, `\E`) { // without a \Q it is nothing
		t.in = t.in[2:]
	}
	for first := true; first || !strings.HasPrefix(t.in, "]"); first = false {
		if t.in == "" {
			return errMissingBracket
		}
		if err := t.classItem(c); err != nil {
			return err
		}
		for strings.HasPrefix(t.in, `\E`) {
			t.in = t.in[2:]
		}
	}
	t.in = t.in[1:]
	t.beginAtom()
	return t.writeClass(c)
}

// wordBorder returns the assertion for [[:<:]] or [[:>:]], the begin or end of a word, and the length of what stands for it.
func wordBorder(s string) (assertion string, length int) {
	switch {
	case strings.HasPrefix(s, "[[:<:]]"):
		return wordBoundary + "(?=[" + classWord + "])", len("[[:<:]]")
	case strings.HasPrefix(s, "[[:>:]]"):
		return wordBoundary + "(?<=[" + classWord + "])", len("[[:>:]]")
	}
	return "", 0
}

// wordBoundary is \b for the engine that backtracks, whose own knows letters beyond ASCII.
const (
	wordBoundary    = "(?-i:(?<=[" + classWord + "])(?![" + classWord + "])|(?<![" + classWord + "])(?=[" + classWord + "]))"
	notWordBoundary = "(?!" + wordBoundary + ")"
)

func (t *translator) classItem(c *classParts) error {
	begins := c.single && len(t.in) > 1 && t.in[0] == '-' && t.in[1] != ']'
	if begins { // a range, if a character follows
		c.single = false
		c.chars.WriteByte('-')
		t.in = t.in[1:]
		sets := c.sets.Len()
		if err := t.classMember(c); err != nil {
			return err
		}
		if c.sets.Len() > sets {
			return errors.New("invalid range in character class")
		}
		c.single = false
		return nil
	}
	return t.classMember(c)
}

// classMember translates a set or a character of a class.
func (t *translator) classMember(c *classParts) error {
	c.single = false
	switch end := strings.Index(t.in, ":]"); {
	case t.in == "":
		return errMissingBracket
	case strings.HasPrefix(t.in, "[:") && end > 0:
		return t.posix(c, end)
	case strings.HasPrefix(t.in, `\Q`):
		return t.quotedMembers(c)
	case t.in[0] == '\\':
		return t.classEscape(c)
	}
	_, n := utf8.DecodeRuneInString(t.in)
	writeMember(c, t.in[:n])
	t.in = t.in[n:]
	return nil
}

// quotedMembers translates \Q...\E within a class.
func (t *translator) quotedMembers(c *classParts) error {
	text, rest, _ := strings.Cut(t.in[2:], `\E`)
	t.in = rest
	for _, r := range text {
		writeMember(c, string(r))
	}
	return nil
}

// writeMember writes a character that stands for itself.
func writeMember(c *classParts, character string) {
	if strings.Contains(`[]-^\`, character) {
		c.chars.WriteByte('\\')
	}
	c.chars.WriteString(character)
	c.single = true
}

// posix translates [:name:], whose end is at an offset.
func (t *translator) posix(c *classParts, end int) error {
	name, negated := strings.CutPrefix(t.in[2:end], "^")
	set, known := posixSets[name]
	if !known {
		return errors.New("unknown POSIX class name")
	}
	if t.now.fold && (name == "upper" || name == "lower") {
		set = posixSets["alpha"]
	}
	c.sets.WriteString(set[b2i(negated)])
	t.in = t.in[end+2:]
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// posixSets are the sets that have names, and what is not in them.
var posixSets = map[string][2]string{
	"alnum":  {`0-9A-Za-z`, "\\x00-/:-@\\[-`{-\\x{10FFFF}"},
	"alpha":  {`A-Za-z`, "\\x00-@\\[-`{-\\x{10FFFF}"},
	"ascii":  {`\x00-\x7F`, `\x{80}-\x{10FFFF}`},
	"blank":  {`\t `, `\x00-\x08\n-\x1F!-\x{10FFFF}`},
	"cntrl":  {`\x00-\x1F\x7F`, ` -~\x{80}-\x{10FFFF}`},
	"digit":  {classDigit, classNotDigit},
	"graph":  {`!-~`, `\x00- \x7F-\x{10FFFF}`},
	"lower":  {`a-z`, "\\x00-`{-\\x{10FFFF}"},
	"print":  {` -~`, `\x00-\x1F\x7F-\x{10FFFF}`},
	"punct":  {"!-/:-@\\[-`{-~", `\x00- 0-9A-Za-z\x7F-\x{10FFFF}`},
	"space":  {classSpace, classNotSpace},
	"upper":  {`A-Z`, `\x00-@\[-\x{10FFFF}`},
	"word":   {classWord, classNotWord},
	"xdigit": {`0-9A-Fa-f`, "\\x00-/:-@G-`g-\\x{10FFFF}"},
}

func (t *translator) writeClass(c *classParts) error {
	chars, sets := c.chars.String(), c.sets.String()
	switch {
	case c.negated && t.now.fold && sets != "" && chars == "":
		t.out.WriteString("(?-i:[^" + sets + "])")
	case c.negated && t.now.fold && sets != "" && !t.back:
		return beyondLinear("a negated class without regard to case")
	case c.negated && t.now.fold && sets != "":
		t.out.WriteString("(?:(?![" + chars + "])(?-i:[^" + sets + "]))")
	case c.negated:
		t.out.WriteString("[^" + sets + chars + "]")
	case chars == "":
		t.out.WriteString("(?-i:[" + sets + "])")
	case sets == "" || !t.now.fold:
		t.out.WriteString("[" + sets + chars + "]")
	default:
		t.out.WriteString("(?:[" + chars + "]|(?-i:[" + sets + "]))")
	}
	return nil
}

var errMissingBracket = errors.New("missing terminating ] for character class")
