package pattern

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// classParts is a character class in brackets while it is translated. Escapes and names that stand for sets of characters are
// kept apart, because PCRE does not fold the case of what they contain and Go's engine does.
type classParts struct {
	negated     bool
	chars, sets strings.Builder
	property    bool // one of the sets is \p or \P
}

// class translates a character class in brackets.
func (t *translator) class() error {
	c := &classParts{}
	t.in = t.in[1:]
	if strings.HasPrefix(t.in, "^") {
		c.negated = true
		t.in = t.in[1:]
	}
	for first := true; first || !strings.HasPrefix(t.in, "]"); first = false {
		if t.in == "" {
			return errors.New("missing terminating ] for character class")
		}
		if err := t.classItem(c); err != nil {
			return err
		}
	}
	t.in = t.in[1:]
	t.atom = true
	return t.writeClass(c)
}

func (t *translator) classItem(c *classParts) error {
	switch end := strings.Index(t.in, ":]"); {
	case strings.HasPrefix(t.in, "[:") && end > 0:
		name := t.in[:end+2]
		if t.now.fold && (name == "[:upper:]" || name == "[:lower:]") {
			name = "[:alpha:]"
		}
		c.sets.WriteString(name)
		t.in = t.in[end+2:]
		return nil
	case t.in[0] == '\\':
		return t.classEscape(c)
	case t.in[0] == '[' || t.in[0] == ']':
		c.chars.WriteByte('\\')
	}
	_, n := utf8.DecodeRuneInString(t.in)
	c.chars.WriteString(t.in[:n])
	t.in = t.in[n:]
	return nil
}

func (t *translator) writeClass(c *classParts) error {
	chars, sets := c.chars.String(), c.sets.String()
	switch {
	case c.negated && t.now.fold && c.property:
		return beyondLinear("a property in a negated class without regard to case")
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
