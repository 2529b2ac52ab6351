package expression

import (
	"math/rand/v2"
	"testing"
	"time"
)

// The calendar is held to that of the standard library, which knows the same one.
func TestCalendar(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6)) //nolint:gosec // a sample, not a secret
	for range 20_000 {
		millis := random.Int64() >> (random.IntN(40) + 1)
		if random.IntN(2) == 0 {
			millis = -millis
		}
		got, want := zone{}.local(millis), time.UnixMilli(millis).UTC()
		year, month, day := got.date()
		wantYear, wantMonth, wantDay := want.Date()
		if int(year) != wantYear || month != int(wantMonth) || day != wantDay || got.yearDay() != want.YearDay() || got.weekday() != int(want.Weekday()) {
			t.Fatalf("%d is day %d of %d-%d-%d, want day %d of %v", millis, got.yearDay(), year, month, day, want.YearDay(), want)
		}
		if got.hour() != want.Hour() || got.minute() != want.Minute() || got.second() != want.Second() || got.milli != want.Nanosecond()/1e6 {
			t.Fatalf("%d is %d:%d:%d.%d, want %v", millis, got.hour(), got.minute(), got.second(), got.milli, want)
		}
		isoYear, isoWeek := got.isoWeek()
		if wantYear, wantWeek := want.ISOWeek(); int(isoYear) != wantYear || isoWeek != wantWeek {
			t.Fatalf("%d is in week %d of %d, want %d of %d", millis, isoWeek, isoYear, wantWeek, wantYear)
		}
		if days := daysOf(year, int64(month), int64(day)); days != got.days {
			t.Fatalf("%d-%d-%d is day %d, want %d", year, month, day, days, got.days)
		}
		if days := isoDays(isoYear, int64(isoWeek), int64(got.isoWeekday())); days != got.days {
			t.Fatalf("day %d of week %d of %d is day %d, want %d", got.isoWeekday(), isoWeek, isoYear, days, got.days)
		}
	}
}

// A time that a clock shows leads back to a moment at which it shows that time, unless it skips it.
func TestMomentsOfLocalTimes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(7, 8)) //nolint:gosec // a sample, not a secret
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Europe/Moscow", "Africa/Casablanca", "+05:45"} {
		z, ok := parseZone(name)
		if !ok {
			t.Fatalf("there is no zone %s", name)
		}
		for range 5000 {
			seconds := random.Int64N(1<<32) - 1<<31
			shown := z.local(seconds * 1000)
			local := shown.days*secondsPerDay + int64(shown.seconds)
			moment := z.moment(local, shown.dst)
			if again := z.local(moment * 1000); again.days != shown.days || again.seconds != shown.seconds {
				t.Fatalf("%s: %d is shown as day %d and %d s, which is %d", name, seconds, shown.days, shown.seconds, moment)
			}
		}
	}
}

func FuzzParseDate(f *testing.F) {
	for _, text := range []string{"2017-02-08T12:10:40.787Z", "Wed, 08 Feb 2017 12:10:40 GMT", "@1486555840.5", "8 II 17 10am +1 day", "2017W063 EST", "+99999999-1 year"} {
		f.Add(text, "%Y-%m-%dT%H:%M:%S.%L %z %G %V %u %j %b")
	}
	f.Fuzz(func(t *testing.T, text, format string) {
		if len(text) > 200 || len(format) > 200 {
			return
		}
		_, _ = parseDate([]byte(text), zone{}, false)
		if checkFormat([]byte(format), readLetters) != nil {
			return
		}
		p := newDateParser([]byte(text))
		p.scan([]byte(format))
		millis, err := p.date(zone{}, false)
		if err != nil {
			return
		}
		if _, err := appendFormatted(nil, []byte(format), zone{}.local(millis)); err != nil {
			if year, _, _ := (zone{}).local(millis).date(); year >= 0 && year <= 9998 {
				t.Errorf("%q by %q is %d, which has no text: %v", text, format, millis, err)
			}
		}
	})
}
