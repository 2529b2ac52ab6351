package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// appendOplogNote {appendOplogNote: 1, data: <document>} logs a note, which no change stream shows.
func appendOplogNote(op *operation) error {
	data := op.body.Lookup("data")
	if data.IsMissing() {
		return mongoerr.New(mongoerr.NoSuchKey, "Missing expected field \"data\"")
	}
	if data.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.TypeMismatch, "\"data\" had the wrong type. Expected object, found %s", data.Type.Name())
	}
	w := op.server.store.NewWrite()
	w.Log(&oplog.Entry{Op: oplog.NoOp, O: data.Doc()})
	commit, err := w.Commit()
	if err != nil {
		return err
	}
	return op.acknowledge(commit)
}
