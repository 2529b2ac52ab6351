package command

import "github.com/sluicestream/sluice/internal/bsonraw"

// connPoolStats {connPoolStats: 1} tells of connections to other servers. This server makes none. Arguments are accepted and not
// used.
func connPoolStats(op *operation) error {
	for _, name := range []string{
		"numClientConnections", "numAScopedConnections", "totalInUse", "totalAvailable", "totalCreated", "totalRefreshing", "totalRefreshed",
	} {
		op.out = bsonraw.AppendInt32(op.out, name, 0)
	}
	for _, name := range []string{"pools", "hosts", "replicaSets"} {
		op.out = bsonraw.AppendDoc(op.out, name, bsonraw.Empty)
	}
	return nil
}
