package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// logRotate {logRotate: 1 | "server", comment} begins a new file of the log. The server's log goes to whoever runs it, in no file of
// its own, so there is nothing to do.
func logRotate(op *operation) error {
	v := op.body.Lookup(op.cmd.name)
	if v.Type == bsonraw.TypeString && v.Str() != "server" {
		return mongoerr.New(mongoerr.NoSuchKey, "Log rotation failed due to one or more errors: there is no log named '%s'", v.Str())
	}
	return nil
}
