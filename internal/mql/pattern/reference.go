package pattern

import (
	"errors"
	"strconv"
	"strings"
)

var errNoSuchGroup = errors.New("reference to non-existent subpattern")

// backreference translates a reference to what a group matched. Whether there is such a group is known at the end.
func (t *translator) backreference(n int) error {
	if !t.back {
		return beyondLinear("a backreference")
	}
	if n <= 0 {
		return errNoSuchGroup
	}
	t.last = max(t.last, n)
	t.out.WriteString(`(?:\k<` + strconv.Itoa(n) + ">)")
	return nil
}

func (t *translator) namedReference(name string) error {
	if !t.back {
		return beyondLinear("a backreference")
	}
	n, err := t.groupNumber(name)
	if err != nil {
		return err
	}
	t.beginAtom()
	return t.backreference(n)
}

// groupNumber finds a group by its number or name. Groups that come later are known in the second translation only.
func (t *translator) groupNumber(name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		if name[0] == '-' || name[0] == '+' {
			n += t.captured
			if name[0] == '-' {
				n++
			}
		}
		if n <= 0 {
			return 0, errNoSuchGroup
		}
		t.last = max(t.last, n)
		return n, nil
	}
	n := t.names[name]
	if n == 0 && t.all > 0 {
		return 0, errNoSuchGroup
	}
	return max(n, 1), nil
}

// reference translates \g and \k with a number or name in brackets, or a number without.
func (t *translator) reference() error {
	if !t.back {
		return beyondLinear("a backreference")
	}
	s, end := t.in[2:], ""
	switch {
	case strings.HasPrefix(s, "{"):
		end = "}"
	case strings.HasPrefix(s, "<"):
		end = ">"
	case strings.HasPrefix(s, "'"):
		end = "'"
	case t.in[1] == 'k':
		return errors.New(`\k is not followed by a braced, angle-bracketed, or quoted name`)
	}
	if t.in[1] == 'g' && (end == ">" || end == "'") {
		return beyondBoth("recursion")
	}
	var name string
	if end == "" {
		digits := len(s) - len(strings.TrimLeft(s, "-+0123456789"))
		name, t.in = s[:digits], s[digits:]
	} else {
		var ok bool
		if name, t.in, ok = strings.Cut(s[1:], end); !ok {
			return errors.New("syntax error in subpattern name (missing terminator)")
		}
	}
	if name == "" {
		return errors.New(`a numbered reference must not be zero`)
	}
	n, err := t.groupNumber(name)
	if err != nil {
		return err
	}
	return t.backreference(n)
}
