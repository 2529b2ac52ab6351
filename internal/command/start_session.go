package command

import (
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// startSession {startSession: 1} begins a session with an id of the server's choice.
func startSession(op *operation) error {
	uuid := newUUID()
	if _, err := op.server.sessions.touch(string(uuid[:]), time.Now()); err != nil {
		return err
	}
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "id")
	op.out = bsonraw.AppendBinary(op.out, "id", bsonraw.SubtypeUUID, uuid[:])
	op.out = bsonraw.EndDoc(op.out, at)
	op.out = bsonraw.AppendInt32(op.out, "timeoutMinutes", int32(sessionTimeout/time.Minute))
	return nil
}
