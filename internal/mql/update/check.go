package update

import (
	"errors"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

const idField = "_id"

// Codes of errors that only updates give.
const (
	resultTooLarge         mongoerr.Code = 17419
	cannotBackfillArray    mongoerr.Code = 34
	notExactValueField     mongoerr.Code = 111
	queryFeatureNotAllowed mongoerr.Code = 224
)

// checkResult holds a new document to the limits of stored ones.
func checkResult(doc bsonraw.Doc, deep bool) error {
	if len(doc) > bsonraw.MaxDocumentSize {
		return mongoerr.New(resultTooLarge, "Resulting document after update is larger than %d", bsonraw.MaxDocumentSize)
	}
	if !deep {
		return nil
	}
	if err := bsonraw.Validate(doc, bsonraw.MaxStoredDepth); errors.Is(err, bsonraw.ErrTooDeep) {
		return errTooDeep()
	}
	return nil
}

func errTooDeep() error {
	return mongoerr.New(mongoerr.Overflow, "Document exceeds maximum nesting depth of %d", bsonraw.MaxStoredDepth)
}

// checkID holds the _id of a new document to what can be one; a missing one is made later.
func checkID(id bsonraw.Value) error {
	switch id.Type {
	case bsonraw.TypeArray, bsonraw.TypeRegex, bsonraw.TypeUndefined:
		return mongoerr.New(mongoerr.InvalidIDField, "The '_id' value cannot be of type %s", id.Type.Name())
	case bsonraw.TypeDocument:
		for it := id.Doc().Iter(); it.Next(); {
			if key := it.Key(); len(key) > 0 && key[0] == '$' {
				return mongoerr.New(mongoerr.DollarPrefixedFieldName,
					"_id fields may not contain '$'-prefixed fields: %s is not valid for storage.", key)
			}
		}
	}
	return nil
}

// checkSameID compares the _id of a whole new document with the one that must stay.
func checkSameID(old, now bsonraw.Value) error {
	if now.IsMissing() || bsonraw.Equal(old, now) {
		return nil
	}
	if err := checkID(now); err != nil {
		return err
	}
	return mongoerr.New(mongoerr.ImmutableField,
		"After applying the update, the (immutable) field '_id' was found to have been altered to _id: %s", now.Shell())
}

func immutableID(path string) error {
	return mongoerr.New(mongoerr.ImmutableField, "Performing an update on the path '%s' would modify the immutable field '_id'", path)
}

// dollarFieldError is what a new document gets for a name at its top level that begins with a dollar sign.
func dollarFieldError(name []byte) error {
	return mongoerr.New(mongoerr.DollarPrefixedFieldName, "The dollar ($) prefixed field '%s' in '%s' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.", name, name)
}

// checkTop refuses a value that a trail leads to when its first name must not have one.
func checkTop(t trail, v bsonraw.Value) error {
	if len(t) > 1 {
		v = bsonraw.Empty.Value()
	}
	return checkTopName(t[0].name, v)
}

// checkTopName refuses values for names at the top level that begin with a dollar sign. The names of a DBRef are told apart; for
// operators they are not possible either: an operator creates one after another, and each would need its neighbour.
func checkTopName(name []byte, v bsonraw.Value) error {
	if len(name) == 0 || name[0] != '$' {
		return nil
	}
	switch string(name) {
	case "$ref":
		if v.Type != bsonraw.TypeString {
			return mongoerr.New(mongoerr.InvalidDBRef, "The DBRef $ref field must be a String, not a %s", v.Type.Name())
		}
		return mongoerr.New(mongoerr.InvalidDBRef, "The DBRef $ref field must be followed by a $id field")
	case "$id":
		return mongoerr.New(mongoerr.InvalidDBRef, "Found $id field without a $ref before it, which is invalid.")
	case "$db":
		if v.Type != bsonraw.TypeString {
			return mongoerr.New(mongoerr.InvalidDBRef, "The DBRef $db field must be a String, not a %s", v.Type.Name())
		}
		return mongoerr.New(mongoerr.InvalidDBRef, "Found $db field without a $id before it, which is invalid.")
	}
	return dollarFieldError(name)
}

// idFirst returns the document with _id at its beginning; the document itself when it is there already, or nowhere.
func idFirst(doc bsonraw.Doc) bsonraw.Doc {
	it := doc.Iter()
	if !it.Next() || string(it.Key()) == idField {
		return doc
	}
	for before := 4 + len(it.Elem()); it.Next(); before += len(it.Elem()) {
		if string(it.Key()) != idField {
			continue
		}
		out := append(make(bsonraw.Doc, 0, len(doc)), doc[:4]...)
		out = append(append(out, it.Elem()...), doc[4:before]...)
		return append(out, doc[before+len(it.Elem()):]...)
	}
	return doc
}

// withID returns the document with an _id put before it.
func withID(dst []byte, id bsonraw.Value, doc bsonraw.Doc) bsonraw.Doc {
	dst, at := bsonraw.BeginDoc(dst)
	dst = bsonraw.AppendValue(dst, idField, id)
	dst = append(dst, doc[4:len(doc)-1]...)
	return bsonraw.EndDoc(dst, at)
}
