package command

import (
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// replSetGetStatus {replSetGetStatus: 1} tells the state of the set: one member, the primary. Arguments are accepted and not used.
func replSetGetStatus(op *operation) error {
	st := op.server.store
	now := time.Now()
	op.out = bsonraw.AppendString(op.out, "set", op.server.cfg.ReplicaSet)
	op.out = bsonraw.AppendDate(op.out, "date", now.UnixMilli())
	op.out = bsonraw.AppendInt32(op.out, "myState", primaryState)
	op.out = bsonraw.AppendInt64(op.out, "term", logTerm)
	op.out = appendNoSource(op.out)
	op.out = bsonraw.AppendInt64(op.out, "heartbeatIntervalMillis", heartbeatInterval.Milliseconds())
	for _, name := range []string{"majorityVoteCount", "writeMajorityCount", "votingMembersCount", "writableVotingMembersCount"} {
		op.out = bsonraw.AppendInt32(op.out, name, 1)
	}
	applied, durable := st.Applied(), st.Durable()
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "optimes")
	op.appendOpTime("lastCommittedOpTime", durable)
	op.out = appendWall(op.out, "lastCommittedWallTime", durable)
	op.appendOpTime("readConcernMajorityOpTime", durable)
	op.appendOpTime("appliedOpTime", applied)
	op.appendOpTime("durableOpTime", durable)
	op.out = appendWall(op.out, "lastAppliedWallTime", applied)
	op.out = appendWall(op.out, "lastDurableWallTime", durable)
	op.out = bsonraw.EndDoc(op.out, at)
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "members")
	list := bsonraw.BeginArray(op.out)
	list.Resume(appendSelf(op, &list, now, applied, durable))
	op.out = list.End()
	return nil
}

// The numbers by which MongoDB knows the state of a primary, and how often members ask each other.
const (
	primaryState      = 1
	heartbeatInterval = 2 * time.Second
)

// appendNoSource says that this member follows nobody.
func appendNoSource(out []byte) []byte {
	out = bsonraw.AppendString(out, "syncSourceHost", "")
	return bsonraw.AppendInt32(out, "syncSourceId", -1)
}

func appendWall(out []byte, name string, ts oplog.Timestamp) []byte {
	return bsonraw.AppendDate(out, name, int64(ts.Seconds())*1000)
}

// appendSelf appends the only member.
func appendSelf(op *operation, list *bsonraw.ArrayBuilder, now time.Time, applied, durable oplog.Timestamp) []byte {
	out, at := list.Begin(bsonraw.TypeDocument)
	out = bsonraw.AppendInt32(out, "_id", 0)
	out = bsonraw.AppendString(out, "name", op.conn.info.Advertised)
	out = bsonraw.AppendDouble(out, "health", 1)
	out = bsonraw.AppendInt32(out, "state", primaryState)
	out = bsonraw.AppendString(out, "stateStr", "PRIMARY")
	out = bsonraw.AppendInt32(out, "uptime", int32(now.Sub(op.server.started)/time.Second))
	out, opTime := bsonraw.BeginElem(out, bsonraw.TypeDocument, "optime")
	out = bsonraw.AppendTimestamp(out, "ts", uint64(applied))
	out = bsonraw.EndDoc(bsonraw.AppendInt64(out, "t", logTerm), opTime)
	out = appendWall(out, "optimeDate", applied)
	out = appendWall(out, "lastAppliedWallTime", applied)
	out = appendWall(out, "lastDurableWallTime", durable)
	out = appendNoSource(out)
	out = bsonraw.AppendString(out, "infoMessage", "")
	elected := oplog.MakeTimestamp(uint32(op.server.started.Unix()), 1)
	out = bsonraw.AppendTimestamp(out, "electionTime", uint64(elected))
	out = appendWall(out, "electionDate", elected)
	out = bsonraw.AppendInt32(out, "configVersion", 1)
	out = bsonraw.AppendInt32(out, "configTerm", logTerm)
	out = bsonraw.AppendBool(out, "self", true)
	out = bsonraw.AppendString(out, "lastHeartbeatMessage", "")
	return bsonraw.EndDoc(out, at)
}

// replSetInitiate {replSetInitiate: <config>} is refused: the set is there from the first start on.
func replSetInitiate(*operation) error {
	return mongoerr.New(mongoerr.AlreadyInitialized, "already initialized")
}
