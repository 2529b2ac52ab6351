package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// killCursors {killCursors: <collection>, cursors: [ids]} ends cursors. A getMore that waits on one ends with code 237. The
// collection says nothing beside its form, as in MongoDB: ids are unique, and what a client may do with a cursor depends on the cursor.
func killCursors(op *operation) error {
	var ids bsonraw.Doc
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "killCursors":
			return formedName(a, new(string))
		case "cursors":
			return a.array(&ids)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	if ids == nil {
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'killCursors.cursors' is missing but a required field")
	}
	var killed, missing []bsonraw.Value
	for it := ids.Iter(); it.Next(); {
		v := it.Value()
		if v.Type != bsonraw.TypeInt64 {
			return op.wrongType("cursors", v, "long")
		}
		if op.server.cursors.remove(v.Int64(), func(*cursor) bool { return true }) {
			killed = append(killed, v)
		} else {
			missing = append(missing, v)
		}
	}
	op.appendList("cursorsKilled", killed)
	op.appendList("cursorsNotFound", missing)
	op.appendList("cursorsAlive", nil)
	op.appendList("cursorsUnknown", nil)
	return nil
}
