package expression

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// dateAdd is $dateAdd or $dateSubtract.
type dateAdd struct {
	name                string
	start, unit, amount node
	zone                zoneArgument
}

func compileDateAdd(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(5166400, "%s expects an object as its argument", name)
	}
	n := &dateAdd{name: name}
	unknown := func(key []byte) error {
		return mongoerr.New(5166401, "Unrecognized argument to %s: %s. Expected arguments are startDate, unit, amount, and optionally timezone.", name, key)
	}
	err := c.named(argument.Doc(), unknown,
		named{"startDate", &n.start}, named{"unit", &n.unit}, named{"amount", &n.amount}, named{"timezone", &n.zone.node})
	if err == nil && (n.start == nil || n.unit == nil || n.amount == nil) {
		err = mongoerr.New(5166402, "%s requires startDate, unit, and amount to be present", name)
	}
	return n, err
}

func (n *dateAdd) eval(ctx *Context) (bsonraw.Value, error) {
	var values [3]bsonraw.Value
	for i, arg := range []node{n.start, n.unit, n.amount} {
		var err error
		if values[i], err = arg.eval(ctx); err != nil || isNullish(values[i]) {
			return bsonraw.NullValue, err
		}
	}
	z, null, err := n.zone.zone(ctx)
	if err != nil || null {
		return bsonraw.NullValue, err
	}
	start, ok := dateOfValue(values[0])
	if !ok {
		return bsonraw.Value{}, mongoerr.New(5166403, "%s requires startDate to be convertible to a date", n.name)
	}
	if values[1].Type != bsonraw.TypeString {
		return bsonraw.Value{}, mongoerr.New(5166404, "%s expects string defining the time unit", n.name)
	}
	u, ok := parseUnit(values[1].Bytes())
	if !ok {
		return bsonraw.Value{}, mongoerr.New(mongoerr.FailedToParse, "unknown time unit value: %s", values[1].Bytes())
	}
	amount, ok := integral(values[2])
	if !ok {
		return bsonraw.Value{}, mongoerr.New(5166405, "%s expects integer amount of time units", n.name)
	}
	if n.name == "$dateSubtract" {
		if amount == math.MinInt64 {
			return bsonraw.Value{}, mongoerr.New(6045000, "invalid %s 'amount' parameter value: %d", n.name, amount)
		}
		amount = -amount
	}
	sum, err := addToDate(start, u, amount, z)
	if err != nil {
		return bsonraw.Value{}, err
	}
	return ctx.dateValue(sum), nil
}

func (n *dateAdd) inZone() *zoneArgument { return &n.zone }

func (n *dateAdd) children(visit func(*node)) {
	visit(&n.start)
	visit(&n.unit)
	visit(&n.amount)
	visitPresent(&n.zone.node, visit)
}

// dateUnits is what $dateDiff and $dateTrunc have in common: dates, a unit, where weeks begin.
type dateUnits struct {
	name                        string
	dates                       []namedDate
	unit, binSize, firstWeekday node // the last two may be nil
	zone                        zoneArgument
	codeDate                    mongoerr.Code
}

type namedDate struct {
	name string
	node node
}

func compileDateDiff(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(5166301, "%s only supports an object as its argument", name)
	}
	n := &dateUnits{name: name, dates: []namedDate{{name: "startDate"}, {name: "endDate"}}, codeDate: 5166307}
	unknown := func(key []byte) error { return mongoerr.New(5166302, "Unrecognized argument to %s: %s", name, key) }
	err := c.named(argument.Doc(), unknown, named{"startDate", &n.dates[0].node}, named{"endDate", &n.dates[1].node},
		named{"unit", &n.unit}, named{"timezone", &n.zone.node}, named{"startOfWeek", &n.firstWeekday})
	switch {
	case err != nil:
	case n.dates[0].node == nil:
		err = mongoerr.New(5166303, "Missing 'startDate' parameter to %s", name)
	case n.dates[1].node == nil:
		err = mongoerr.New(5166304, "Missing 'endDate' parameter to %s", name)
	case n.unit == nil:
		err = mongoerr.New(5166305, "Missing 'unit' parameter to %s", name)
	}
	return n, err
}

func compileDateTrunc(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(5439007, "%s only supports an object as its argument", name)
	}
	n := &dateUnits{name: name, dates: []namedDate{{name: "date"}}, codeDate: 5439012}
	unknown := func(key []byte) error {
		return mongoerr.New(5439008, "Unrecognized argument to %s: %s. Expected arguments are date, unit, and optionally, binSize, timezone, startOfWeek", name, key)
	}
	err := c.named(argument.Doc(), unknown, named{"date", &n.dates[0].node}, named{"unit", &n.unit},
		named{"binSize", &n.binSize}, named{"timezone", &n.zone.node}, named{"startOfWeek", &n.firstWeekday})
	switch {
	case err != nil:
	case n.dates[0].node == nil:
		err = mongoerr.New(5439009, "Missing 'date' parameter to %s", name)
	case n.unit == nil:
		err = mongoerr.New(5439010, "Missing 'unit' parameter to %s", name)
	}
	return n, err
}

