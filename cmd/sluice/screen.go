package main

import (
	"fmt"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// style is how a part of a line looks on a terminal, as the parameters of an SGR sequence.
type style string

const (
	plain  style = ""
	faint  style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// line is one line of output that is being put together: cut at a number of columns, and free of anything that a
// terminal would take for more than text, whatever the parts contain.
type line struct {
	buf      []byte
	columns  int  // the width that is allowed
	used     int  // columns that are filled
	fits     int  // length of buf up to the last column but one, where a cut leaves room for the mark
	full     bool // cut; nothing is added any more
	coloured bool
	styled   bool // a style is on
}

// cutMark stands where a line or a string was cut.
const cutMark = "…"

// text appends s, escaped where necessary.
func (l *line) text(s string) {
	for len(s) > 0 && !l.full {
		r, size := utf8.DecodeRuneInString(s)
		if isText(r, size) {
			l.put(s[:size], runeColumns(r))
		} else {
			escaped := appendEscape(nil, s[:size], r)
			l.put(string(escaped), len(escaped))
		}
		s = s[size:]
	}
}

// put appends what takes so many columns.
func (l *line) put(s string, columns int) {
	if l.full {
		return
	}
	if l.used+columns > l.columns {
		l.full = true
		l.buf = append(l.buf[:l.fits], cutMark...)
		return
	}
	l.buf = append(l.buf, s...)
	l.used += columns
	if l.used < l.columns {
		l.fits = len(l.buf)
	}
}

// set changes the style of what follows.
func (l *line) set(s style) {
	if !l.coloured || l.full {
		return
	}
	if l.styled {
		l.buf = append(l.buf, "\x1b[0m"...)
	}
	if l.styled = s != plain; l.styled {
		l.buf = append(l.buf, "\x1b["+string(s)+"m"...)
	}
	if l.used < l.columns {
		l.fits = len(l.buf)
	}
}

// styledText appends s in a style, and ends the style.
func (l *line) styledText(as style, s string) {
	l.set(as)
	l.text(s)
	l.set(plain)
}

// end returns the line with its line feed.
func (l *line) end() []byte {
	if l.styled {
		l.buf = append(l.buf, "\x1b[0m"...)
	}
	return append(l.buf, '\n')
}

// isText reports whether a terminal shows the rune as it is. Control and format characters are not text: the former
// move the cursor and worse, the latter (such as those that reverse the direction) make a line read as what it is not.
func isText(r rune, size int) bool {
	return !(r == utf8.RuneError && size == 1) && unicode.IsGraphic(r)
}

// appendEscaped appends s with everything escaped that is not text.
func appendEscaped(dst []byte, s string) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if isText(r, size) {
			dst = append(dst, s[:size]...)
		} else {
			dst = appendEscape(dst, s[:size], r)
		}
		s = s[size:]
	}
	return dst
}

func appendEscape(dst []byte, s string, r rune) []byte {
	switch {
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case r == '\t':
		return append(dst, `\t`...)
	case r == utf8.RuneError && len(s) == 1:
		return fmt.Appendf(dst, `\x%02x`, s[0])
	case r > 0xffff:
		return fmt.Appendf(dst, `\u{%x}`, r)
	default:
		return fmt.Appendf(dst, `\u%04x`, r)
	}
}

// runeColumns is how many columns a terminal gives a rune.
func runeColumns(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
