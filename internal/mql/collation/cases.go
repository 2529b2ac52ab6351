package collation

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bytes of the case level. What has no case counts as lower case.
const (
	caseLower = 1
	caseUpper = 2
)

// appendCases appends the case level: upper or lower for each weight of the first level. It begins with two zeros, which end the
// level before it, and ends with two for the level behind it.
func (c *collators) appendCases(dst, text []byte) []byte {
	dst = append(dst, 0, 0)
	for len(text) > 0 {
		if b := text[0]; b > ' ' && b < utf8.RuneSelf-1 && (len(text) == 1 || text[1] < utf8.RuneSelf) {
			dst = append(dst, caseOf(rune(b)))
			text = text[1:]
			continue
		}
		n := norm.NFKD.NextBoundary(text, true)
		c.segment = norm.NFKD.Append(c.segment[:0], text[:n]...)
		text = text[n:]
		for rest := c.segment; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			for range c.primaries(rest[:size]) {
				dst = append(dst, caseOf(r))
			}
			rest = rest[size:]
		}
	}
	return append(dst, 0, 0)
}

func caseOf(r rune) byte {
	if unicode.IsUpper(r) || unicode.IsTitle(r) {
		return caseUpper
	}
	return caseLower
}

// primaries returns how many weights of the first level a character has by itself.
func (c *collators) primaries(char []byte) int {
	c.single.Reset()
	n := 0
	for key := c.first.Key(&c.single, char); len(key) > 0; n++ {
		size := 2
		if key[0]&0x80 != 0 {
			size = 3
		}
		key = key[min(size, len(key)):]
	}
	return n
}

// appendNumbers appends text with each number brought into a form that the numeric order of x/text sorts rightly: without leading
// zeros, which do not count, and with a 1 in front, since x/text gives zero no digits and so no weight.
func appendNumbers(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		start := i
		significant := -1
		for i < len(text) {
			r, size := utf8.DecodeRune(text[i:])
			if !unicode.Is(unicode.Nd, r) {
				break
			}
			if significant < 0 && !isZero(r) {
				significant = i
			}
			i += size
		}
		if i > start {
			dst = append(dst, '1')
			if significant >= 0 {
				dst = append(dst, text[significant:i]...)
			}
			continue
		}
		_, size := utf8.DecodeRune(text[i:])
		dst = append(dst, text[i:i+size]...)
		i += size
	}
	return dst
}

// isZero reports whether a decimal digit is a zero. Each script's digits stand together, zero first, in tens.
func isZero(digit rune) bool {
	for _, r := range unicode.Nd.R16 {
		if digit >= rune(r.Lo) && digit <= rune(r.Hi) {
			return (digit-rune(r.Lo))%10 == 0
		}
	}
	for _, r := range unicode.Nd.R32 {
		if digit >= rune(r.Lo) && digit <= rune(r.Hi) {
			return (digit-rune(r.Lo))%10 == 0
		}
	}
	return false
}