// unitsInput is what the arguments come to, those left out missing.
type unitsInput struct {
	dates                       [2]bsonraw.Value
	unit, binSize, firstWeekday bsonraw.Value
	zone                        zone
}

func (n *dateUnits) eval(ctx *Context) (bsonraw.Value, error) {
	in, null, err := n.read(ctx)
	if err != nil || null {
		return bsonraw.NullValue, err
	}
	var dates [2]int64
	for i, d := range n.dates {
		var ok bool
		if dates[i], ok = dateOfValue(in.dates[i]); !ok {
			return bsonraw.Value{}, mongoerr.New(n.codeDate, "%s requires '%s' to be a date, but got %s", n.name, d.name, in.dates[i].Type.Name())
		}
	}
	u, err := n.parseUnit(in.unit)
	if err != nil {
		return bsonraw.Value{}, err
	}
	size, err := n.parseBinSize(in.binSize)
	if err != nil {
		return bsonraw.Value{}, err
	}
	firstDay := 0
	if u == unitWeek && n.firstWeekday != nil {
		if firstDay, err = n.parseFirstDay(in.firstWeekday); err != nil {
			return bsonraw.Value{}, err
		}
	}
	if len(n.dates) == 1 {
		date, err := truncateDate(dates[0], u, size, in.zone, firstDay)
		if err != nil {
			return bsonraw.Value{}, err
		}
		return ctx.dateValue(date), nil
	}
	difference, err := dateDifference(dates[0], dates[1], u, in.zone, firstDay)
	if err != nil {
		return bsonraw.Value{}, err
	}
	return ctx.int64Value(difference), nil
}

// read evaluates the arguments; null is set when one of them is null. Where weeks begin matters for weeks only.
func (n *dateUnits) read(ctx *Context) (in unitsInput, null bool, err error) {
	for i, d := range n.dates {
		if in.dates[i], err = d.node.eval(ctx); err != nil || isNullish(in.dates[i]) {
			return in, true, err
		}
	}
	if in.unit, err = n.unit.eval(ctx); err != nil || isNullish(in.unit) {
		return in, true, err
	}
	if n.binSize != nil {
		if in.binSize, err = n.binSize.eval(ctx); err != nil || isNullish(in.binSize) {
			return in, true, err
		}
	}
	if n.firstWeekday != nil && string(in.unit.Bytes()) == unitNames[unitWeek] {
		if in.firstWeekday, err = n.firstWeekday.eval(ctx); err != nil || isNullish(in.firstWeekday) {
			return in, true, err
		}
	}
	in.zone, null, err = n.zone.zone(ctx)
	if err != nil {
		err = mongoerr.From(err).Prefix(n.name + " parameter 'timezone' value parsing failed :: caused by :: ")
	}
	return in, null, err
}

func (n *dateUnits) parseUnit(v bsonraw.Value) (timeUnit, error) {
	if v.Type != bsonraw.TypeString {
		return 0, mongoerr.New(5439013, "%s requires 'unit' to be a string, but got %s", n.name, v.Type.Name())
	}
	u, ok := parseUnit(v.Bytes())
	if !ok {
		return 0, mongoerr.New(5439014, "%s parameter 'unit' value cannot be recognized as a time unit: %s", n.name, v.Bytes())
	}
	return u, nil
}

func (n *dateUnits) parseBinSize(v bsonraw.Value) (int64, error) {
	if n.binSize == nil {
		return 1, nil
	}
	size, ok := integral(v)
	if !ok {
		return 0, mongoerr.New(5439017, "%s requires 'binSize' to be a 64-bit integer, but got value '%s' of type %s", n.name, Text(v), v.Type.Name())
	}
	if size <= 0 {
		return 0, mongoerr.New(5439018, "%s requires 'binSize' to be greater than 0, but got value %d", n.name, size)
	}
	return size, nil
}

func (n *dateUnits) parseFirstDay(v bsonraw.Value) (int, error) {
	if v.Type != bsonraw.TypeString {
		return 0, mongoerr.New(5439015, "%s requires 'startOfWeek' to be a string, but got %s", n.name, v.Type.Name())
	}
	day, ok := parseWeekday(v.Str())
	if !ok {
		return 0, mongoerr.New(5439016, "%s parameter 'startOfWeek' value cannot be recognized as a day of a week: %s", n.name, v.Bytes())
	}
	return day, nil
}

func (n *dateUnits) inZone() *zoneArgument { return &n.zone }

func (n *dateUnits) children(visit func(*node)) {
	for i := range n.dates {
		visit(&n.dates[i].node)
	}
	visit(&n.unit)
	visitPresent(&n.binSize, visit)
	visitPresent(&n.firstWeekday, visit)
	visitPresent(&n.zone.node, visit)
}
