package expression

import (
	"strconv"
	"strings"
)

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
