package expression

import (
	"math"
	"strings"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

// timeUnit is a unit in which dates are counted.
type timeUnit uint8

const (
	unitYear timeUnit = iota
	unitQuarter
	unitMonth
	unitWeek
	unitDay
	unitHour
	unitMinute
	unitSecond
	unitMillisecond
	units
)

var unitNames = [units]string{"year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond"}

func parseUnit(name []byte) (timeUnit, bool) {
	for u, known := range unitNames {
		if known == string(name) {
			return timeUnit(u), true
		}
	}
	return 0, false
}

// months is how many months the unit has; 0 for one that is no multiple of them.
func (u timeUnit) months() int64 { return [units]int64{unitYear: 12, unitQuarter: 3, unitMonth: 1}[u] }

// seconds is how many seconds an hour, a minute or a second has.
func (u timeUnit) seconds() int64 {
	return [units]int64{unitHour: secondsPerHour, unitMinute: 60, unitSecond: 1}[u]
}

// maxAmount is the least number of units that no two dates are apart.
func (u timeUnit) maxAmount() int64 {
	const days = 1 + 1<<61/(secondsPerDay*millisPerSecond/8) // of 2^64 milliseconds
	const years = 1 + days/365
	switch u {
	case unitYear, unitQuarter, unitMonth:
		return years * 12 / u.months()
	case unitWeek:
		return days / daysPerWeek
	case unitDay:
		return days
	case unitHour, unitMinute, unitSecond:
		return days * secondsPerDay / u.seconds()
	}
	return math.MaxInt64
}

var errDateAdd = mongoerr.New(5166406, "dateAdd overflowed")

// addToDate adds units to a date, on the calendar of a zone. A day that a month does not have becomes its last.
func addToDate(millis int64, u timeUnit, amount int64, z zone) (int64, error) {
	if limit := u.maxAmount(); u != unitMillisecond && (amount >= limit || amount <= -limit) {
		return 0, mongoerr.New(5976500, "invalid dateAdd 'amount' parameter value: %d %s", amount, unitNames[u])
	}
	seconds, milli := floorDiv(millis, millisPerSecond)
	switch u {
	case unitMillisecond:
		sum := millis + amount
		if (sum > millis) != (amount > 0) && amount != 0 {
			return 0, mongoerr.New(mongoerr.DurationOverflow, "Overflow while adding %dms to %dms", amount, millis)
		}
		return sum, nil
	case unitHour, unitMinute, unitSecond:
		seconds += amount * u.seconds()
	default:
		t := z.local(millis)
		days := t.days
		switch u {
		case unitWeek:
			days += amount * daysPerWeek
		case unitDay:
			days += amount
		default:
			days = addMonths(t, amount*u.months())
		}
		seconds = z.moment(days*secondsPerDay+int64(t.seconds), t.dst)
	}
	sum, ok := millisOf(seconds, int(milli))
	if !ok {
		return 0, errDateAdd
	}
	return sum, nil
}

func addMonths(t localTime, months int64) (days int64) {
	year, month, day := t.date()
	more, month0 := floorDiv(int64(month)-1+months, 12)
	year += more
	day = min(day, daysInMonth(year, int(month0)+1))
	return daysOf(year, month0+1, int64(day))
}

// dateDifference counts the boundaries of units between two dates, on the calendar of a zone. Weeks begin on firstDay, 0 for Sunday.
func dateDifference(from, to int64, u timeUnit, z zone, firstDay int) (int64, error) {
	switch u {
	case unitMillisecond:
		difference, ok := subtractIntegers(to, from)
		if !ok {
			return 0, mongoerr.New(5166308, "dateDiff overflowed")
		}
		return difference, nil
	case unitSecond:
		end, _ := floorDiv(to, millisPerSecond)
		begin, _ := floorDiv(from, millisPerSecond)
		return end - begin, nil
	}
	a, b := z.local(from), z.local(to)
	switch u {
	case unitHour, unitMinute:
		// What the clock was set forward or back between them is taken out again.
		per := u.seconds()
		ticks := func(t localTime) int64 { return t.days*(secondsPerDay/per) + int64(t.seconds)/per }
		return ticks(b) - ticks(a) + int64(a.offset-b.offset)/per, nil
	case unitDay:
		return b.days - a.days, nil
	case unitWeek:
		return weekNumber(b.days, firstDay) - weekNumber(a.days, firstDay), nil
	}
	end, _ := floorDiv(monthNumberOf(b), u.months())
	begin, _ := floorDiv(monthNumberOf(a), u.months())
	return end - begin, nil
}

// weekNumber counts weeks that begin on a day.
func weekNumber(days int64, firstDay int) int64 {
	const thursday = 4 // which day 0 is
	n, _ := floorDiv(days+thursday-int64(firstDay), daysPerWeek)
	return n
}

// monthNumberOf counts months.
func monthNumberOf(t localTime) int64 {
	year, month, _ := t.date()
	return year*12 + int64(month) - 1
}

// truncateDate returns the beginning of the bin in which a date is. Bins of some units are counted from the first of January 2000, on the
// calendar of a zone, and those of weeks from the first of their first days after it.
func truncateDate(millis int64, u timeUnit, size int64, z zone, firstDay int) (int64, error) {
	const year2000 = 10957 // days from 1970
	reference := z.moment(year2000*secondsPerDay, false) * millisPerSecond
	if u >= unitHour {
		return truncateDuration(millis, reference, u, size)
	}
	const maxSize = 100_000_000_000
	if size > maxSize {
		return 0, mongoerr.New(5439006, "dateTrunc unsupported binSize value")
	}
	t := z.local(millis)
	var apart int64
	switch u {
	case unitDay:
		apart = t.days - year2000
	case unitWeek:
		_, ahead := floorDiv(int64(firstDay-weekdayOf(year2000)), daysPerWeek)
		reference = z.moment((year2000+ahead)*secondsPerDay, false) * millisPerSecond
		apart, _ = floorDiv(t.days-year2000-ahead, daysPerWeek)
	default:
		apart, _ = floorDiv(monthNumberOf(t)-2000*12, u.months())
	}
	bins, _ := floorDiv(apart, size)
	return addToDate(reference, u, bins*size, z)
}

func truncateDuration(millis, reference int64, u timeUnit, size int64) (int64, error) {
	apart, ok := subtractIntegers(millis, reference)
	if !ok {
		return 0, mongoerr.New(5439000, "dateTrunc overflowed")
	}
	if u != unitMillisecond {
		if size, ok = multiplyIntegers(size, u.seconds()*millisPerSecond); !ok {
			return 0, mongoerr.New(5439002, "dateTrunc overflowed")
		}
	}
	_, rest := floorDiv(apart, size)
	begin, ok := subtractIntegers(millis, rest)
	if !ok {
		return 0, mongoerr.New(5439001, "dateTrunc overflowed")
	}
	return begin, nil
}

var weekdayNames = [daysPerWeek]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// parseWeekday reads a day of the week by its name or the first three letters of it.
func parseWeekday(name string) (day int, ok bool) {
	name = strings.ToLower(name)
	for day, known := range weekdayNames {
		if name == known || name == known[:3] {
			return day, true
		}
	}
	return 0, false
}
