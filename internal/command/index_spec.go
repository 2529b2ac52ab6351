package command

import (
	"bytes"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// indexSpec is the specification of an index that a client asks for.
type indexSpec struct {
	given          bsonraw.Doc
	key            bsonraw.Doc
	name           string
	named          bool
	version        int32
	unique, sparse bool
	simple         bool   // the simple collation was asked for
	rest           []byte // other elements that are kept, in their order
}

// parseIndexSpec reads a specification. With lenient set, fields that nobody knows are passed over.
func parseIndexSpec(given bsonraw.Doc, lenient bool) (*indexSpec, error) {
	s := &indexSpec{given: given, version: 2}
	for it := given.Iter(); it.Next(); {
		if err := s.field(string(it.Key()), it, lenient); err != nil {
			return nil, err
		}
	}
	if s.key == nil {
		return nil, mongoerr.New(mongoerr.FailedToParse, "The 'key' field is a required property of an index specification")
	}
	if !s.named {
		return nil, mongoerr.New(mongoerr.FailedToParse, "The 'name' field is a required property of an index specification")
	}
	return s, nil
}

func (s *indexSpec) field(name string, it bsonraw.Iter, lenient bool) (err error) {
	v := it.Value()
	switch name {
	case "key":
		if v.Type != bsonraw.TypeDocument {
			return mongoerr.New(mongoerr.TypeMismatch, "The field 'key' must be an object, but got %s", v.Type.Name())
		}
		s.key = v.Doc()
		return checkIndexKey(s.key)
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
		s.rest = append(s.rest, it.Elem()...)
		return err
	case "background":
		_, err = s.flag(name, v)
		s.rest = append(s.rest, it.Elem()...)
		return err
	case "ns", "dropDups", "_id":
		return nil // from earlier versions, without a meaning
	}
	return s.option(name, v, lenient)
}

// option takes the options that change nothing and names those that would.
func (s *indexSpec) option(name string, v bsonraw.Value, lenient bool) error {
	switch name {
	case "hidden", "prepareUnique", "clustered":
		if on, err := s.flag(name, v); err != nil || !on {
			return err
		}
	case "collation":
		if v.Type == bsonraw.TypeDocument && v.Doc().Lookup("locale").Str() == "simple" {
			s.simple = true
			return nil
		}
	case "partialFilterExpression", "expireAfterSeconds", "storageEngine", "weights", "default_language", "language_override",
		"textIndexVersion", "2dsphereIndexVersion", "bits", "min", "max", "bucketSize", "coarsestIndexedLevel",
		"finestIndexedLevel", "wildcardProjection", "columnstoreProjection", "originalSpec":
	default:
		if lenient {
			return nil
		}
		return mongoerr.New(mongoerr.InvalidIndexSpecificationOption,
			"The field '%s' is not valid for an index specification. Specification: %s", name, s.given.Shell())
	}
	return mongoerr.New(mongoerr.CommandNotSupported, "createIndexes: the index option '%s' is not supported by this server yet", name)
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

// checkIndexKey checks a key pattern.
func checkIndexKey(key bsonraw.Doc) error {
	fields := 0
	for it := key.Iter(); it.Next(); fields++ {
		if err := checkIndexPath(string(it.Key())); err != nil {
			return err
		}
		if err := checkIndexDirection(it.Value()); err != nil {
			return err
		}
	}
	switch {
	case fields == 0:
		return mongoerr.New(mongoerr.CannotCreateIndex, "Index keys cannot be empty.")
	case fields > store.MaxIndexFields:
		return mongoerr.New(13103, "too many compound keys")
	}
	return nil
}

func checkIndexPath(path string) error {
	if path == "" {
		return mongoerr.New(mongoerr.CannotCreateIndex, "Index keys cannot be an empty field.")
	}
	for part := range strings.SplitSeq(path, ".") {
		switch {
		case part == "":
			return mongoerr.New(mongoerr.CannotCreateIndex, "Index keys cannot contain an empty field.")
		case part == "$**":
			return mongoerr.New(mongoerr.CommandNotSupported, "createIndexes: wildcard indexes ('%s') are not supported by this server yet", path)
		case part == "$id" || part == "$ref" || part == "$db": // parts of a DBRef
		case part[0] == '$':
			return mongoerr.New(mongoerr.CannotCreateIndex, "Index key contains an illegal field name: field name starts with '$'.")
		}
	}
	return nil
}

func checkIndexDirection(v bsonraw.Value) error {
	if v.Type == bsonraw.TypeString {
		switch kind := v.Str(); kind {
		case "":
			return mongoerr.New(mongoerr.CannotCreateIndex, "Values in the index key pattern cannot be empty strings")
		case "text", "2d", "2dsphere", "hashed", "columnstore", "geoHaystack":
			return mongoerr.New(mongoerr.CommandNotSupported, "createIndexes: '%s' indexes are not supported by this server yet", kind)
		default:
			return mongoerr.New(mongoerr.CannotCreateIndex, "Unknown index plugin '%s'", kind)
		}
	}
	f, ok := v.AsFloat64()
	switch {
	case !ok:
		return mongoerr.New(mongoerr.CannotCreateIndex,
			"Values in v:2 index key pattern cannot be of type %s. Only numbers > 0, numbers < 0, and strings are allowed.", v.Type.Name())
	case f != f:
		return mongoerr.New(mongoerr.CannotCreateIndex, "Values in the index key pattern cannot be NaN.")
	case f == 0:
		return mongoerr.New(mongoerr.CannotCreateIndex, "Values in the index key pattern cannot be 0.")
	}
	return nil
}

// isID reports whether the key is that of the index on _id, whichever its direction.
func (s *indexSpec) isID() bool {
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
		default:
			return mongoerr.New(mongoerr.InvalidIndexSpecificationOption,
				"The field '%s' is not valid for an _id index specification. Specification: %s", name, s.versioned().Shell())
		}
	}
	s.name = "_id_"
	return nil
}

