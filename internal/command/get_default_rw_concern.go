package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
)

// getDefaultRWConcern {getDefaultRWConcern: 1, inMemory} tells the concerns of commands that name none. They are those of MongoDB and
// cannot be changed.
func getDefaultRWConcern(op *operation) error {
	var inMemory bool
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case op.cmd.name:
			return nil
		case "inMemory":
			return a.flag(&inMemory)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	op.out = appendDefaultConcerns(op.out)
	if inMemory {
		op.out = bsonraw.AppendBool(op.out, "inMemory", true)
	}
	op.out = bsonraw.AppendDate(op.out, "localUpdateWallClockTime", op.server.started.UnixMilli())
	return nil
}

func appendDefaultConcerns(out []byte) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "defaultReadConcern")
	out = bsonraw.EndDoc(bsonraw.AppendString(out, "level", "local"), at)
	out, at = bsonraw.BeginElem(out, bsonraw.TypeDocument, "defaultWriteConcern")
	out = bsonraw.AppendString(out, "w", "majority")
	out = bsonraw.EndDoc(bsonraw.AppendInt32(out, "wtimeout", 0), at)
	out = bsonraw.AppendString(out, "defaultWriteConcernSource", "implicit")
	return bsonraw.AppendString(out, "defaultReadConcernSource", "implicit")
}
