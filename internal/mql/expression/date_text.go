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

// numberOf reads a number that a pattern has found; that of nothing is 0.
func numberOf(digits string) int64 {
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var romanMonths = map[string]int64{
	"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9, "x": 10, "xi": 11, "xii": 12,
}

// monthNumber reads a month: a number, a name, its first letters, or a Roman number.
func monthNumber(text string) int64 {
	if isDigit(text[0]) {
		return numberOf(text)
	}
	text = strings.ToLower(text)
	if n, ok := romanMonths[text]; ok {
		return n
	}
	for month := int64(1); month <= 12; month++ {
		if strings.HasPrefix(text, strings.ToLower(monthNames[month][:3])) {
			return month
		}
	}
	return 0
}

// beginDate refuses a second date.
func (p *dateParser) beginDate(begin int) bool {
	if p.dated {
		p.fail(begin, "Double date specification")
		return false
	}
	p.dated = true
	return true
}

// setDate sets a date, whose year may be left out.
func (p *dateParser) setDate(begin int, year, month, day string) {
	if !p.beginDate(begin) {
		return
	}
	if year != "" {
		p.setYear(year)
	}
	p.set(pieceMonth, monthNumber(month))
	p.set(pieceDay, numberOf(day))
}

// setYear sets a year; one of two digits is from 1970 to 2069.
func (p *dateParser) setYear(text string) {
	n := numberOf(text)
	if len(text) < 4 && n < 100 {
		if n += 1900; n < 1970 {
			n += 100
		}
	}
	p.set(pieceYear, n)
}

func (p *dateParser) setTime(begin int, hour, minute, second, fraction string) {
	if p.fields[pieceHour].set {
		p.fail(begin, "Double time specification")
		return
	}
	p.set(pieceHour, numberOf(hour))
	p.set(pieceMinute, numberOf(minute))
	p.set(pieceSecond, numberOf(second))
	p.setFraction(fraction)
}

// resetTime sets a full hour, whatever the text said before. A time behind it counts.
func (p *dateParser) resetTime(hour int64) {
	for piece := pieceHour; piece <= pieceMicro; piece++ {
		p.fields[piece] = datePieceRead{}
	}
	p.fields[pieceHour].value = hour
	p.fields[pieceHour].set = hour != 0
}

func (p *dateParser) addUnits(n int64, unit string) {
	switch unit = strings.ToLower(unit); {
	case strings.HasPrefix(unit, "sec"):
		p.shift.seconds += n
	case strings.HasPrefix(unit, "min"):
		p.shift.seconds += n * 60
	case strings.HasPrefix(unit, "hour"):
		p.shift.seconds += n * secondsPerHour
	case strings.HasPrefix(unit, "day"):
		p.shift.days += n
	case strings.HasPrefix(unit, "week"):
		p.shift.days += n * daysPerWeek
	case strings.HasPrefix(unit, "fortnight"):
		p.shift.days += n * 2 * daysPerWeek
	case strings.HasPrefix(unit, "month"):
		p.shift.months += n
	case strings.HasPrefix(unit, "year"):
		p.shift.months += n * 12
	}
}

func (p *dateParser) readOffset(begin int, m []string) {
	if p.zoned {
		p.fail(begin, "Double timezone specification")
		return
	}
	seconds := int(numberOf(m[2]))*secondsPerHour + int(numberOf(m[3]))*60
	if m[1] == "-" {
		seconds = -seconds
	}
	p.setOffset(seconds)
}

func (p *dateParser) readAbbreviation(begin int, m []string) {
	name := strings.Trim(m[0], "()")
	hours, known := zoneAbbreviations[strings.ToLower(name)]
	switch {
	case !known:
		p.fail(begin, "passing a time zone identifier as part of the string is not allowed")
	case p.zoned:
		p.fail(begin, "Double timezone specification")
	default:
		p.setOffset(int(hours * secondsPerHour))
		p.zone = name
	}
}

// zoneAbbreviations are the zones that a text may name, in hours east of UTC.
var zoneAbbreviations = map[string]float64{
	"utc": 0, "gmt": 0, "uct": 0, "wet": 0, "z": 0,
	"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6, "g": 7, "h": 8, "i": 9, "k": 10, "l": 11, "m": 12,
	"n": -1, "o": -2, "p": -3, "q": -4, "r": -5, "s": -6, "t": -7, "u": -8, "v": -9, "w": -10, "x": -11, "y": -12,
	"cet": 1, "met": 1, "west": 1, "bst": 1, "wat": 1,
	"cest": 2, "mest": 2, "eet": 2, "ist": 2, "sast": 2, "cat": 2, "bdst": 2,
	"eest": 3, "msk": 3, "eat": 3, "idt": 3, "msd": 4, "pkt": 5, "wib": 7,
	"hkt": 8, "wita": 8, "awst": 8, "kst": 8.5, "jst": 9, "wit": 9, "acst": 9.5, "aest": 10, "chst": 10, "acdt": 10.5, "aedt": 11,
	"nzst": 12, "nzdt": 13,
	"nst": -3.5, "ndt": -2.5, "adt": -3, "ast": -4, "edt": -4, "ept": -4, "est": -5, "cdt": -5, "cpt": -5, "cst": -6, "mdt": -6, "mpt": -6,
	"mst": -7, "pdt": -7, "ppt": -7, "pst": -8, "akdt": -8, "akst": -9, "hdt": -9.5, "hst": -10, "sst": -11,
}
