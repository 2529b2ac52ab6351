package expression

import (
	"math"
	"strconv"
	"strings"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// dateParser collects what a text says about a date, and what is wrong with it.
type dateParser struct {
	text   string
	at     int
	wrong  []string
	fields [pieces]datePieceRead
	offset int    // of the zone, in seconds
	zone   string // how the text names the zone; empty for an offset
	zoned  bool
	dated  bool // a free text has named a date
	shift  relativeTime
}

type datePieceRead struct {
	value int64
	set   bool
}

// What a text may say.
const (
	pieceYear = iota
	pieceMonth
	pieceDay
	pieceYearDay
	pieceISOYear
	pieceISOWeek
	pieceISODay
	pieceWeek // by Sundays
	pieceWeekday
	pieceHour
	pieceMinute
	pieceSecond
	pieceMicro
	pieces
)

// relativeTime is added to a date.
type relativeTime struct {
	months, days, seconds int64
	weekday               int // the next such day, 0 for Sunday; noWeekday for none
}

const noWeekday = -1

// maxDays is beyond all days and seconds that a date can be shifted by without leaving its range.
const maxDays = 1 << 42

func newDateParser(text []byte) *dateParser {
	return &dateParser{text: string(text), shift: relativeTime{weekday: noWeekday}}
}

func (p *dateParser) set(piece int, n int64) { p.fields[piece] = datePieceRead{n, true} }

func (p *dateParser) get(piece int, other int64) int64 {
	if f := p.fields[piece]; f.set {
		return f.value
	}
	return other
}

// fail notes what is wrong at a place in the text. Parsing goes on, so that all of it can be told.
func (p *dateParser) fail(at int, what string) {
	const enough = 10
	if len(p.wrong) == enough {
		return
	}
	c := byte(' ')
	if at < len(p.text) {
		c = p.text[at]
	}
	p.wrong = append(p.wrong, strconv.Itoa(at)+": "+what+" '"+string(rune(c))+"'")
}

func conversionFailure(format string, args ...any) error {
	return mongoerr.New(mongoerr.ConversionFailure, format, args...)
}

// date puts the date together. The zone is that of the operator's argument, if given is set: then the text must not name one too.
func (p *dateParser) date(z zone, given bool) (int64, error) {
	p.check()
	if len(p.wrong) > 0 {
		return 0, conversionFailure("Error parsing date string '%s'; %s", p.text, strings.Join(p.wrong, "; "))
	}
	days, ok := p.days()
	if !ok {
		return 0, conversionFailure("an incomplete date/time string has been found, with elements missing: \"%s\"", p.text)
	}
	if days > maxDays || days < -maxDays || p.shift.seconds > maxDays || p.shift.seconds < -maxDays {
		return 0, conversionFailure("date overflow in '%s'", p.text)
	}
	if p.zoned {
		switch {
		case !given || z.isFixedUTC():
			z = zone{offset: p.offset}
		case p.zone != "":
			return 0, conversionFailure("you cannot pass in a date/time string with time zone information ('%s') together with a timezone argument", p.zone)
		default:
			return 0, conversionFailure("you cannot pass in a date/time string with GMT offset together with a timezone argument")
		}
	}
	local := days*secondsPerDay + p.get(pieceHour, 0)*secondsPerHour + p.get(pieceMinute, 0)*60 + p.get(pieceSecond, 0) + p.shift.seconds
	seconds, milli := z.moment(local, false), int(p.get(pieceMicro, 0)/1000)
	if seconds < 0 && p.get(pieceMicro, 0)%1000 != 0 {
		milli++ // what is less than a millisecond is cut off toward 1970
	}
	millis, ok := millisOf(seconds, milli)
	if !ok {
		return 0, conversionFailure("date overflow in '%s'", p.text)
	}
	return millis, nil
}

// check holds dates and times to the calendar and the clock.
func (p *dateParser) check() {
	end := len(p.text)
	if p.get(pieceHour, 0) > 23 || p.get(pieceMinute, 0) > 59 || p.get(pieceSecond, 0) > 59 {
		p.fail(end, "The parsed time was invalid")
	}
	if p.fields[pieceYear].set && p.fields[pieceMonth].set && p.fields[pieceDay].set {
		month, day := p.get(pieceMonth, 0), p.get(pieceDay, 0)
		if month < 1 || month > 12 || day < 1 || day > int64(daysInMonth(p.get(pieceYear, 0), int(month))) {
			p.fail(end, "The parsed date was invalid")
		}
	}
	natural := p.fields[pieceYear].set || p.fields[pieceMonth].set || p.fields[pieceDay].set
	if natural && (p.fields[pieceISOYear].set || p.fields[pieceISOWeek].set) {
		p.fail(end, "Mixing of ISO dates with natural dates is not allowed")
	}
}

// days returns the day, in days since 1970; ok is false if the text does not say enough.
func (p *dateParser) days() (days int64, ok bool) {
	year := p.get(pieceYear, 0)
	switch {
	case p.fields[pieceISOYear].set:
		year = p.get(pieceISOYear, 0)
		days = isoDays(year, p.get(pieceISOWeek, 1), p.get(pieceISODay, 1))
		days += daysOf(year, 1+p.shift.months, 1) - daysOf(year, 1, 1)
	case !p.fields[pieceYear].set:
		return 0, false
	case p.fields[pieceYearDay].set:
		days = daysOf(year, 1, p.get(pieceYearDay, 1))
	case p.fields[pieceWeek].set:
		first := daysOf(year, 1, 1)
		sunday := first - int64(weekdayOf(first)) // of week 0, or of week 1 if the year begins with it
		if weekdayOf(first) == 0 {
			sunday -= daysPerWeek
		}
		days = sunday + p.get(pieceWeek, 0)*daysPerWeek + p.get(pieceWeekday, 0)
	case !p.fields[pieceMonth].set || !p.fields[pieceDay].set:
		return 0, false
	default:
		days = daysOf(year, p.get(pieceMonth, 1)+p.shift.months, p.get(pieceDay, 1))
	}
	days += p.shift.days
	if p.shift.weekday != noWeekday {
		_, ahead := floorDiv(int64(p.shift.weekday-weekdayOf(days)), daysPerWeek)
		days += ahead
	}
	return days, true
}

// number reads up to most digits.
func (p *dateParser) number(most int) (n int64, digits int) {
	for digits < most && p.at < len(p.text) && isDigit(p.text[p.at]) {
		n = n*10 + int64(p.text[p.at]-'0')
		p.at, digits = p.at+1, digits+1
	}
	return n, digits
}

// setFraction sets the part of a second that digits behind the point tell.
func (p *dateParser) setFraction(digits string) {
	const places = 6
	digits = (digits + strings.Repeat("0", places))[:places]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err == nil {
		p.set(pieceMicro, n)
	}
}

// setOffset sets a zone by its offset.
func (p *dateParser) setOffset(seconds int) {
	p.offset, p.zoned = seconds, true
}

// unixTime sets everything from seconds since 1970.
func (p *dateParser) unixTime(text string) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(f) > math.MaxInt64/millisPerSecond {
		p.fail(0, "Number out of range")
		return
	}
	whole := math.Floor(f)
	days, rest := floorDiv(int64(whole), secondsPerDay)
	year, month, day := dateOf(days)
	p.set(pieceYear, year)
	p.set(pieceMonth, int64(month))
	p.set(pieceDay, int64(day))
	p.set(pieceSecond, rest%60)
	p.set(pieceMinute, rest/60%60)
	p.set(pieceHour, rest/secondsPerHour)
	p.set(pieceMicro, int64(math.Round((f-whole)*1e6)))
	p.setOffset(0)
}
