package command

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// The kinds of indexes that are not of plain fields.
const (
	wildcardKind = "wildcard"
	textKind     = "text"
	hashedKind   = "hashed"
)

// everyPath is the name in a key pattern that stands for all paths.
const everyPath = "$**"

// checkIndexKey checks a key pattern and returns the kind of its index; empty for one of plain fields.
func checkIndexKey(key bsonraw.Doc) (kind string, err error) {
	if err := checkIndexFieldsDiffer(key); err != nil {
		return "", err
	}
	fields := 0
	for it := key.Iter(); it.Next(); fields++ {
		of := kindOfField(string(it.Key()), it.Value())
		if err := checkIndexPath(string(it.Key()), of); err != nil {
			return "", err
		}
		if err := checkIndexDirection(it.Value(), of); err != nil {
			return "", err
		}
		switch {
		case of == "" || of == kind:
		case kind != "":
			return "", mongoerr.New(mongoerr.CannotCreateIndex, "Can't use more than one index plugin for a single index.")
		default:
			kind = of
		}
	}
	switch {
	case fields == 0:
		return "", mongoerr.New(mongoerr.CannotCreateIndex, "Index keys cannot be empty.")
	case fields > store.MaxIndexFields:
		return "", mongoerr.New(13103, "too many compound keys")
	case kind == wildcardKind && fields > 1:
		return "", mongoerr.New(mongoerr.CannotCreateIndex, "wildcard indexes do not allow compounding")
	}
	return kind, nil
}

func checkIndexFieldsDiffer(key bsonraw.Doc) error {
	seen := map[string]bool{}
	for it := key.Iter(); it.Next(); {
		if seen[string(it.Key())] {
			return mongoerr.New(mongoerr.BadValue, "The field '%s' appears multiple times in the index key pattern %s", it.Key(), key.Shell())
		}
		seen[string(it.Key())] = true
	}
	return nil
}

// kindOfField returns the kind that a field of a key pattern asks for.
func kindOfField(path string, v bsonraw.Value) string {
	if v.Type == bsonraw.TypeString {
		return v.Str()
	}
	if path == everyPath || strings.HasSuffix(path, "."+everyPath) {
		return wildcardKind
	}
	return ""
}

func checkIndexPath(path, kind string) error {
	if path == "" {
		return mongoerr.New(mongoerr.CannotCreateIndex, "Index keys cannot be an empty field.")
	}
	parts := strings.Split(path, ".")
	for i, part := range parts {
		switch {
		case part == "":
			return mongoerr.New(mongoerr.CannotCreateIndex, "Index keys cannot contain an empty field.")
		case part == everyPath && i == len(parts)-1 && (kind == wildcardKind || kind == textKind):
		case i > 0 && (part == "$id" || part == "$ref" || part == "$db"): // parts of a DBRef
		case part[0] == '$':
			return mongoerr.New(mongoerr.CannotCreateIndex, "Index key contains an illegal field name: field name starts with '$'.")
		}
	}
	return nil
}

func checkIndexDirection(v bsonraw.Value, kind string) error {
	if v.Type == bsonraw.TypeString {
		switch kind {
		case "":
			return mongoerr.New(mongoerr.CannotCreateIndex, "Values in the index key pattern cannot be empty strings")
		case textKind, hashedKind:
			return nil
		case "2d", "2dsphere":
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
	case f < 0 && kind == wildcardKind:
		return mongoerr.New(mongoerr.CannotCreateIndex, "A numeric value in a $** index key pattern must be positive.")
	}
	return nil
}
