package expression

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// dateText is what $dateToString and $dateFromString have in common. All but subject may be nil.
type dateText struct {
	operator                string
	subject, format, onNull node
	onError                 node
	zone                    zoneArgument
	letters                 string
	codeFormat              mongoerr.Code
}

// dateTextInput is what the arguments come to.
type dateTextInput struct {
	subject bsonraw.Value
	format  []byte
	zone    zone
	null    bool // the format or the zone is null
}

// read evaluates the arguments. A format or a zone that is wrong is an error even if there is no date.
func (n *dateText) read(ctx *Context) (in dateTextInput, err error) {
	if in.subject, err = n.subject.eval(ctx); err != nil {
		return in, err
	}
	if n.format != nil {
		v, err := n.format.eval(ctx)
		if err != nil {
			return in, err
		}
		if in.null = isNullish(v); !in.null {
			if v.Type != bsonraw.TypeString {
				return in, mongoerr.New(n.codeFormat, "%s requires that 'format' be a string, found: %s with value %s", n.operator, v.Type.Name(), Text(v))
			}
			in.format = v.Bytes()
			if err := checkFormat(in.format, n.letters); err != nil {
				return in, err
			}
		}
	}
	z, null, err := n.zone.zone(ctx)
	in.zone, in.null = z, in.null || null
	return in, err
}

// absent is the result where there is no date.
func (n *dateText) absent(ctx *Context) (bsonraw.Value, error) {
	if n.onNull == nil {
		return bsonraw.NullValue, nil
	}
	return n.onNull.eval(ctx)
}

func (n *dateText) inZone() *zoneArgument { return &n.zone }

func (n *dateText) children(visit func(*node)) {
	visit(&n.subject)
	visitPresent(&n.format, visit)
	visitPresent(&n.onNull, visit)
	visitPresent(&n.onError, visit)
	visitPresent(&n.zone.node, visit)
}

// dateToString is $dateToString.
type dateToString struct{ dateText }

func compileDateToString(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(18629, "%s only supports an object as its argument", name)
	}
	n := &dateToString{dateText{operator: name, letters: writtenLetters, codeFormat: 18533}}
	unknown := func(key []byte) error { return mongoerr.New(18534, "Unrecognized argument to %s: %s", name, key) }
	err := c.named(argument.Doc(), unknown,
		named{"date", &n.subject}, named{"format", &n.format}, named{"timezone", &n.zone.node}, named{"onNull", &n.onNull})
	if err == nil && n.subject == nil {
		err = mongoerr.New(18628, "Missing 'date' parameter to %s", name)
	}
	return n, err
}

func (n *dateToString) eval(ctx *Context) (bsonraw.Value, error) {
	in, err := n.read(ctx)
	switch {
	case err != nil:
		return bsonraw.Value{}, err
	case isNullish(in.subject):
		return n.absent(ctx)
	case in.null:
		return bsonraw.NullValue, nil
	}
	millis, err := coerceDate(in.subject)
	if err != nil {
		return bsonraw.Value{}, err
	}
	format := in.format
	if n.format == nil {
		format = defaultFormat
	}
	buf, err := appendFormatted(ctx.beginString(), format, in.zone.local(millis))
	if err != nil {
		ctx.Discard(buf)
		return bsonraw.Value{}, err
	}
	return ctx.endString(buf)
}

var defaultFormat = []byte(isoFormat)

// dateFromString is $dateFromString.
type dateFromString struct{ dateText }

func compileDateFromString(c *compiler, name string, argument bsonraw.Value) (node, error) {
	if argument.Type != bsonraw.TypeDocument {
		return nil, mongoerr.New(40540, "%s only supports an object as an argument, found: %s", name, argument.Type.Name())
	}
	n := &dateFromString{dateText{operator: name, letters: readLetters, codeFormat: 40684}}
	unknown := func(key []byte) error { return mongoerr.New(40541, "Unrecognized argument to %s: %s", name, key) }
	err := c.named(argument.Doc(), unknown, named{"dateString", &n.subject}, named{"format", &n.format},
		named{"timezone", &n.zone.node}, named{"onNull", &n.onNull}, named{"onError", &n.onError})
	if err == nil && n.subject == nil {
		err = mongoerr.New(40542, "Missing 'dateString' parameter to %s", name)
	}
	return n, err
}

func (n *dateFromString) eval(ctx *Context) (bsonraw.Value, error) {
	in, err := n.read(ctx)
	switch {
	case err != nil:
		return bsonraw.Value{}, err
	case isNullish(in.subject):
		return n.absent(ctx)
	}
	millis, err := n.parse(in)
	switch {
	case err == nil && in.null:
		return bsonraw.NullValue, nil
	case err == nil:
		return ctx.dateValue(millis), nil
	case n.onError != nil && mongoerr.Is(err, mongoerr.ConversionFailure):
		return n.onError.eval(ctx)
	}
	return bsonraw.Value{}, err
}

func (n *dateFromString) parse(in dateTextInput) (int64, error) {
	if in.subject.Type != bsonraw.TypeString {
		return 0, mongoerr.New(mongoerr.ConversionFailure, "%s requires that 'dateString' be a string, found: %s with value %s", n.operator, in.subject.Type.Name(), Text(in.subject))
	}
	if in.null {
		return 0, nil
	}
	text := in.subject.Bytes()
	if n.format == nil {
		return parseDate(text, in.zone, n.zone.node != nil)
	}
	p := newDateParser(text)
	p.scan(in.format)
	return p.date(in.zone, n.zone.node != nil)
}
