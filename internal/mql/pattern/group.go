package pattern

import (
	"errors"
	"strconv"
	"strings"
)

// open translates what begins with a parenthesis: a group, flags or a comment.
func (t *translator) open() error {
	if strings.HasPrefix(t.in, "(*") {
		return t.verb()
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
	}
	for _, special := range specialGroups {
		if !strings.HasPrefix(s, special.begin) {
			continue
		}
		if !t.back {
			return beyondLinear(special.name)
		}
		t.openGroup(2+len(special.begin), "(?"+special.begin)
		return nil
	}
	if n := nameLength(s); n > 0 {
		return t.named(n)
	}
	return t.furtherGroup(s)
}

// specialGroups are groups that only an engine that backtracks has.
var specialGroups = []struct{ begin, name string }{
	{"=", "lookaround"}, {"!", "lookaround"}, {"<=", "lookaround"}, {"<!", "lookaround"}, {">", "an atomic group"},
}

// named opens a group whose name, with what is around it, takes n bytes.
func (t *translator) named(n int) error {
	name := strings.Trim(strings.TrimPrefix(t.in[2:2+n], "P"), "<>'")
	if name[0] >= '0' && name[0] <= '9' {
		return errors.New("group name must start with a non-digit")
	}
	if t.names[name] > 0 && t.all == 0 {
		return errors.New("two named subpatterns have the same name")
	}
	t.captureGroup(2 + n)
	t.names[name] = t.captured
	return nil
}

// furtherGroup translates what begins with (? and is rare, or flags.
func (t *translator) furtherGroup(s string) error {
	switch {
	case strings.HasPrefix(s, "P="):
		name, rest, ok := strings.Cut(s[2:], ")")
		if !ok {
			return errors.New("missing )")
		}
		t.in = rest
		return t.namedReference(name)
	case strings.HasPrefix(s, "("):
		return t.conditional(s)
	case strings.HasPrefix(s, "|"):
		return beyondBoth("a group that resets the numbers of groups")
	case strings.HasPrefix(s, "P>"), strings.HasPrefix(s, "&"), strings.HasPrefix(s, "R"), s != "" && s[0] >= '0' && s[0] <= '9',
		len(s) > 1 && (s[0] == '+' || s[0] == '-') && s[1] >= '0' && s[1] <= '9':
		return beyondBoth("recursion")
	case strings.HasPrefix(s, "C"):
		return t.callout(s)
	}
	return t.inlineFlags()
}

// callout passes over (?C), which calls nobody.
func (t *translator) callout(s string) error {
	number, rest, ok := strings.Cut(s[1:], ")")
	if n, err := strconv.Atoi("0" + number); !ok || err != nil || n > 255 {
		return errors.New("number after (?C is > 255")
	}
	t.in = rest
	return nil
}

// conditional translates (?(1)yes|no), a condition on a group by its number or name.
func (t *translator) conditional(s string) error {
	if !t.back {
		return beyondLinear("a condition")
	}
	if strings.HasPrefix(s, "(?") {
		t.openGroup(2, "(?") // an assertion follows
		return t.open()
	}
	name, _, ok := strings.Cut(s[1:], ")")
	if !ok || name == "" {
		return errors.New("malformed number or name after (?(")
	}
	if name == "DEFINE" || name[0] == 'R' {
		return beyondBoth("a condition on recursion")
	}
	number, err := t.groupNumber(strings.Trim(name, "<>'"))
	if err != nil {
		return err
	}
	t.openGroup(2+len(name)+2, "(?("+strconv.Itoa(number)+")")
	return nil
}

// verb translates what begins with (*: settings at the beginning of the pattern that hold here always, and what no engine has.
func (t *translator) verb() error {
	name, rest, ok := strings.Cut(t.in[2:], ")")
	if !ok {
		return errors.New("missing )")
	}
	switch name {
	case "UTF8", "UTF", "LF", "BSR_UNICODE", "NO_START_OPT":
		if len(t.in) == len(t.text) {
			t.in, t.text = rest, rest
			return nil
		}
	case "FAIL", "F":
		t.in = rest
		t.out.WriteString(`[^\x00-\x{10FFFF}]`)
		return nil
	case "UCP", "CR", "CRLF", "ANYCRLF", "ANY", "BSR_ANYCRLF", "ACCEPT", "COMMIT", "PRUNE", "SKIP", "THEN":
		return beyondBoth("a verb, (*" + name + ")")
	}
	if strings.HasPrefix(name, "MARK:") || strings.HasPrefix(name, ":") || strings.HasPrefix(name, "LIMIT_") {
		return beyondBoth("a verb, (*" + name + ")")
	}
	return errors.New("(*VERB) not recognized or malformed")
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
func (t *state) captureGroup(n int) {
	number := t.capture()
	if !t.search && !t.back {
		t.openGroup(n, "(?:")
		return
	}
	t.captures = append(t.captures, number)
	t.openGroup(n, "(")
}

// openGroup opens a group whose beginning takes n bytes.
func (t *state) openGroup(n int, opening string) {
	t.in = t.in[n:]
	t.groups = append(t.groups, group{t.now, t.out.Len()})
	t.out.WriteString(opening)
	t.atom = false
}

func (t *state) close() error {
	n := len(t.groups)
	if n == 0 {
		return errors.New("unmatched parentheses")
	}
	closed := t.groups[n-1]
	t.now, t.groups = closed.flags, t.groups[:n-1]
	t.take(1)
	t.atom, t.begin = true, closed.begin
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
		case c == 'J':
			return beyondBoth("groups of one name")
		case !t.now.set(c, on):
			return errors.New("unrecognized character after (? or (?-")
		}
	}
	return errors.New("missing )")
}
