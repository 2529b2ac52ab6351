package expression

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// parseDate reads a date as people and programs write it. The text is taken apart into dates, times, zones and words; at each place the rule
// counts that matches most, and of those the first.
func parseDate(text []byte, z zone, given bool) (int64, error) {
	if len(text) > maxDateText {
		return 0, conversionFailure("Error parsing date string: it is longer than %d bytes", maxDateText)
	}
	p := newDateParser(text)
	if !p.scanISO() {
		p.words()
	}
	return p.date(z, given)
}

// maxDateText bounds the work on a text, which is more than in proportion to its length.
const maxDateText = 4 << 10

// scanISO reads 2006-01-02 and 2006-01-02T15:04:05.000Z, which most texts are. If the text has another form, nothing was read.
func (p *dateParser) scanISO() bool {
	t := p.text
	if len(t) < 10 || t[4] != '-' || t[7] != '-' {
		return false
	}
	q := newDateParser([]byte(t))
	number := func(at, digits, piece int) bool {
		q.at = at
		n, found := q.number(digits)
		q.set(piece, n)
		return found == digits
	}
	if !number(0, 4, pieceYear) || !number(5, 2, pieceMonth) || !number(8, 2, pieceDay) || q.get(pieceMonth, 0) > 12 || q.get(pieceDay, 0) > 31 {
		return false
	}
	if len(t) > 10 {
		if len(t) < 19 || t[10] != 'T' && t[10] != ' ' || t[13] != ':' || t[16] != ':' ||
			!number(11, 2, pieceHour) || !number(14, 2, pieceMinute) || !number(17, 2, pieceSecond) {
			return false
		}
		if q.at < len(t) && t[q.at] == '.' {
			q.at++
			begin := q.at
			if _, digits := q.number(len(t)); digits == 0 {
				return false
			}
			q.setFraction(t[begin:q.at])
		}
		if t[q.at:] == "Z" {
			q.setOffset(0)
			q.zone = "Z"
			q.at++
		}
		if q.at < len(t) || q.get(pieceHour, 0) > 23 || q.get(pieceMinute, 0) > 59 || q.get(pieceSecond, 0) > 59 {
			return false
		}
	}
	*p = *q
	return true
}

// words reads everything else.
func (p *dateParser) words() {
	if strings.TrimSpace(p.text) == "" {
		p.fail(0, "Empty string")
		return
	}
	for p.at < len(p.text) {
		c := p.text[p.at]
		if strings.IndexByte(" .,;\t\n", c) >= 0 {
			p.at++
			continue
		}
		rest := p.text[p.at:]
		best, length := -1, 0
		for i, r := range dateRules() {
			if !r.mayBegin(c) {
				continue
			}
			if m := r.pattern.FindStringIndex(rest); m != nil && m[1] > length {
				best, length = i, m[1]
			}
		}
		if best < 0 {
			p.fail(p.at, "Unexpected character")
			p.at++
			continue
		}
		rule := dateRules()[best]
		begin := p.at
		p.at += length
		rule.read(p, begin, rule.pattern.FindStringSubmatch(rest))
	}
}

// dateRule is a form of texts and what it says. The groups of the pattern go to read.
type dateRule struct {
	begins  string // what it begins with: d digit, a letter, s sign, @ itself, ( itself
	pattern *regexp.Regexp
	read    func(p *dateParser, begin int, m []string)
}

func (r dateRule) mayBegin(c byte) bool {
	kind := c
	switch {
	case isDigit(c):
		kind = 'd'
	case isLower(c) || isUpper(c):
		kind = 'a'
	case c == '+' || c == '-':
		kind = 's'
	}
	return strings.IndexByte(r.begins, kind) >= 0
}

// The parts of patterns.
const (
	rxHour     = `(2[0-4]|[01]?[0-9])`
	rxHour2    = `([01][0-9]|2[0-4])`
	rxMinute   = `([0-5]?[0-9])`
	rxMinute2  = `([0-5][0-9])`
	rxSecond   = `(60|[0-5]?[0-9])`
	rxSecond2  = `(60|[0-5][0-9])`
	rxHalf     = `[ \t]*([ap])(?:m|\.m\.?)(?:[ \t]|$)`
	rxMonth    = `(1[0-2]|0?[0-9])`
	rxMonth2   = `(0[0-9]|1[0-2])`
	rxDay      = `([0-2]?[0-9]|3[01])(?:st|nd|rd|th)?`
	rxDay2     = `(0[0-9]|[12][0-9]|3[01])`
	rxYear     = `([0-9]{1,4})`
	rxYear4    = `([0-9]{4})`
	rxLong     = `january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec`
	rxName     = `(` + rxLong + `|(?-i:VIII|XII|VII|III|XI|IX|IV|VI|II|I|V|X))`
	rxShort    = `(jan|feb|mar|apr|may|jun|jul|aug|sept|sep|oct|nov|dec)`
	rxGap      = `[ \t.-]*`
	rxAfterDay = `[,.stndrh\t ]`
	rxOffset   = `(?:gmt)?([+-])(2[0-4]|[01]?[0-9])(?::?([0-5][0-9]))?`
	rxUnit     = `(seconds?|secs?|minutes?|mins?|hours?|days?|weeks?|fortnights?|months?|years?)`
	rxWeekday  = `(sunday|monday|tuesday|wednesday|thursday|friday|saturday|sun|mon|tues|tue|wednes|wed|thurs|thur|thu|fri|satur|sat)`
	rxClock    = rxHour2 + `:` + rxMinute2 + `:` + rxSecond2
)

