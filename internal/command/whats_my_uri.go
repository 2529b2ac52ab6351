package command

import "github.com/sluicestream/sluice/internal/bsonraw"

// whatsMyURI {whatsmyuri: 1} tells the client its own address.
func whatsMyURI(op *operation) error {
	op.out = bsonraw.AppendString(op.out, "you", op.conn.info.Remote)
	return nil
}
