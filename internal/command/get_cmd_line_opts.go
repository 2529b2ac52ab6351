package command

import "github.com/sluicestream/sluice/internal/bsonraw"

// getCmdLineOpts {getCmdLineOpts: 1} tells how the server was set up, in the words of mongod's configuration file. argv has the
// program's name only: a host process's arguments are its own. There is no security section, because there is no
// authentication.
func getCmdLineOpts(op *operation) error {
	if err := noArguments(op); err != nil {
		return err
	}
	op.appendList("argv", []bsonraw.Value{bsonraw.StringValue(processName)})
	var parsed, at int
	op.out, parsed = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "parsed")
	op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "replication")
	op.out = bsonraw.AppendString(op.out, "replSet", op.server.cfg.ReplicaSet)
	op.out = bsonraw.EndDoc(op.out, at)
	if op.server.cfg.TestCommands {
		op.out, at = bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "setParameter")
		op.out = bsonraw.AppendString(op.out, "enableTestCommands", "1")
		op.out = bsonraw.EndDoc(op.out, at)
	}
	op.out = bsonraw.EndDoc(op.out, parsed)
	return nil
}

// processName is what the server calls itself beside its version.
const processName = "sluice"
