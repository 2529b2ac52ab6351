package pattern

import (
	"errors"
	"strings"
)

// open translates what begins with a parenthesis: a group, flags or a comment.
func (t *translator) open() error {
	if strings.HasPrefix(t.in, "(*") {
		return beyondLinear("a verb, (*...)")
	}
	if !strings.HasPrefix(t.in, "(?") {
		t.captureGroup(1)
		return nil
	}
	s := t.in[2:]
	switch {
	case strings.HasPrefix(s, "#"):
		_, rest, ok := strings.Cut(s, ")")
		if !ok {
			return errors.New("missing ) after comment")
		}
		t.in = rest
		return nil
	case strings.HasPrefix(s, ":"):
		t.openGroup(3, "(?:")
		return nil
	case strings.HasPrefix(s, "="), strings.HasPrefix(s, "!"), strings.HasPrefix(s, "<="), strings.HasPrefix(s, "<!"):
		return beyondLinear("lookaround")
	case strings.HasPrefix(s, ">"):
		return beyondLinear("an atomic group")
	}
	if n := nameLength(s); n > 0 {
		name := strings.Trim(strings.TrimPrefix(s[:n], "P"), "<>'")
		if t.names[name] {
			return errors.New("two named subpatterns have the same name")
		}
		t.names[name] = true
		t.captureGroup(2 + n)
		return nil
	}
	return t.inlineFlags()
}

// nameLength returns the length of <name>, 'name' or P<name> at the beginning of s, or 0.
func nameLength(s string) int {
	n := 0
	if strings.HasPrefix(s, "P<") {
		n = 1
	}
	end := ">"
	switch {
	case strings.HasPrefix(s[n:], "'"):
		end = "'"
	case !strings.HasPrefix(s[n:], "<"):
		return 0
	}
	i := strings.Index(s[n+1:], end)
	if i <= 0 || strings.ContainsAny(s[n+1:n+1+i], "()") {
		return 0
	}
	return n + 1 + i + 1
}

// captureGroup opens a group that captures, whose beginning takes n bytes.
func (t *translator) captureGroup(n int) {
	if !t.search {
		t.openGroup(n, "(?:")
		return
	}
	t.captures = append(t.captures, t.capture())
	t.openGroup(n, "(")
}

// openGroup opens a group whose beginning takes n bytes.
func (t *translator) openGroup(n int, opening string) {
	t.in = t.in[n:]
	t.out.WriteString(opening)
	t.groups = append(t.groups, t.now)
	t.atom = false
}

func (t *translator) close() error {
	n := len(t.groups)
	if n == 0 {
		return errors.New("unmatched parentheses")
	}
	t.now, t.groups = t.groups[n-1], t.groups[:n-1]
	t.take(1)
	t.atom = true
	return nil
}

// inlineFlags translates (?i-s) and (?i-s:...).
func (t *translator) inlineFlags() error {
	s := t.in[2:]
	before, on := t.now, true
	for i, c := range s {
		switch {
		case c == '-':
			on = false
		case c == ')':
			t.in = s[i+1:]
			t.writeFlags()
			return nil
		case c == ':':
			after := t.now
			t.now = before
			t.openGroup(2+i+1, "(?:")
			t.now = after
			t.writeFlags()
			return nil
		case c == 'U' && t.search:
			return beyondLinear("(?U")
		case !t.now.set(c, on):
			t.now = before
			return beyondLinear("(?" + string(c))
		}
	}
	return errors.New("missing )")
}
