package update

import (
	"bytes"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// rename is one field of $rename.
type rename struct {
	from, to         [][]byte
	fromText, toText []byte
}

// rename compiles one field of $rename into two leaves: the new name takes the value, the old one goes.
func (c *compiler) rename(from []byte, arg bsonraw.Value) error {
	if arg.Type != bsonraw.TypeString {
		return mongoerr.New(mongoerr.BadValue, "The 'to' field for $rename must be a string: %s", named(from, arg))
	}
	to := arg.Bytes()
	if bytes.IndexByte(to, 0) >= 0 {
		return mongoerr.New(mongoerr.BadValue, "The 'to' field for $rename cannot contain an embedded null byte")
	}
	r := &rename{fromText: from, toText: to}
	var err error
	if r.from, err = c.split(from); err != nil {
		return err
	}
	if isDynamic(r.from) {
		return mongoerr.New(mongoerr.BadValue, "The source field for $rename may not be dynamic: %s", from)
	}
	if err := c.update.add(r.from, renameSource{}); err != nil {
		return err
	}
	if r.to, err = c.split(to); err != nil {
		return err
	}
	switch {
	case isDynamic(r.to):
		return mongoerr.New(mongoerr.BadValue, "The destination field for $rename may not be dynamic: %s", to)
	case bytes.Equal(from, to):
		return mongoerr.New(mongoerr.BadValue, "The source and target field for $rename must differ: %s", named(from, arg))
	case beginsWith(r.from, r.to), beginsWith(r.to, r.from):
		return mongoerr.New(mongoerr.BadValue, "The source and target field for $rename must not be on the same path: %s", named(from, arg))
	}
	// How deeply the value is nested is known only with the document.
	c.levels = bsonraw.MaxMessageDepth
	return c.update.add(r.to, renameTarget{r})
}

// beginsWith reports whether path goes through or to prefix.
func beginsWith(path, prefix [][]byte) bool {
	if len(path) < len(prefix) {
		return false
	}
	for i := range prefix {
		if !bytes.Equal(path[i], prefix[i]) {
			return false
		}
	}
	return true
}

// value looks up what is renamed, in the document as it was: no other operator can reach it. It is missing when there
// is nothing to rename.
func (r *rename) value(doc bsonraw.Doc) (bsonraw.Value, error) {
	v, blocked := lookup(doc, r.from)
	if blocked >= 0 {
		return v, mongoerr.New(mongoerr.PathNotViable, "cannot use the part (%s of %s) to traverse the element ({%s: %s})",
			r.from[blocked], r.fromText, r.from[blocked], v.Shell())
	}
	if v.IsMissing() {
		return v, nil
	}
	if array := arrayOn(doc, r.from); array != nil {
		return v, mongoerr.New(mongoerr.BadValue,
			"The source field cannot be an array element, '%s' in doc with %s has an array field called '%s'",
			r.fromText, documentID(doc), array)
	}
	if array := arrayOn(doc, r.to); array != nil {
		return v, mongoerr.New(mongoerr.BadValue,
			"The destination field cannot be an array element, '%s' in doc with %s has an array field called '%s'",
			r.toText, documentID(doc), array)
	}
	return v, nil
}

// arrayOn returns the first component of a path that is an array and has further components after it, or nil.
func arrayOn(doc bsonraw.Doc, parts [][]byte) []byte {
	for _, part := range parts[:len(parts)-1] {
		v := field(doc, part)
		switch v.Type {
		case bsonraw.TypeArray:
			return part
		case bsonraw.TypeDocument:
			doc = v.Doc()
		default:
			return nil
		}
	}
	return nil
}

// renameSource takes the old field away. What may be said against that, and the record of it, belong to the new one.
type renameSource struct{ indulgent }

func (renameSource) apply(_ *applier, old bsonraw.Value) (effect, error) {
	if old.IsMissing() {
		return effect{}, nil
	}
	return effect{kind: remove, silent: true}, nil
}

// renameTarget gives the new field its value, even where that is the same as before.
type renameTarget struct{ *rename }

func (r renameTarget) apply(a *applier, _ bsonraw.Value) (effect, error) {
	v, err := r.value(a.doc)
	if err != nil || v.IsMissing() {
		return effect{}, err
	}
	a.moved = append(a.moved, r.from)
	if a.protected && string(r.from[0]) == idField {
		return effect{}, immutableID(string(r.fromText))
	}
	return effect{kind: assign, value: v}, nil
}

func (r renameTarget) whenBlocked(a *applier) (blockedPolicy, error) {
	v, err := r.value(a.doc)
	if err != nil || v.IsMissing() {
		return ignoreBlocked, err
	}
	return failCreating, nil
}
