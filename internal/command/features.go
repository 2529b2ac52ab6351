package command

import (
	"encoding/binary"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// features {features: 1} tells by what number the ObjectIds that this server makes can be known. There is no JavaScript to tell
// of. Arguments are accepted and not used.
func features(op *operation) error {
	op.out = bsonraw.AppendInt64(op.out, "oidMachine", int64(binary.BigEndian.Uint32(op.server.processID[4:])))
	return nil
}
