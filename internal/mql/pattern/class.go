package pattern

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// class translates a character class in brackets. Escapes and names that stand for sets of characters are kept apart, because
// PCRE does not fold the case of what they contain and the engines do.
type class struct {
	*state
	negated     bool
	chars, sets bytes.Buffer
	single      bool // the last item was one character, which may begin a range
}

// translate translates the class that is next.
func (c *class) translate() error {
	if word, length := wordBorder(c.in); length > 0 {
		if !c.back {
			return beyondLinear(c.in[:length])
		}
		c.in = c.in[length:]
		c.out.WriteString(word)
		c.atom = false
		return nil
	}
	c.in = c.in[1:]
	if strings.HasPrefix(c.in, "^") {
		c.negated = true
		c.in = c.in[1:]
	}
	for strings.HasPrefix(c.in, `\E`) { // without a \Q it is nothing
		c.in = c.in[2:]
	}
	for first := true; first || !strings.HasPrefix(c.in, "]"); first = false {
		if c.in == "" {
			return errMissingBracket
		}
		if err := c.item(); err != nil {
			return err
		}
		for strings.HasPrefix(c.in, `\E`) {
			c.in = c.in[2:]
		}
	}
	c.in = c.in[1:]
	c.beginAtom()
	return c.write()
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

// item translates a member of a class, or the end of a range.
func (c *class) item() error {
	begins := c.single && len(c.in) > 1 && c.in[0] == '-' && c.in[1] != ']'
	if begins { // a range, if a character follows
		c.single = false
		c.chars.WriteByte('-')
		c.in = c.in[1:]
		sets := c.sets.Len()
		if err := c.member(); err != nil {
			return err
		}
		if c.sets.Len() > sets {
			return errors.New("invalid range in character class")
		}
		c.single = false
		return nil
	}
	return c.member()
}

// member translates a set or a character of a class.
func (c *class) member() error {
	c.single = false
	switch end := strings.Index(c.in, ":]"); {
	case c.in == "":
		return errMissingBracket
	case strings.HasPrefix(c.in, "[:") && end > 0:
		return c.posix(end)
	case strings.HasPrefix(c.in, `\Q`):
		return c.quotedMembers()
	case c.in[0] == '\\':
		return c.escape()
	}
	_, n := utf8.DecodeRuneInString(c.in)
	c.put(c.in[:n])
	c.in = c.in[n:]
	return nil
}

// quotedMembers translates \Q...\E within a class.
func (c *class) quotedMembers() error {
	text, rest, _ := strings.Cut(c.in[2:], `\E`)
	c.in = rest
	for _, r := range text {
		c.put(string(r))
	}
	return nil
}

// put writes a character that stands for itself.
func (c *class) put(character string) {
	if strings.Contains(`[]-^\`, character) {
		c.chars.WriteByte('\\')
	}
	c.chars.WriteString(character)
	c.single = true
}

// posix translates [:name:], whose end is at an offset.
func (c *class) posix(end int) error {
	name, negated := strings.CutPrefix(c.in[2:end], "^")
	set, known := posixSets[name]
	if !known {
		return errors.New("unknown POSIX class name")
	}
	if c.now.fold && (name == "upper" || name == "lower") {
		set = posixSets["alpha"]
	}
	c.sets.WriteString(set[b2i(negated)])
	c.in = c.in[end+2:]
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

func (c *class) write() error {
	chars, sets := c.chars.String(), c.sets.String()
	switch {
	case c.negated && c.now.fold && sets != "" && chars == "":
		c.out.WriteString("(?-i:[^" + sets + "])")
	case c.negated && c.now.fold && sets != "" && !c.back:
		return beyondLinear("a negated class without regard to case")
	case c.negated && c.now.fold && sets != "":
		c.out.WriteString("(?:(?![" + chars + "])(?-i:[^" + sets + "]))")
	case c.negated:
		c.out.WriteString("[^" + sets + chars + "]")
	case chars == "":
		c.out.WriteString("(?-i:[" + sets + "])")
	case sets == "" || !c.now.fold:
		c.out.WriteString("[" + sets + chars + "]")
	default:
		c.out.WriteString("(?:[" + chars + "]|(?-i:[" + sets + "]))")
	}
	return nil
}

var errMissingBracket = errors.New("missing terminating ] for character class")

// escape translates what begins with a backslash, inside a class.
func (c *class) escape() error {
	if len(c.in) < 2 {
		return errMissingBracket
	}
	escape := c.in[1]
	if set := classOf(escape); set != "" {
		c.in = c.in[2:]
		c.sets.WriteString(set)
		return nil
	}
	into := &c.chars
	switch escape {
	case 'p', 'P':
		into = &c.sets
	case 'N':
		return errors.New(`\N is not supported in a class`)
	case 'B', 'R', 'X':
		c.in = c.in[2:]
		c.put(string(escape))
		return nil
	}
	c.single = into == &c.chars
	outside := c.out
	c.out, c.inClass = into, true
	defer func() { c.out, c.inClass = outside, false }()
	switch {
	case escape == 'b':
		c.in = c.in[2:]
		c.rune('\b')
	case escape >= '1' && escape <= '7':
		c.octal(3)
	default:
		return c.character()
	}
	return nil
}