// parseIDIndex reads the idIndex argument of create and returns the specification that it becomes.
func parseIDIndex(given bsonraw.Doc) (bsonraw.Doc, error) {
	s, err := parseIndexSpec(given, false)
	if err != nil {
		return nil, err
	}
	return makeIDIndexSpec(s.version), s.checkID()
}

// check checks what the name and the key make of each other.
func (s *indexSpec) check() error {
	switch {
	case s.isID():
		return s.checkID()
	case s.name == "":
		return mongoerr.New(mongoerr.CannotCreateIndex, "Error in specification %s :: caused by :: index name cannot be empty", s.versioned().Shell())
	case strings.ContainsRune(s.name, 0):
		return mongoerr.New(mongoerr.CannotCreateIndex, "Error in specification %s :: caused by :: index name cannot contain NUL bytes", s.versioned().Shell())
	case s.name == "*":
		return mongoerr.New(mongoerr.BadValue, "The index name '*' is not valid.")
	case s.name == "_id_":
		return mongoerr.New(mongoerr.BadValue,
			"The index name '_id_' is reserved for the _id index, which must have key pattern {_id: 1}, found key: %s", s.key.Shell())
	}
	return nil
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

// doc is the specification as it is kept and logged: version, unique, key and name, then the rest.
func (s *indexSpec) doc() bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	out = bsonraw.AppendInt32(out, "v", s.version)
	if s.unique {
		out = bsonraw.AppendBool(out, "unique", true)
	}
	out = bsonraw.AppendDoc(out, "key", s.key)
	out = bsonraw.AppendString(out, "name", s.name)
	return bsonraw.EndDoc(append(out, s.rest...), at)
}

// exists reports whether one of the indexes is the one that is asked for. Another one by its name, or the same by another name,
// is an error.
func (s *indexSpec) exists(indexes []*store.Index) (bool, error) {
	if s.isID() {
		return true, nil
	}
	for _, x := range indexes {
		if x.Name != s.name {
			continue
		}
		if s.same(x) {
			return true, nil
		}
		return false, mongoerr.New(mongoerr.IndexKeySpecsConflict, "An existing index has the same name as the requested index. "+
			"When index names are not specified, they are auto generated and can cause conflicts. Please refer to our documentation. "+
			"Requested index: %s, existing index: %s", s.doc().Shell(), x.Spec.Shell())
	}
	for _, x := range indexes {
		if s.same(x) {
			return false, mongoerr.New(mongoerr.IndexOptionsConflict, "Index already exists with a different name: %s", x.Name)
		}
	}
	return false, nil
}

// same reports whether an index is the one asked for, by all but its name.
func (s *indexSpec) same(x *store.Index) bool {
	return s.unique == x.Unique && s.sparse == x.Sparse && sameKey(s.key, x.Key)
}

// sameKey reports whether two key patterns have the same fields in the same order and, by value, the same directions.
func sameKey(a, b bsonraw.Doc) bool {
	i, j := a.Iter(), b.Iter()
	for {
		m, n := i.Next(), j.Next()
		if !m || !n {
			return m == n
		}
		if !bytes.Equal(i.Key(), j.Key()) || !bsonraw.Equal(i.Value(), j.Value()) {
			return false
		}
	}
}
