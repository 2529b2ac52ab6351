package expression

import (
	"sync"
	"time"
	_ "time/tzdata" // the zones do not depend on the machine

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// zone is a time zone: one of the Olson database, or an offset. The zero zone is UTC.
type zone struct {
	location *time.Location // nil for an offset
	offset   int            // in seconds east of UTC
}

// zones keeps the zones of the database that were asked for. There are some hundred.
var zones sync.Map // of string to *time.Location

// parseZone reads a name of the Olson database, or an offset: +hh, +hhmm or +hh:mm.
func parseZone(name string) (zone, bool) {
	if name == "UTC" || name == "GMT" {
		return zone{location: time.UTC}, true
	}
	if name != "" && (name[0] == '+' || name[0] == '-') {
		offset, ok := parseOffset(name)
		return zone{offset: offset}, ok
	}
	if known, ok := zones.Load(name); ok {
		location, _ := known.(*time.Location)
		return zone{location: location}, true
	}
	if !isZoneName(name) {
		return zone{}, false
	}
	location, err := time.LoadLocation(name)
	if err != nil {
		return zone{}, false
	}
	zones.Store(name, location)
	return zone{location: location}, true
}

func parseOffset(text string) (seconds int, ok bool) {
	digits := text[1:]
	switch {
	case len(digits) == 5 && digits[2] == ':':
		digits = digits[:2] + digits[3:]
	case len(digits) == 2:
		digits += "00"
	case len(digits) != 4:
		return 0, false
	}
	n := 0
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return 0, false
		}
		n = n*10 + int(digits[i]-'0')
	}
	seconds = n/100*secondsPerHour + n%100*60
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// isZoneName keeps away from the file system what is no name of a zone: Go looks there first. Parts of names begin with a capital, which
// also tells them apart where file names are the same in any case.
func isZoneName(name string) bool {
	if name == "Local" || len(name) > 64 {
		return false
	}
	begins := true
	for i := range len(name) {
		c := name[i]
		switch {
		case begins && !isUpper(c):
			return false
		case c == '/':
			begins = true
			continue
		case !isUpper(c) && !isLower(c) && !isDigit(c) && c != '_' && c != '-' && c != '+':
			return false
		}
		begins = false
	}
	return !begins
}

// offsetAt returns the offset at a moment, in seconds since 1970, and whether it is daylight saving time.
func (z zone) offsetAt(seconds int64) (offset int, dst bool) {
	if z.location == nil || z.location == time.UTC {
		return z.offset, false
	}
	t := time.Unix(seconds, 0).In(z.location)
	_, offset = t.Zone()
	return offset, t.IsDST()
}

// local returns what a clock in the zone shows at a date.
func (z zone) local(millis int64) localTime {
	seconds, milli := floorDiv(millis, millisPerSecond)
	offset, dst := z.offsetAt(seconds)
	days, rest := floorDiv(seconds+int64(offset), secondsPerDay)
	return localTime{days: days, seconds: int(rest), milli: int(milli), offset: offset, dst: dst}
}

// moment returns when a clock in the zone shows a time, given as the seconds that it would be in UTC. A time that the clock skips counts as if
// it had not been put forward yet. Of a time that it shows twice, the one with daylight saving time is meant or the other one, as dst says;
// and if neither has it, the one whose offset is in force when it is that time in UTC.
func (z zone) moment(local int64, dst bool) int64 {
	if z.location == nil || z.location == time.UTC {
		return local - int64(z.offset)
	}
	const day = secondsPerDay
	before, _ := z.offsetAt(local - day)
	after, _ := z.offsetAt(local + day)
	if before == after {
		// Nothing changes on that day, or it changes and changes back.
		if offset, _ := z.offsetAt(local - int64(before)); offset == before {
			return local - int64(before)
		}
	}
	first, second := local-int64(before), local-int64(after)
	firstOffset, firstDST := z.offsetAt(first)
	secondOffset, secondDST := z.offsetAt(second)
	firstFits, secondFits := firstOffset == before, secondOffset == after
	switch {
	case firstFits && !secondFits, !firstFits && !secondFits:
		return first
	case secondFits && !firstFits:
		return second
	case firstDST != secondDST && firstDST == dst:
		return first
	case firstDST != secondDST:
		return second
	}
	if now, _ := z.offsetAt(local); now == before {
		return first
	}
	return second
}

// isFixedUTC reports whether the zone is the offset 0.
func (z zone) isFixedUTC() bool { return z.location == nil && z.offset == 0 }

// zoneArgument is the timezone argument of an operator; it may be left out.
type zoneArgument struct {
	node
	known *zone // of a constant; one that is wrong is an error only when it is used
}

// prepare looks for the zone of a constant once.
func (a *zoneArgument) prepare() {
	if c, ok := a.node.(*constant); ok && c.value.Type == bsonraw.TypeString {
		if z, ok := parseZone(c.value.Str()); ok {
			a.known = &z
		}
	}
}

// zone returns the zone, UTC if there is no argument. null is set when the argument is null.
func (a *zoneArgument) zone(ctx *Context) (z zone, null bool, err error) {
	switch {
	case a.node == nil:
		return zone{}, false, nil
	case a.known != nil:
		return *a.known, false, nil
	}
	v, err := a.node.eval(ctx)
	if err != nil || isNullish(v) {
		return zone{}, err == nil, err
	}
	z, err = zoneOf(v)
	return z, false, err
}

func zoneOf(v bsonraw.Value) (zone, error) {
	if v.Type != bsonraw.TypeString {
		return zone{}, mongoerr.New(40517, "timezone must evaluate to a string, found %s", v.Type.Name())
	}
	return zoneNamed(v)
}

func zoneNamed(v bsonraw.Value) (zone, error) {
	z, ok := parseZone(v.Str())
	if !ok {
		return zone{}, mongoerr.New(40485, "unrecognized time zone identifier: \"%s\"", v.Bytes())
	}
	return z, nil
}

// dateOfValue reads what counts as a date: a date, a timestamp, or the time in an ObjectId.
func dateOfValue(v bsonraw.Value) (millis int64, ok bool) {
	switch v.Type {
	case bsonraw.TypeDate:
		return v.Int64(), true
	case bsonraw.TypeTimestamp:
		seconds, _ := v.Timestamp()
		return int64(seconds) * millisPerSecond, true
	case bsonraw.TypeObjectID:
		if len(v.Data) == 12 {
			seconds := int32(v.Data[0])<<24 | int32(v.Data[1])<<16 | int32(v.Data[2])<<8 | int32(v.Data[3])
			return int64(seconds) * millisPerSecond, true
		}
	}
	return 0, false
}

// coerceDate is dateOfValue with the error that most operators give.
func coerceDate(v bsonraw.Value) (int64, error) {
	millis, ok := dateOfValue(v)
	if !ok {
		return 0, mongoerr.New(16006, "can't convert from BSON type %s to Date", v.Type.Name())
	}
	return millis, nil
}
