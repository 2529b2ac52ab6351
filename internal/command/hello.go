package command

import (
	"encoding/binary"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// What the server promises to clients. Drivers split their writes by these.
const (
	maxDocumentSize   = 16 << 20
	maxMessageSize    = 48_000_000
	maxWriteBatchSize = 100_000
	maxWireVersion    = 21 // MongoDB 7.0
)

// logTerm is the term that oplog entries carry: a set of one has one.
const logTerm = 1

// hello {hello: 1, helloOk, client} says what this server is: the primary of a set of one. Whatever else clients put in is
// accepted. There are no saslSupportedMechs, because there are no users to name mechanisms for, and there is no compression.
// With {topologyVersion, maxAwaitTimeMS} it waits for another topology than the client knows.
func hello(op *operation) error { return greet(op, "isWritablePrimary") }

// isMaster {isMaster: 1, ...} is hello by its old name, with the old name for the primary.
func isMaster(op *operation) error { return greet(op, "ismaster") }

func greet(op *operation, primary string) error {
	var wait topologyWait
	if err := wait.parse(op); err != nil {
		return err
	}
	if err := noteClient(op); err != nil {
		return err
	}
	if err := wait.await(op); err != nil {
		return err
	}
	if err := op.server.topology.quiesced(); err != nil {
		return err
	}
	if wait.known != nil {
		op.more = true
	}
	self := op.conn.info.Advertised
	if op.body.Lookup("helloOk").Truthy() {
		op.out = bsonraw.AppendBool(op.out, "helloOk", true)
	}
	op.out = op.server.appendTopologyVersion(op.out)
	op.appendList("hosts", []bsonraw.Value{bsonraw.StringValue(self)})
	op.out = bsonraw.AppendString(op.out, "setName", op.server.cfg.ReplicaSet)
	op.out = bsonraw.AppendInt32(op.out, "setVersion", 1)
	op.out = bsonraw.AppendBool(op.out, primary, true)
	op.out = bsonraw.AppendBool(op.out, "secondary", false)
	op.out = bsonraw.AppendString(op.out, "primary", self)
	op.out = bsonraw.AppendString(op.out, "me", self)
	op.out = bsonraw.AppendObjectID(op.out, "electionId", electionID(op.server.store.Term()))
	appendLastWrite(op)
	op.out = bsonraw.AppendInt32(op.out, "maxBsonObjectSize", maxDocumentSize)
	op.out = bsonraw.AppendInt32(op.out, "maxMessageSizeBytes", maxMessageSize)
	op.out = bsonraw.AppendInt32(op.out, "maxWriteBatchSize", maxWriteBatchSize)
	op.out = bsonraw.AppendDate(op.out, "localTime", time.Now().UnixMilli())
	op.out = bsonraw.AppendInt32(op.out, "logicalSessionTimeoutMinutes", int32(sessionTimeout/time.Minute))
	op.out = bsonraw.AppendInt32(op.out, "connectionId", op.conn.info.ID)
	op.out = bsonraw.AppendInt32(op.out, "minWireVersion", 0)
	op.out = bsonraw.AppendInt32(op.out, "maxWireVersion", maxWireVersion)
	op.out = bsonraw.AppendBool(op.out, "readOnly", false)
	return nil
}

// electionID makes the id of an election out of its term, so that drivers see a later start of the server as the newer primary.
func electionID(term int64) [12]byte {
	id := [12]byte{0x7f, 0xff, 0xff, 0xff}
	binary.BigEndian.PutUint64(id[4:], uint64(term))
	return id
}

func appendLastWrite(op *operation) {
	applied, durable := op.server.store.Applied(), op.server.store.Durable()
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "lastWrite")
	op.appendOpTime("opTime", applied)
	op.out = bsonraw.AppendDate(op.out, "lastWriteDate", int64(applied.Seconds())*1000)
	op.appendOpTime("majorityOpTime", durable)
	op.out = bsonraw.AppendDate(op.out, "majorityWriteDate", int64(durable.Seconds())*1000)
	op.out = bsonraw.EndDoc(op.out, at)
}

func (op *operation) appendOpTime(name string, ts oplog.Timestamp) {
	var at int
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, name)
	op.out = bsonraw.AppendTimestamp(op.out, "ts", uint64(ts))
	op.out = bsonraw.AppendInt64(op.out, "t", logTerm)
	op.out = bsonraw.EndDoc(op.out, at)
}

// maxAppName is the longest name of an application, in bytes.
const maxAppName = 128

// noteClient remembers the application's name, by which fail points choose connections.
func noteClient(op *operation) error {
	client := op.body.Lookup("client")
	if client.IsMissing() {
		return nil
	}
	if op.conn.client != nil {
		return mongoerr.New(mongoerr.ClientMetadataCannotBeMutated, "The client metadata document may only be sent in the first hello")
	}
	if client.Type != bsonraw.TypeDocument {
		return mongoerr.New(mongoerr.TypeMismatch, "The client metadata document must be a document")
	}
	application := client.Doc().Lookup("application")
	if application.Type != bsonraw.TypeDocument {
		op.conn.introduce("", client.Doc())
		return nil
	}
	name := application.Doc().Lookup("name")
	if name.IsMissing() {
		op.conn.introduce("", client.Doc())
		return nil
	}
	if name.Type != bsonraw.TypeString {
		return mongoerr.New(mongoerr.TypeMismatch, "The 'application.name' field must be a string in the client metadata document")
	}
	if len(name.Bytes()) > maxAppName {
		return mongoerr.New(mongoerr.ClientMetadataAppNameTooLarge,
			"The 'application.name' field must be less then or equal to %d bytes in the client metadata document", maxAppName)
	}
	op.conn.introduce(name.Str(), client.Doc())
	return nil
}