// zoneRules are those that formats use, too.
var zoneRules = sync.OnceValue(func() []dateRule {
	return []dateRule{
		newDateRule(rawDateRule{"sa", rxOffset, (*dateParser).readOffset}),
		newDateRule(rawDateRule{"a(", `\(?[a-z]{1,6}\)?|[a-z]+(?:[_/][a-z]+)+`, (*dateParser).readAbbreviation}),
	}
})

// dateRules are all, in their order: words that may be anything come last.
var dateRules = sync.OnceValue(func() (rules []dateRule) {
	for _, r := range timeRules {
		rules = append(rules, newDateRule(r))
	}
	for _, r := range calendarRules {
		rules = append(rules, newDateRule(r))
	}
	return append(rules, zoneRules()...)
})

func newDateRule(raw rawDateRule) dateRule {
	pattern := regexp.MustCompile(`^(?i:` + raw.pattern + `)`)
	pattern.Longest()
	return dateRule{begins: raw.begins, pattern: pattern, read: raw.read}
}

type rawDateRule struct {
	begins, pattern string
	read            func(p *dateParser, begin int, m []string)
}

var timeRules = []rawDateRule{
	{"@", `@(-?[0-9]+(?:\.[0-9]{1,6})?)`, func(p *dateParser, _ int, m []string) { p.unixTime(m[1]) }},
	{"d", `(1[0-2]|0?[1-9])(?:[:.]` + rxMinute2 + `)?(?:[:.]` + rxSecond2 + `)?` + rxHalf, func(p *dateParser, begin int, m []string) {
		hour := numberOf(m[1]) % 12
		if m[4] == "p" || m[4] == "P" {
			hour += 12
		}
		p.setTime(begin, strconv.FormatInt(hour, 10), m[2], m[3], "")
	}},
	{"da", `t?` + rxHour + `[:.]` + rxMinute + `(?:[:.]` + rxSecond + `(?:\.([0-9]+))?)?`, func(p *dateParser, begin int, m []string) {
		p.setTime(begin, m[1], m[2], m[3], m[4])
	}},
	{"a", `t` + rxHour, func(p *dateParser, begin int, m []string) { p.setTime(begin, m[1], "", "", "") }},
	{"da", `t?` + rxHour2 + rxMinute2 + rxSecond2 + `?`, func(p *dateParser, begin int, m []string) {
		if p.fields[pieceHour].set && len(m[0]) == 4 { // the year behind a time
			p.setYear(m[0])
			return
		}
		p.setTime(begin, m[1], m[2], m[3], "")
	}},
	{"d", rxYear4, func(p *dateParser, _ int, m []string) { p.setYear(m[1]) }},
	{"a", rxName + rxGap + rxDay + rxAfterDay + `*t?` + rxHour + `[:.]` + rxMinute + `(?:[:.]` + rxSecond + `(?:\.([0-9]+))?)?`, func(p *dateParser, begin int, m []string) {
		p.setDate(begin, "", m[1], m[2])
		p.setTime(begin, m[3], m[4], m[5], m[6])
	}},
	{"a", `now`, func(*dateParser, int, []string) {}},
	{"a", `today|midnight`, func(p *dateParser, _ int, _ []string) { p.resetTime(0) }},
	{"a", `noon`, func(p *dateParser, _ int, _ []string) { p.resetTime(12) }},
	{"a", `tomorrow`, func(p *dateParser, _ int, _ []string) { p.resetTime(0); p.shift.days++ }},
	{"a", `yesterday`, func(p *dateParser, _ int, _ []string) { p.resetTime(0); p.shift.days-- }},
	{"sd", `([+-]*)[ \t]*([0-9]{1,9})[ \t]*` + rxUnit + `\b([ \t]+ago\b)?`, func(p *dateParser, _ int, m []string) {
		n := numberOf(m[2])
		if strings.Count(m[1], "-")%2 != 0 != (m[4] != "") {
			n = -n
		}
		p.addUnits(n, m[3])
	}},
	{"a", `(next|last|previous|this)[ \t]+` + rxUnit + `\b`, func(p *dateParser, _ int, m []string) {
		n := map[string]int64{"next": 1, "last": -1, "previous": -1}[strings.ToLower(m[1])]
		p.addUnits(n, m[2])
	}},
	{"a", rxWeekday + `\b`, func(p *dateParser, _ int, m []string) {
		for day, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
			if strings.EqualFold(m[1][:3], name) {
				p.shift.weekday = day
			}
		}
	}},
}

