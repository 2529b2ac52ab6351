package command

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/collation"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// indexSpec is the specification of an index that a client asks for.
type indexSpec struct {
	given                  bsonraw.Doc
	key                    bsonraw.Doc
	name                   string
	named                  bool
	version                int32
	unique, sparse, hidden bool
	collation              bsonraw.Doc // as given; nil: that of the collection
	partial                bsonraw.Doc
	expires                bsonraw.Value // expireAfterSeconds, as given
	clustered, prepared    bool
	kind                   string        // of its key
	fields                 int           // of its key
	weights, paths         bsonraw.Value // weights and wildcardProjection, as given
	ofSeries               bool          // it is for measurements, whose _id is a field as others are

	// What the collection makes of it: see resolve.
	by      *collation.Collation
	partOf  *filter.Filter
	seconds int32 // of expireAfterSeconds; -1 without
}

// parseIndexSpec reads a specification. With lenient set, fields that nobody knows are passed over.
func parseIndexSpec(given bsonraw.Doc, lenient bool) (*indexSpec, error) {
	s := &indexSpec{given: given, version: 2, seconds: -1}
	for it := given.Iter(); it.Next(); {
		if err := s.field(string(it.Key()), it.Value(), lenient); err != nil {
			return nil, err
		}
	}
	switch {
	case s.key == nil:
		return nil, mongoerr.New(mongoerr.FailedToParse, "The 'key' field is a required property of an index specification")
	case !s.named:
		return nil, mongoerr.New(mongoerr.FailedToParse, "The 'name' field is a required property of an index specification")
	case s.prepared && s.unique:
		return nil, mongoerr.New(mongoerr.CannotCreateIndex, "Invalid index specification %s; cannot create an index with the 'unique' option and the 'prepareUnique' option",
			given.Shell())
	case s.collation != nil && s.version < 2:
		return nil, mongoerr.New(mongoerr.CannotCreateIndex, "Invalid index specification %s; cannot create an index with the 'collation' option and v=%d",
			given.Shell(), s.version)
	}
	return s, s.checkKind()
}

func (s *indexSpec) field(name string, v bsonraw.Value, lenient bool) (err error) {
	switch name {
	case "key":
		if err := s.document(name, v, &s.key); err != nil {
			return err
		}
		s.fields = s.key.Len() // as given: the texts of an index become two
		s.kind, err = checkIndexKey(s.key)
		return err
	case "name":
		if v.Type != bsonraw.TypeString {
			return mongoerr.New(mongoerr.TypeMismatch, "The field 'name' must be a string, but got %s", v.Type.Name())
		}
		s.name, s.named = v.Str(), true
		return nil
	case "v":
		return s.parseVersion(v)
	case "unique":
		s.unique, err = s.flag(name, v)
		return err
	case "sparse":
		s.sparse, err = s.flag(name, v)
		return err
	case "hidden":
		if v.Type != bsonraw.TypeBool {
			return mongoerr.New(mongoerr.TypeMismatch, "The field 'hidden' must be a bool, but got %s", v.Type.Name())
		}
		s.hidden = v.Bool()
		return nil
	case "collation":
		if err := s.document(name, v, &s.collation); err != nil || !s.collation.IsEmpty() {
			return err
		}
		return mongoerr.New(mongoerr.BadValue, "The field 'collation' cannot be an empty object.")
	case "partialFilterExpression":
		if err := s.document(name, v, &s.partial); err != nil {
			return err
		}
		return checkPartialLanguage(s.partial)
	case "expireAfterSeconds":
		s.expires = v
		return nil
	}
	return s.option(name, v, lenient)
}

func (s *indexSpec) document(name string, v bsonraw.Value, to *bsonraw.Doc) error {
	if v.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.TypeMismatch, "The field '%s' must be an object, but got %s", name, v.Type.Name())
	}
	*to = v.Doc()
	return nil
}

