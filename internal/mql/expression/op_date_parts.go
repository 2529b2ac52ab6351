package expression

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// dateToParts is $dateToParts.
type dateToParts struct {
	date, iso node // iso may be nil
	zone      zoneArgument
}

func compileDateToParts(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40524, "%s only supports an object as its argument", name)
	}
	n := &dateToParts{}
	unknown := func(key []byte) error { return mongoerr.New(40520, "Unrecognized argument to %s: %s", name, key) }
	err := c.named(argument.Doc(), unknown, named{"date", &n.date}, named{"timezone", &n.zone.node}, named{"iso8601", &n.iso})
	if err == nil && n.date == nil {
		err = mongoerr.New(40522, "Missing 'date' parameter to %s", name)
	}
	return n, err
}

func (n *dateToParts) eval(ctx *Context) (bsonraw.Value, error) {
	date, err := n.date.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	z, null, err := n.zone.zone(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	iso := false
	if !null && n.iso != nil {
		v, err := n.iso.eval(ctx)
		if err != nil {
			return bsonraw.Value{}, err
		}
		if null = isNullish(v); !null && v.Type != bsonraw.TypeBool {
			return bsonraw.Value{}, mongoerr.New(40521, "iso8601 must evaluate to a bool, found %s", v.Type.Name())
		}
		iso = v.Bool()
	}
	if null || isNullish(date) {
		return bsonraw.NullValue, nil
	}
	millis, err := coerceDate(date)
	if err != nil {
		return bsonraw.Value{}, err
	}
	t := z.local(millis)
	dst, at := bsonraw.BeginDoc(ctx.Scratch())
	if iso {
		year, week := t.isoWeek()
		dst = bsonraw.AppendInt32(dst, "isoWeekYear", int32(year))
		dst = bsonraw.AppendInt32(dst, "isoWeek", int32(week))
		dst = bsonraw.AppendInt32(dst, "isoDayOfWeek", int32(t.isoWeekday()))
	} else {
		year, month, day := t.date()
		dst = bsonraw.AppendInt32(dst, "year", int32(year))
		dst = bsonraw.AppendInt32(dst, "month", int32(month))
		dst = bsonraw.AppendInt32(dst, "day", int32(day))
	}
	dst = bsonraw.AppendInt32(dst, "hour", int32(t.hour()))
	dst = bsonraw.AppendInt32(dst, "minute", int32(t.minute()))
	dst = bsonraw.AppendInt32(dst, "second", int32(t.second()))
	dst = bsonraw.AppendInt32(dst, "millisecond", int32(t.milli))
	return ctx.keepValue(bsonraw.TypeDocument, bsonraw.EndDoc(dst, at))
}

func (n *dateToParts) inZone() *zoneArgument { return &n.zone }

func (n *dateToParts) children(visit func(*node)) {
	visit(&n.date)
	visitPresent(&n.zone.node, visit)
	visitPresent(&n.iso, visit)
}

// dateFromParts is $dateFromParts. Its parts are year, month and day, or iso's.
type dateFromParts struct {
	date [3]datePiece
	time [4]datePiece // hour, minute, second, millisecond
	zone zoneArgument
	iso  bool
}

// datePiece is a part of a date; node is nil if it is left out.
type datePiece struct {
	name  string
	node  node
	other int64 // what it is if it is left out
}

// maxPiece bounds the parts that are not a second, a millisecond or a year.
const maxPiece = math.MaxInt16

func compileDateFromParts(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40519, "%s only supports an object as its argument", name)
	}
	natural := [3]datePiece{{name: "year"}, {name: "month", other: 1}, {name: "day", other: 1}}
	iso := [3]datePiece{{name: "isoWeekYear"}, {name: "isoWeek", other: 1}, {name: "isoDayOfWeek", other: 1}}
	n := &dateFromParts{time: [4]datePiece{{name: "hour"}, {name: "minute"}, {name: "second"}, {name: "millisecond"}}}
	places := []named{{"timezone", &n.zone.node}}
	for _, pieces := range [][]datePiece{natural[:], iso[:], n.time[:]} {
		for i := range pieces {
			places = append(places, named{pieces[i].name, &pieces[i].node})
		}
	}
	unknown := func(key []byte) error { return mongoerr.New(40518, "Unrecognized argument to %s: %s", name, key) }
	if err := c.named(argument.Doc(), unknown, places...); err != nil {
		return nil, err
	}
	hasNatural := natural[0].node != nil
	switch n.date = natural; {
	case !hasNatural && iso[0].node == nil:
		return nil, mongoerr.New(40516, "%s requires either 'year' or 'isoWeekYear' to be present", name)
	case hasNatural && (iso[0].node != nil || iso[1].node != nil || iso[2].node != nil):
		return nil, mongoerr.New(40489, "%s does not allow mixing natural dates with ISO dates", name)
	case !hasNatural && (natural[1].node != nil || natural[2].node != nil):
		return nil, mongoerr.New(40525, "%s does not allow mixing ISO dates with natural dates", name)
	case !hasNatural:
		n.date, n.iso = iso, true
	}
	return n, nil
}

