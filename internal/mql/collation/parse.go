package collation

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// version is the version of the rules that MongoDB 6.0 and 7.0 name in a collation.
const version = "57.1"

// spec is a collation document.
type spec struct {
	locale, caseFirst, alternate, maxVariable, version                   string
	strength                                                             int64
	caseLevel, numericOrdering, normalization, backwards, backwardsGiven bool
}

const (
	incompatibleVersion mongoerr.Code = 161
	outOfBounds         mongoerr.Code = 51024
)

// Parse reads a collation document: locale, strength (1 to 3), caseLevel, numericOrdering and backwards; caseFirst, alternate,
// maxVariable and normalization with the values that change nothing. {locale: "simple"} gives nil. field is what messages call
// the document, such as "collation". Errors are MongoDB's; CommandNotSupported tells of what MongoDB does and this package does
// not.
func Parse(doc bsonraw.Doc, field string) (*Collation, error) {
	s := spec{strength: 3, caseFirst: "off", alternate: "non-ignorable", maxVariable: "punct", version: version}
	once := argument.NewOnce(field, doc)
	hasLocale := false
	for it := doc.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return nil, err
		}
		name := string(it.Key())
		if t := it.Value().Type; t == bsonraw.TypeNull || t == bsonraw.TypeUndefined {
			unused := spec{}
			if err := unused.read(name, bsonraw.Value{}, field); mongoerr.Is(err, mongoerr.IDLUnknownField) {
				return nil, err
			}
			continue
		}
		hasLocale = hasLocale || name == "locale"
		if err := s.read(name, it.Value(), field); err != nil {
			return nil, err
		}
	}
	switch {
	case !hasLocale:
		return nil, mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.locale' is missing but a required field", field)
	case s.locale == "simple":
		return nil, nil
	}
	if err := s.check(doc); err != nil {
		return nil, err
	}
	if err := s.checkSupported(field); err != nil {
		return nil, err
	}
	if s.locale == "fr_CA" && !s.backwardsGiven {
		s.backwards = true // Canadian French compares accents from the end
	}
	r := rules{locale: s.locale, strength: int(s.strength), caseLevel: s.caseLevel, numeric: s.numericOrdering, backwards: s.backwards}
	if s.strength == 1 {
		r.backwards = false
	}
	s.backwardsGiven = false // what is said by name or left to the default is the same
	return &Collation{spec: s, weights: weigherOf(r)}, nil
}

// read reads one field.
func (s *spec) read(name string, v bsonraw.Value, field string) error {
	f := fieldReader{path: field + "." + name, value: v}
	switch name {
	case "locale":
		return f.str(&s.locale)
	case "strength":
		return f.strength(&s.strength)
	case "caseLevel":
		return f.flag(&s.caseLevel)
	case "numericOrdering":
		return f.flag(&s.numericOrdering)
	case "normalization":
		return f.flag(&s.normalization)
	case "backwards":
		s.backwardsGiven = true
		return f.flag(&s.backwards)
	case "caseFirst":
		return f.choice(&s.caseFirst, "off", "upper", "lower")
	case "alternate":
		return f.choice(&s.alternate, "non-ignorable", "shifted")
	case "maxVariable":
		return f.choice(&s.maxVariable, "punct", "space")
	case "version":
		return f.str(&s.version)
	}
	return mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s' is an unknown field.", f.path)
}

// fieldReader reads the value of one field.
type fieldReader struct {
	path  string
	value bsonraw.Value
}

func (f fieldReader) wrongType(want string) error {
	return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s' is the wrong type '%s', expected type '%s'", f.path, f.value.Type.Name(), want)
}

func (f fieldReader) str(to *string) error {
	if f.value.Type != bsonraw.TypeString {
		return f.wrongType("string")
	}
	*to = f.value.Str()
	return nil
}

func (f fieldReader) flag(to *bool) error {
	if f.value.Type != bsonraw.TypeBool {
		return f.wrongType("bool")
	}
	*to = f.value.Bool()
	return nil
}

