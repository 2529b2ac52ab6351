package update

import (
	"bytes"
	"encoding/binary"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

func compileReplacement(doc bsonraw.Doc) *Update {
	u := &Update{replacement: doc}
	before := ""
	for it := doc.Iter(); it.Next() && u.dollar == nil; before = string(it.Key()) {
		if !isPartOfDBRef(doc, before, string(it.Key()), it.Value()) {
			u.dollar = checkTopName(it.Key(), it.Value())
		}
	}
	return u
}

// isPartOfDBRef reports whether a field is where it may be in a DBRef: $ref, $id and perhaps $db, one behind the other.
func isPartOfDBRef(doc bsonraw.Doc, before, name string, v bsonraw.Value) bool {
	switch name {
	case "$ref":
		return v.Type == bsonraw.TypeString && nameAfter(doc, name) == "$id"
	case "$id":
		return before == "$ref"
	case "$db":
		return before == "$id" && v.Type == bsonraw.TypeString
	}
	return false
}

// nameAfter returns the name of the field that follows the first one of a name.
func nameAfter(doc bsonraw.Doc, name string) string {
	for it := doc.Iter(); it.Next(); {
		if string(it.Key()) == name && it.Next() {
			return string(it.Key())
		}
	}
	return ""
}

// replace puts the replacement in the document's place. It keeps the _id, and has no effect only when the replacement, with an
// _id of its own, is the document byte for byte.
func (u *Update) replace(in Input) (Outcome, error) {
	if u.dollar != nil && !in.Insert {
		return Outcome{}, u.dollar
	}
	doc := u.stamped(in)
	old, now := in.Doc.Lookup(idField), doc.Lookup(idField)
	if in.Insert {
		if err := checkInsertedID(old, now); err != nil {
			return Outcome{}, err
		}
	}
	if !old.IsMissing() {
		if err := checkSameID(old, now); err != nil {
			return Outcome{}, err
		}
		if now.IsMissing() {
			u.out = withID(u.out[:0], old, doc)
			doc = u.out
		}
	}
	if err := checkResult(doc, true); err != nil {
		return Outcome{}, err
	}
	if in.Insert {
		return u.inserted(doc)
	}
	if !now.IsMissing() && bytes.Equal(doc, in.Doc) {
		return Outcome{Doc: in.Doc, NoOp: true}, nil
	}
	return Outcome{Doc: idFirst(doc), Entry: doc}, nil
}

// checkInsertedID refuses arrays as the _id of a replacement that is inserted, be it from the filter.
func checkInsertedID(old, now bsonraw.Value) error {
	if old.Type == bsonraw.TypeArray || now.Type == bsonraw.TypeArray {
		return mongoerr.New(mongoerr.NotSingleValueField,
			"After applying the update to the document, the (immutable) field '_id' was found to be an array or array descendant.")
	}
	return nil
}

// stamped returns the replacement with the cluster time in the place of empty timestamps at its top level.
func (u *Update) stamped(in Input) bsonraw.Doc {
	doc, at := u.replacement, 4
	for it := u.replacement.Iter(); it.Next(); at += len(it.Elem()) {
		if v := it.Value(); v.Type != bsonraw.TypeTimestamp || v.Int64() != 0 || string(it.Key()) == idField {
			continue
		}
		if &doc[0] == &u.replacement[0] {
			doc = u.replacement.Clone()
		}
		binary.LittleEndian.PutUint64(doc[at+len(it.Elem())-8:], uint64(in.ClusterTime))
	}
	return doc
}
