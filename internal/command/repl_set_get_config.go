package command

import "github.com/sluicestream/sluice/internal/bsonraw"

// replSetGetConfig {replSetGetConfig: 1, commitmentStatus} tells the configuration of the set: one member. Other arguments are
// accepted and not used.
func replSetGetConfig(op *operation) error {
	out, config := bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "config")
	out = bsonraw.AppendString(out, "_id", op.server.cfg.ReplicaSet)
	out = bsonraw.AppendInt32(out, "version", 1)
	out = bsonraw.AppendInt32(out, "term", logTerm)
	out = bsonraw.AppendHeader(out, bsonraw.TypeArray, "members")
	list := bsonraw.BeginArray(out)
	member, at := list.Begin(bsonraw.TypeDocument)
	member = bsonraw.AppendInt32(member, "_id", 0)
	member = bsonraw.AppendString(member, "host", op.conn.info.Advertised)
	member = bsonraw.AppendBool(member, "arbiterOnly", false)
	member = bsonraw.AppendBool(member, "buildIndexes", true)
	member = bsonraw.AppendBool(member, "hidden", false)
	member = bsonraw.AppendDouble(member, "priority", 1)
	member = bsonraw.AppendDoc(member, "tags", bsonraw.Empty)
	member = bsonraw.AppendInt64(member, "secondaryDelaySecs", 0)
	member = bsonraw.AppendInt32(member, "votes", 1)
	list.Resume(bsonraw.EndDoc(member, at))
	out = list.End()
	out = bsonraw.AppendInt64(out, "protocolVersion", 1)
	out = bsonraw.AppendBool(out, "writeConcernMajorityJournalDefault", true)
	out, settings := bsonraw.BeginElem(out, bsonraw.TypeDocument, "settings")
	out = bsonraw.AppendBool(out, "chainingAllowed", true)
	out = bsonraw.AppendInt32(out, "heartbeatIntervalMillis", int32(heartbeatInterval.Milliseconds()))
	out = bsonraw.AppendDoc(out, "getLastErrorModes", bsonraw.Empty)
	out = bsonraw.EndDoc(out, settings)
	op.out = bsonraw.EndDoc(out, config)
	if op.body.Lookup("commitmentStatus").Truthy() {
		op.out = bsonraw.AppendBool(op.out, "commitmentStatus", true)
	}
	return nil
}