func (n *dateFromParts) eval(ctx *Context) (bsonraw.Value, error) {
	var clock [4]int64
	for i, piece := range n.time {
		null, err := piece.eval(ctx, &clock[i])
		if err != nil || null {
			return bsonraw.NullValue, err
		}
	}
	z, null, err := n.zone.zone(ctx)
	if err != nil || null {
		return bsonraw.NullValue, err
	}
	var date [3]int64
	for i, piece := range n.date {
		null, err := piece.eval(ctx, &date[i])
		if err != nil || null {
			return bsonraw.NullValue, err
		}
		if i > 0 {
			err = piece.check(date[i])
		} else if date[0] < 1 || date[0] > 9999 {
			code := mongoerr.Code(40523)
			if n.iso {
				code = 31095
			}
			err = mongoerr.New(code, "'%s' must evaluate to an integer in the range 1 to 9999, found %d", piece.name, date[0])
		}
		if err != nil {
			return bsonraw.Value{}, err
		}
	}
	for i := range 2 {
		if err := n.time[i].check(clock[i]); err != nil {
			return bsonraw.Value{}, err
		}
	}
	days := daysOf(date[0], date[1], date[2])
	if n.iso {
		days = isoDays(date[0], date[1], date[2])
	}
	return n.assemble(ctx, z, days*secondsPerDay+clock[0]*secondsPerHour+clock[1]*60, clock[2], clock[3])
}

// assemble adds up the parts, of which seconds and millis may be anything.
func (n *dateFromParts) assemble(ctx *Context, z zone, local, seconds, millis int64) (bsonraw.Value, error) {
	const maxMillis = math.MaxInt64 / 1000 // MongoDB counts microseconds here
	overflow := mongoerr.New(mongoerr.DurationOverflow, "Overflow casting from a lower-precision duration to a higher-precision duration")
	if seconds > maxMillis-local || seconds < -maxMillis-local || millis > maxMillis || millis < -maxMillis {
		return bsonraw.Value{}, overflow
	}
	carry, milli := floorDiv(millis, millisPerSecond)
	date, ok := millisOf(z.moment(local+seconds, false)+carry, int(milli))
	if !ok {
		return bsonraw.Value{}, overflow
	}
	return ctx.dateValue(date), nil
}

func (p datePiece) eval(ctx *Context, to *int64) (null bool, err error) {
	if p.node == nil {
		*to = p.other
		return false, nil
	}
	v, err := p.node.eval(ctx)
	if err != nil || isNullish(v) {
		return err == nil, err
	}
	n, ok := integral(v)
	if !ok {
		return false, mongoerr.New(40515, "'%s' must evaluate to an integer, found %s with value %s", p.name, v.Type.Name(), Text(v))
	}
	*to = n
	return false, nil
}

// integral returns a number that is an integer of 64 bits, whatever its type.
func integral(v bsonraw.Value) (n int64, ok bool) {
	if n, ok = v.AsInt64(); !ok || bsonraw.Compare(v, bsonraw.Int64Value(n)) != 0 {
		return 0, false
	}
	return n, true
}

func (p datePiece) check(n int64) error {
	if n < -maxPiece-1 || n > maxPiece {
		return mongoerr.New(31034, "'%s' must evaluate to a value in the range [%d, %d]; value %d is not in range", p.name, -maxPiece-1, maxPiece, n)
	}
	return nil
}

func (n *dateFromParts) inZone() *zoneArgument { return &n.zone }

func (n *dateFromParts) children(visit func(*node)) {
	for i := range n.date {
		visitPresent(&n.date[i].node, visit)
	}
	for i := range n.time {
		visitPresent(&n.time[i].node, visit)
	}
	visitPresent(&n.zone.node, visit)
}