var calendarRules = []rawDateRule{
	{"d", rxMonth + `/` + rxDay + `(?:/` + rxYear + `)?`, func(p *dateParser, begin int, m []string) { p.setDate(begin, m[3], m[1], m[2]) }},
	{"ds", `([+-]?[0-9]{4})-` + rxMonth2 + `-` + rxDay2, dateYMD},
	{"d", rxYear4 + `/` + rxMonth + `/` + rxDay + `/?`, dateYMD},
	{"d", rxYear4 + `-` + rxMonth, func(p *dateParser, begin int, m []string) { p.setDate(begin, m[1], m[2], "1") }},
	{"d", rxYear + `-` + rxMonth + `-` + rxDay, dateYMD},
	{"d", rxDay + `[.\t-]` + rxMonth + `[.-]` + rxYear4, dateDMY},
	{"d", rxDay + `[.\t]` + rxMonth + `\.([0-9]{2})`, dateDMY},
	{"d", rxDay + rxGap + rxName + rxGap + rxYear, dateDMY},
	{"a", rxName + rxGap + rxYear4, func(p *dateParser, begin int, m []string) { p.setDate(begin, m[2], m[1], "1") }},
	{"d", rxYear4 + rxGap + rxName, func(p *dateParser, begin int, m []string) { p.setDate(begin, m[1], m[2], "1") }},
	{"a", rxName + rxGap + rxDay + rxAfterDay + `+` + rxYear, func(p *dateParser, begin int, m []string) { p.setDate(begin, m[3], m[1], m[2]) }},
	{"a", rxName + rxGap + rxDay + rxAfterDay + `*`, func(p *dateParser, begin int, m []string) { p.setDate(begin, "", m[1], m[2]) }},
	{"d", rxDay + rxGap + rxName, func(p *dateParser, begin int, m []string) { p.setDate(begin, "", m[2], m[1]) }},
	{"d", rxYear4 + rxMonth2 + rxDay2, dateYMD},
	{"d", rxYear4 + `\.?([0-9]{3})`, func(p *dateParser, begin int, m []string) { p.setDate(begin, m[1], "1", m[2]) }}, // MongoDB takes it for a day in January
	{"a", rxShort + `-` + rxDay2 + `-` + rxYear, func(p *dateParser, begin int, m []string) { p.setDate(begin, m[3], m[1], m[2]) }},
	{"d", rxYear + `-` + rxShort + `-` + rxDay2, dateYMD},
	{"d", rxYear4 + `-?w(0[1-9]|[1-4][0-9]|5[0-3])(?:-?([0-7]))?`, func(p *dateParser, begin int, m []string) {
		if !p.beginDate(begin) {
			return
		}
		p.set(pieceISOYear, numberOf(m[1]))
		p.set(pieceISOWeek, numberOf(m[2]))
		if m[3] != "" {
			p.set(pieceISODay, numberOf(m[3]))
		}
	}},
	{"d", rxYear4 + rxMonth2 + rxDay2 + `(?:t?` + rxHour2 + rxMinute2 + rxSecond2 + `|t` + rxHour + `:` + rxMinute2 + `:` + rxSecond2 + `)`, func(p *dateParser, begin int, m []string) {
		p.setDate(begin, m[1], m[2], m[3])
		p.setTime(begin, m[4]+m[7], m[5]+m[8], m[6]+m[9], "")
	}},
	{"d", rxYear4 + `:` + rxMonth2 + `:` + rxDay2 + ` ` + rxClock, func(p *dateParser, begin int, m []string) {
		p.setDate(begin, m[1], m[2], m[3])
		p.setTime(begin, m[4], m[5], m[6], "")
	}},
	{"d", rxDay + `/` + rxShort + `/` + rxYear4 + `:` + rxClock, func(p *dateParser, begin int, m []string) {
		p.setDate(begin, m[3], m[2], m[1])
		p.setTime(begin, m[4], m[5], m[6], "")
	}},
	{"a", rxLong, func(p *dateParser, begin int, m []string) {
		if p.beginDate(begin) {
			p.set(pieceMonth, monthNumber(m[0]))
		}
	}},
}

func dateYMD(p *dateParser, begin int, m []string) { p.setDate(begin, m[1], m[2], m[3]) }
func dateDMY(p *dateParser, begin int, m []string) { p.setDate(begin, m[3], m[2], m[1]) }
