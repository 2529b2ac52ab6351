package command

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

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
	for i, part := range strings.Split(path, ".") {
		switch {
		case part == "":
			return mongoerr.New(mongoerr.CannotCreateIndex, "Index keys cannot contain an empty field.")
		case part == "$**":
			return mongoerr.New(mongoerr.CommandNotSupported, "createIndexes: wildcard indexes ('%s') are not supported by this server", path)
		case i > 0 && (part == "$id" || part == "$ref" || part == "$db"): // parts of a DBRef
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
		case "text", "2d", "2dsphere", "hashed":
			return mongoerr.New(mongoerr.CommandNotSupported, "createIndexes: '%s' indexes are not supported by this server", kind)
		case "geoHaystack":
			return mongoerr.New(mongoerr.CannotCreateIndex, "GeoHaystack indexes cannot be created in version 5.0 and above")
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