// option takes the options that change nothing, passes over those from earlier versions, and names those that this server lacks.
func (s *indexSpec) option(name string, v bsonraw.Value, lenient bool) error {
	switch name {
	case "ns", "dropDups", "_id":
		return nil
	case "background":
		_, err := s.flag(name, v)
		return err
	case "clustered":
		var err error
		s.clustered, err = s.flag(name, v)
		return err
	case "prepareUnique":
		var err error
		s.prepared, err = s.flag(name, v)
		return err
	case "bits", "min", "max", "default_language", "language_override", "textIndexVersion", "2dsphereIndexVersion",
		"coarsestIndexedLevel", "finestIndexedLevel":
		return nil // where they are for another kind of indexes they are kept with this one, as in MongoDB
	case "weights":
		s.weights = v
		return nil
	case "wildcardProjection":
		s.paths = v
		return nil
	case "storageEngine":
		switch {
		case v.Type != bsonraw.TypeDocument:
			return mongoerr.New(mongoerr.CannotCreateIndex, "\"storageEngine\" options must be a document if present")
		case v.Doc().IsEmpty():
			return mongoerr.New(mongoerr.CannotCreateIndex, "Empty \"storageEngine\" options are invalid. Please remove the field or include valid options.")
		}
		return checkEngines(v) // what it says of MongoDB's own storage engine is kept and shown, and has no effect
	case "originalSpec", "columnstoreProjection":
	default:
		if lenient {
			return nil
		}
		return mongoerr.New(mongoerr.InvalidIndexSpecificationOption,
			"The field '%s' is not valid for an index specification. Specification: %s", name, s.given.Shell())
	}
	return mongoerr.New(mongoerr.CommandNotSupported, "createIndexes: the index option '%s' is not supported by this server", name)
}

// flag reads a boolean of a specification, which may be a number.
func (s *indexSpec) flag(name string, v bsonraw.Value) (bool, error) {
	if v.Type != bsonraw.TypeBool && !v.Type.IsNumber() {
		return false, mongoerr.New(mongoerr.TypeMismatch, "The field '%s has value %s: %s, which is not convertible to bool", name, name, v.Shell())
	}
	return v.Truthy(), nil
}

func (s *indexSpec) parseVersion(v bsonraw.Value) error {
	if !v.Type.IsNumber() {
		return mongoerr.New(mongoerr.TypeMismatch, "The field 'v' must be a number, but got %s", v.Type.Name())
	}
	n, ok := v.AsInt64()
	if !ok || n != 1 && n != 2 {
		return mongoerr.New(mongoerr.CannotCreateIndex, "Invalid index specification %s; cannot create an index with v=%s", s.given.Shell(), v.Shell())
	}
	s.version = int32(n)
	return nil
}

// isID reports whether the key is that of the index on _id, whichever its direction.
func (s *indexSpec) isID() bool {
	if s.ofSeries {
		return false
	}
	n, ok := s.key.Lookup("_id").AsInt64()
	return s.key.Len() == 1 && ok && (n == 1 || n == -1)
}

// checkID checks a specification of the index on _id and gives it its name, whatever the one asked for.
func (s *indexSpec) checkID() error {
	if f, _ := s.key.Lookup("_id").AsFloat64(); !s.isID() || f != 1 {
		return mongoerr.New(mongoerr.BadValue, "The field 'key' for an _id index must be {_id: 1}, but got %s", s.key.Shell())
	}
	for it := s.given.Iter(); it.Next(); {
		switch name := string(it.Key()); name {
		case "key", "name", "v", "ns", "collation":
		case "unique", "clustered":
			if s.clustered {
				continue
			}
			fallthrough
		default:
			return mongoerr.New(mongoerr.InvalidIndexSpecificationOption,
				"The field '%s' is not valid for an _id index specification. Specification: %s", name, s.versioned().Shell())
		}
	}
	s.name = "_id_"
	return nil
}

// check checks what the fields make of each other.
func (s *indexSpec) check() error {
	cannot := func(what string) error {
		return mongoerr.New(mongoerr.CannotCreateIndex, "Error in specification %s :: caused by :: %s", s.versioned().Shell(), what)
	}
	switch {
	case s.isID():
		return s.checkID()
	case s.name == "":
		return cannot("index name cannot be empty")
	case strings.ContainsRune(s.name, 0):
		return cannot("index name cannot contain NUL bytes")
	case s.name == "*":
		return mongoerr.New(mongoerr.BadValue, "The index name '*' is not valid.")
	case s.name == "_id_":
		return mongoerr.New(mongoerr.BadValue,
			"The index name '_id_' is reserved for the _id index, which must have key pattern {_id: 1}, found key: %s", s.key.Shell())
	case s.partial != nil && s.sparse:
		return cannot("cannot mix \"partialFilterExpression\" and \"sparse\" options")
	}
	if what := s.unfitForKind(); what != "" {
		return cannot(what)
	}
	if s.partial != nil {
		if what := unsupportedInPartial(s.partial); what != "" {
			return cannot("Expression not supported in partial index: " + what)
		}
	}
	return s.checkExpiry()
}