func (f fieldReader) choice(to *string, allowed ...string) error {
	if err := f.str(to); err != nil {
		return err
	}
	if slices.Contains(allowed, *to) {
		return nil
	}
	return mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field '%s' is not a valid value.", *to, f.path)
}

func (f fieldReader) strength(to *int64) error {
	if !f.value.Type.IsNumber() {
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s' is the wrong type '%s', expected types '[long, int, decimal, double']",
			f.path, f.value.Type.Name())
	}
	n := argument.Whole(f.value)
	switch {
	case n > 5:
		return mongoerr.New(outOfBounds, "BSON field 'strength' value must be <= 5, actual value '%s'", f.value.Shell())
	case n < 0:
		return mongoerr.New(outOfBounds, "BSON field 'strength' value must be >= 0, actual value '%d'", n)
	case n == 0:
		return mongoerr.New(mongoerr.BadValue, "Enumeration value '0' for field '%s' is not a valid value.", f.path)
	}
	*to = n
	return nil
}

// check holds the document to MongoDB's rules.
func (s *spec) check(doc bsonraw.Doc) error {
	if s.version != version {
		return mongoerr.New(incompatibleVersion, "Requested collation version %s but the only available collator version was %s. Requested collation spec: %s",
			s.version, version, doc.Shell())
	}
	if s.locale == "" {
		return mongoerr.New(mongoerr.BadValue, "Field 'locale' cannot be the empty string in: %s", doc.Shell())
	}
	if _, ok := locales[s.locale]; !ok && !isRefused(s.locale) {
		hint := ""
		if name := suggestion(s.locale); name != "" {
			hint = ". Did you mean '" + name + "'?"
		}
		return mongoerr.New(mongoerr.BadValue, "Field 'locale' is invalid in: %s%s", doc.Shell(), hint)
	}
	if s.caseFirst != "off" && !s.caseLevel && s.strength < 3 {
		return mongoerr.New(mongoerr.BadValue, "'caseFirst' is invalid unless 'caseLevel' is on or 'strength' is greater than 2 in: %s", doc.Shell())
	}
	if s.strength == 1 && (s.backwards || s.locale == "fr_CA" && !s.backwardsGiven) {
		return mongoerr.New(mongoerr.BadValue, "'backwards' is invalid with 'strength' of 1 in: %s", doc.Shell())
	}
	return nil
}

// checkSupported refuses what would compare otherwise than in MongoDB.
func (s *spec) checkSupported(field string) error {
	refuse := func(name, value, instead string) error {
		return mongoerr.New(mongoerr.CommandNotSupported, "%s.%s: %s is not supported by this server; %s", field, name, value, instead)
	}
	switch {
	case isRefused(s.locale):
		return refuse("locale", "'"+s.locale+"'", "its order is not available")
	case s.strength > 3:
		return refuse("strength", "a strength above 3", "use 1, 2 or 3")
	case s.caseFirst != "off":
		return refuse("caseFirst", "'"+s.caseFirst+"'", "use 'off'")
	case s.alternate != "non-ignorable":
		return refuse("alternate", "'"+s.alternate+"'", "use 'non-ignorable'")
	}
	return nil
}

// Doc returns the whole collation document, defaults included, as MongoDB keeps it in the options of a collection.
func (c *Collation) Doc() bsonraw.Doc {
	s := &c.spec
	dst, at := bsonraw.BeginDoc(nil)
	dst = bsonraw.AppendString(dst, "locale", s.locale)
	dst = bsonraw.AppendBool(dst, "caseLevel", s.caseLevel)
	dst = bsonraw.AppendString(dst, "caseFirst", s.caseFirst)
	dst = bsonraw.AppendInt32(dst, "strength", int32(s.strength))
	dst = bsonraw.AppendBool(dst, "numericOrdering", s.numericOrdering)
	dst = bsonraw.AppendString(dst, "alternate", s.alternate)
	dst = bsonraw.AppendString(dst, "maxVariable", s.maxVariable)
	dst = bsonraw.AppendBool(dst, "normalization", s.normalization)
	dst = bsonraw.AppendBool(dst, "backwards", s.backwards)
	dst = bsonraw.AppendString(dst, "version", version)
	return bsonraw.EndDoc(dst, at)
}
