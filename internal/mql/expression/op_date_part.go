package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// datePart is $year or one of its like: a date, an array of one, or {date, timezone}.
type datePart struct {
	name string
	date node
	zone zoneArgument
	part func(ctx *Context, t localTime) bsonraw.Value
}

func partOfDate(name string, part func(t localTime) int) operator {
	return partOperator(name, func(ctx *Context, t localTime) bsonraw.Value { return ctx.int32Value(int32(part(t))) })
}

func partOperator(name string, part func(ctx *Context, t localTime) bsonraw.Value) operator {
	return operator{special: func(c *compiler, _ string, argument bsonraw.Value) (node, error) {
		n := &datePart{name: name, part: part}
		var err error
		switch {
		case argument.Type == bsonraw.TypeArray:
			n.date, err = c.onlyOperand(name, argument.Doc())
		case argument.Type == bsonraw.TypeDocument && !isOperator(argument.Doc()):
			unknown := func(key []byte) error {
				return mongoerr.New(40535, "unrecognized option to %s: \"%s\"", name, key)
			}
			err = c.named(argument.Doc(), unknown, named{"date", &n.date}, named{"timezone", &n.zone.node})
			if err == nil && n.date == nil {
				err = mongoerr.New(40539, "missing 'date' argument to %s, provided: %s: %s", name, name, argument.Shell())
			}
		default:
			n.date, err = c.operand(argument)
		}
		return n, err
	}}
}

// onlyOperand reads an array of one. That there is one comes before what is wrong with it, as in MongoDB.
func (c *compiler) onlyOperand(name string, list bsonraw.Doc) (node, error) {
	if n := list.Len(); n != 1 {
		return nil, mongoerr.New(40536, "%s accepts exactly one argument if given an array, but was given %d", name, n)
	}
	args, err := c.operands(list)
	if err != nil {
		return nil, err
	}
	return args[0], nil
}

func (n *datePart) eval(ctx *Context) (bsonraw.Value, error) {
	v, err := n.date.eval(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if isNullish(v) {
		return bsonraw.NullValue, nil
	}
	millis, err := coerceDate(v)
	if err != nil {
		return bsonraw.Value{}, err
	}
	z, null, err := n.zoneOf(ctx)
	if err != nil {
		return bsonraw.Value{}, err
	}
	if null {
		return bsonraw.NullValue, nil
	}
	return n.part(ctx, z.local(millis)), nil
}

// zoneOf is zoneArgument.zone with an error of these operators' own.
func (n *datePart) zoneOf(ctx *Context) (z zone, null bool, err error) {
	if n.zone.node == nil || n.zone.known != nil {
		return n.zone.zone(ctx)
	}
	v, err := n.zone.node.eval(ctx)
	switch {
	case err != nil:
		return zone{}, false, err
	case isNullish(v):
		return zone{}, true, nil
	case v.Type != bsonraw.TypeString:
		return zone{}, false, mongoerr.New(40533, "%s requires a string for the timezone argument, but was given a %s (%s)", n.name, v.Type.Name(), Text(v))
	}
	z, err = zoneNamed(v)
	return z, false, err
}

func (n *datePart) inZone() *zoneArgument { return &n.zone }

func (n *datePart) children(visit func(*node)) {
	visit(&n.date)
	visitPresent(&n.zone.node, visit)
}

func yearOf(t localTime) int {
	year, _, _ := t.date()
	return int(year)
}

func monthOf(t localTime) int {
	_, month, _ := t.date()
	return month
}

func dayOf(t localTime) int {
	_, _, day := t.date()
	return day
}

func isoWeekOf(t localTime) int {
	_, week := t.isoWeek()
	return week
}

func isoWeekYearOf(ctx *Context, t localTime) bsonraw.Value {
	year, _ := t.isoWeek()
	return ctx.int64Value(year)
}