// checkExpiry reads expireAfterSeconds. What is not a number at all is the longest time, as in MongoDB.
func (s *indexSpec) checkExpiry() error {
	v := s.expires
	if v.IsMissing() {
		return nil
	}
	f, isNumber := v.AsFloat64()
	wrong := ""
	switch {
	case !isNumber:
		wrong = "TTL index 'expireAfterSeconds' option must be numeric, but received a type of '" + v.Type.Name() + "'"
	case f != f:
		f = maxExpiry
	case f <= -1:
		wrong = "TTL index 'expireAfterSeconds' option cannot be less than 0"
	case f >= maxExpiry+1:
		wrong = "TTL index 'expireAfterSeconds' option must be within an acceptable range, try a lower number"
	case s.fields > 1:
		wrong = "TTL indexes are single-field indexes, compound indexes do not support TTL"
	}
	if wrong != "" {
		return mongoerr.New(mongoerr.CannotCreateIndex, "%s. Index spec: %s", wrong, s.given.Shell())
	}
	s.seconds = int32(f)
	return nil
}

// resolve completes the specification by what its collection has: the collation, which an index takes over.
func (s *indexSpec) resolve(options bsonraw.Doc) (err error) {
	of, err := optionCollation(options)
	if err != nil {
		return err
	}
	if s.by = of; s.collation != nil {
		if s.by, err = collation.Parse(s.collation, "collation"); err != nil {
			return mongoerr.From(err).Prefix("failed to add collation information to index spec for index creation: " + s.versioned().Shell() + " :: caused by :: ")
		}
	}
	if s.isID() {
		if !s.by.Same(of) {
			return mongoerr.New(mongoerr.BadValue, "The _id index must have the same collation as the collection. Index collation: %s, collection collation: %s",
				collationText(s.by), collationText(of))
		}
		return nil
	}
	if err := s.checkHashed(); err != nil {
		return err
	}
	if s.kind == textKind && s.by != nil {
		return mongoerr.New(mongoerr.CannotCreateIndex, "Index type 'text' does not support collation: %s", collationText(s.by))
	}
	if !s.expires.IsMissing() && options.Lookup("capped").Truthy() {
		return mongoerr.New(mongoerr.CannotCreateIndex, "Cannot create TTL index on a capped collection")
	}
	if s.partial != nil {
		s.partOf, err = compilePartial(s.partial, s.by)
	}
	return err
}

func collationText(c *collation.Collation) string {
	if c == nil {
		return `{ locale: "simple" }`
	}
	return c.Doc().Shell()
}

// versioned is the given specification with its version, as messages show it.
func (s *indexSpec) versioned() bsonraw.Doc {
	if !s.given.Lookup("v").IsMissing() {
		return s.given
	}
	out, at := bsonraw.BeginDoc(nil)
	out = append(out, elements(s.given)...)
	return bsonraw.EndDoc(bsonraw.AppendInt32(out, "v", s.version), at)
}

// doc is the specification as it is kept and logged: version, unique, hidden, prepareUnique, key and name, then the rest in the order in
// which it was given, and the whole collation.
func (s *indexSpec) doc() bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	out = bsonraw.AppendInt32(out, "v", s.version)
	if s.unique {
		out = bsonraw.AppendBool(out, "unique", true)
	}
	if s.hidden {
		out = bsonraw.AppendBool(out, "hidden", true)
	}
	if s.prepared {
		out = bsonraw.AppendBool(out, "prepareUnique", true)
	}
	out = bsonraw.AppendDoc(out, "key", s.key)
	out = bsonraw.AppendString(out, "name", s.name)
	for it := s.given.Iter(); it.Next(); {
		switch string(it.Key()) {
		case "unique", "hidden", "prepareUnique", "collation", "clustered":
		default:
			if isIndexOption(string(it.Key())) {
				out = append(out, it.Elem()...)
			}
		}
	}
	if s.by != nil {
		out = bsonraw.AppendDoc(out, "collation", s.by.Doc())
	}
	return bsonraw.EndDoc(out, at)
}

// parseIDIndex reads the idIndex argument of create.
func parseIDIndex(given bsonraw.Doc) (*indexSpec, error) {
	s, err := parseIndexSpec(given, false)
	if err != nil {
		return nil, err
	}
	return s, s.checkID()
}
