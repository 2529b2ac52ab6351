package expression

import "math"

const (
	secondsPerDay   = 24 * 60 * 60
	secondsPerHour  = 60 * 60
	millisPerSecond = 1000
	daysPerWeek     = 7
)

// localTime is a moment as a clock in a time zone shows it.
type localTime struct {
	days    int64 // since 1970-01-01
	seconds int   // of the day
	milli   int
	offset  int // of the zone, in seconds east of UTC
	dst     bool
}

// floorDiv divides and rounds down; rest is never negative.
func floorDiv(n, by int64) (quotient, rest int64) {
	quotient, rest = n/by, n%by
	if rest < 0 {
		quotient, rest = quotient-1, rest+by
	}
	return quotient, rest
}

// daysOf returns the days from 1970-01-01 to a day of the Gregorian calendar, which holds for all times. A month or day beyond its
// bounds counts on.
func daysOf(year, month, day int64) int64 {
	more, month0 := floorDiv(month-1, 12)
	year += more
	// The year begins in March, so that the leap day is its last, and 400 of them are a whole number of days.
	shifted := (month0 + 10) % 12
	if month0 < 2 {
		year--
	}
	era, yearOfEra := floorDiv(year, 400)
	dayOfYear := (153*shifted + 2) / 5
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	const eraDays, epoch = 146097, 719468 // days from 0000-03-01 to 1970-01-01
	return era*eraDays + dayOfEra - epoch + day - 1
}

// date returns the day in the calendar.
func (t localTime) date() (year int64, month, day int) { return dateOf(t.days) }

func dateOf(days int64) (year int64, month, day int) {
	const eraDays, epoch = 146097, 719468
	era, dayOfEra := floorDiv(days+epoch, eraDays)
	yearOfEra := (dayOfEra - dayOfEra/1460 + dayOfEra/36524 - dayOfEra/(eraDays-1)) / 365
	dayOfYear := dayOfEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	shifted := (5*dayOfYear + 2) / 153
	day = int(dayOfYear-(153*shifted+2)/5) + 1
	month = int((shifted+2)%12) + 1
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, month, day
}

func isLeap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

var monthDays = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

func daysInMonth(year int64, month int) int {
	if month == 2 && isLeap(year) {
		return 29
	}
	return monthDays[month]
}

// yearDay returns the day of the year, from 1.
func (t localTime) yearDay() int {
	year, _, _ := t.date()
	return int(t.days-daysOf(year, 1, 1)) + 1
}

// weekday returns the day of the week, 0 for Sunday.
func (t localTime) weekday() int { return weekdayOf(t.days) }

func weekdayOf(days int64) int {
	_, day := floorDiv(days+4, daysPerWeek) // 1970-01-01 was a Thursday
	return int(day)
}

// isoWeekday returns the day of the week, 1 for Monday and 7 for Sunday.
func (t localTime) isoWeekday() int {
	if day := t.weekday(); day != 0 {
		return day
	}
	return daysPerWeek
}

// week returns the number of the week that begins on Sunday; days before the first Sunday are in week 0.
func (t localTime) week() int { return (t.yearDay() - 1 + daysPerWeek - t.weekday()) / daysPerWeek }

// isoWeek returns the week by ISO 8601, and the year that it belongs to: that of its Thursday.
func (t localTime) isoWeek() (year int64, week int) {
	thursday := t.days + int64(4-t.isoWeekday())
	year, _, _ = dateOf(thursday)
	return year, int(thursday-daysOf(year, 1, 1))/daysPerWeek + 1
}

// isoDays returns the days from 1970-01-01 to a day of a week by ISO 8601. Weeks and days beyond their bounds count on.
func isoDays(year, week, day int64) int64 {
	fourth := daysOf(year, 1, 4) // is always in the first week
	monday := fourth - int64((weekdayOf(fourth)+6)%daysPerWeek)
	return monday + (week-1)*daysPerWeek + day - 1
}

func (t localTime) hour() int   { return t.seconds / secondsPerHour }
func (t localTime) minute() int { return t.seconds / 60 % 60 }
func (t localTime) second() int { return t.seconds % 60 }

// millisOf returns seconds since 1970 with a part of one as a date; ok is false beyond a date's range.
func millisOf(seconds int64, milli int) (millis int64, ok bool) {
	if seconds < math.MinInt64/millisPerSecond || seconds > math.MaxInt64/millisPerSecond {
		return 0, false
	}
	millis = seconds*millisPerSecond + int64(milli)
	return millis, (millis >= seconds*millisPerSecond) // which it is not after an overflow
}
