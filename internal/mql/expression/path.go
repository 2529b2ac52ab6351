package expression

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// maxPathFields is one less than the nesting that a message may have.
const maxPathFields = bsonraw.MaxMessageDepth - 1

// ParsePath splits a dotted field path, without its dollar sign, and holds it to the rules of the aggregation language: no
// empty name, none that begins with a dollar sign, no zero byte. Numbers are names like others.
func ParsePath(path string) ([]string, error) {
	if path == "" {
		return nil, mongoerr.New(40352, "FieldPath cannot be constructed with empty string")
	}
	if strings.HasSuffix(path, ".") {
		return nil, mongoerr.New(40353, "FieldPath must not end with a '.'.")
	}
	if strings.Count(path, ".") >= maxPathFields {
		return nil, mongoerr.New(mongoerr.Overflow, "FieldPath is too long")
	}
	fields := strings.Split(path, ".")
	for _, f := range fields {
		if err := checkFieldName(f); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// checkFieldName holds one name of a path, or of an object literal, to MongoDB's rules.
func checkFieldName(name string) error {
	switch {
	case name == "":
		return mongoerr.New(15998, "FieldPath field names may not be empty strings.")
	case name[0] == '$' && !isReferenceField(name):
		return mongoerr.New(16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.")
	case strings.IndexByte(name, 0) >= 0:
		return mongoerr.New(16411, "FieldPath field names may not contain '\\0'.")
	case strings.IndexByte(name, '.') >= 0:
		return mongoerr.New(16412, "FieldPath field names may not contain '.'. Consider using $getField or $setField.")
	}
	return nil
}

// isReferenceField reports whether name is one of the fields of a DBRef, the only names with a dollar sign that paths take.
func isReferenceField(name string) bool { return name == "$id" || name == "$ref" || name == "$db" }

// walkPath reads a path from a value. An array on the way gives the array of what its documents hold there.
func walkPath(ctx *Context, v bsonraw.Value, fields []string) (bsonraw.Value, error) {
	for i, f := range fields {
		switch v.Type {
		case bsonraw.TypeDocument:
			v = v.Doc().Lookup(f)
		case bsonraw.TypeArray:
			return walkArray(ctx, v.Doc(), fields[i:])
		default:
			return bsonraw.Value{}, nil
		}
	}
	return v, nil
}

func walkArray(ctx *Context, array bsonraw.Doc, fields []string) (bsonraw.Value, error) {
	out := bsonraw.BeginArray(ctx.Scratch())
	for it := array.Iter(); it.Next(); {
		v := it.Value()
		if v.Type != bsonraw.TypeDocument {
			continue
		}
		found, err := walkPath(ctx, v, fields)
		if err != nil {
			ctx.Discard(out.End())
			return bsonraw.Value{}, err
		}
		if !found.IsMissing() {
			out.Append(found)
		}
	}
	return ctx.keepValue(bsonraw.TypeArray, out.End())
}
