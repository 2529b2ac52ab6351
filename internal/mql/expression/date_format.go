package expression

import (
	"strconv"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// isoFormat is how dates are written by default.
const isoFormat = "%Y-%m-%dT%H:%M:%S.%LZ"

// The letters that formats know, for writing and for reading.
const (
	writtenLetters = "dGHjLmMSuUVwYzZbB%"
	readLetters    = "dGHjLmMSuUVwYzZbB%"
)

// checkFormat refuses a format with a letter that there is not.
func checkFormat(format []byte, letters string) error {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		if i++; i == len(format) {
			return mongoerr.New(18535, "Unmatched '%%' at end of format string")
		}
		known := false
		for j := range len(letters) {
			known = known || letters[j] == format[i]
		}
		if !known {
			return mongoerr.New(18536, "Invalid format character '%%%c' in format string", format[i])
		}
	}
	return nil
}

var monthNames = [13]string{
	"", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
}

// appendFormatted writes a time by a format that has been checked.
func appendFormatted(dst, format []byte, t localTime) ([]byte, error) {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			dst = append(dst, format[i])
			continue
		}
		i++
		var err error
		if dst, err = appendPiece(dst, format[i], t); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func appendPiece(dst []byte, letter byte, t localTime) ([]byte, error) {
	year, month, day := t.date()
	switch letter {
	case 'Y':
		return appendYear(dst, year)
	case 'm':
		return appendPadded(dst, month, 2), nil
	case 'd':
		return appendPadded(dst, day, 2), nil
	case 'b':
		return append(dst, monthNames[month][:3]...), nil
	case 'B':
		return append(dst, monthNames[month]...), nil
	case 'H':
		return appendPadded(dst, t.hour(), 2), nil
	case 'M':
		return appendPadded(dst, t.minute(), 2), nil
	case 'S':
		return appendPadded(dst, t.second(), 2), nil
	case 'L':
		return appendPadded(dst, t.milli, 3), nil
	case 'z':
		minutes := max(t.offset/60, -t.offset/60)
		if t.offset < 0 {
			dst = append(dst, '-')
		} else {
			dst = append(dst, '+')
		}
		return appendPadded(appendPadded(dst, minutes/60, 2), minutes%60, 2), nil
	case 'Z':
		return strconv.AppendInt(dst, int64(t.offset/60), 10), nil
	case '%':
		return append(dst, '%'), nil
	}
	return appendWeekPiece(dst, letter, t)
}

func appendWeekPiece(dst []byte, letter byte, t localTime) ([]byte, error) {
	switch letter {
	case 'G':
		year, _ := t.isoWeek()
		return appendYear(dst, year)
	case 'V':
		_, week := t.isoWeek()
		return appendPadded(dst, week, 2), nil
	case 'u':
		return appendPadded(dst, t.isoWeekday(), 1), nil
	case 'U':
		return appendPadded(dst, t.week(), 2), nil
	case 'w':
		return appendPadded(dst, t.weekday()+1, 1), nil
	}
	return appendPadded(dst, t.yearDay(), 3), nil // 'j'
}

func appendYear(dst []byte, year int64) ([]byte, error) {
	if year < 0 || year > 9999 {
		return dst, mongoerr.New(18537, "Could not convert date to string: date component was outside the supported range of 0-9999: %d", year)
	}
	return appendPadded(dst, int(year), 4), nil
}

// appendPadded writes a number that is not negative with at least that many digits.
func appendPadded(dst []byte, n, digits int) []byte {
	for least := 10; digits > 1; digits-- {
		if n < least {
			for range digits - 1 {
				dst = append(dst, '0')
			}
			break
		}
		least *= 10
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// appendDate renders a date as ISO 8601 with milliseconds.
func appendDate(dst []byte, v bsonraw.Value) ([]byte, error) {
	return appendFormatted(dst, []byte(isoFormat), zone{}.local(v.Int64()))
}
