package changestream

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// The commands that an oplog entry of kind "c" may hold; its first field is the command's name.
const (
	commandCreate           = "create"
	commandDrop             = "drop"
	commandRename           = "renameCollection"
	commandDropDatabase     = "dropDatabase"
	commandCreateIndexes    = "createIndexes"
	commandCommitIndexBuild = "commitIndexBuild"
	commandDropIndexes      = "dropIndexes"
	commandModify           = "collMod"
	commandTransaction      = "applyOps"
)

// readCommand makes an event of a command's entry.
func (c *change) readCommand(op *operation, scratch []byte) (bool, []byte) {
	it := op.o.Iter()
	if !it.Next() {
		return false, scratch
	}
	name, arg := it.Key(), it.Value()
	if string(name) == commandDropDatabase {
		c.kind, c.coll, c.hasUUID = kindDropDatabase, nil, false
		return true, scratch
	}
	if arg.Type != bsonraw.TypeString {
		return false, scratch
	}
	c.coll = arg.Bytes()
	switch string(name) {
	case commandDrop:
		c.kind = kindDrop
	case commandRename:
		return c.readRename(op, scratch)
	case commandCreate:
		c.kind = kindCreate
		c.description, scratch = withoutField(scratch, op.o, commandCreate)
	case commandCreateIndexes:
		c.kind = kindCreateIndexes
		var spec bsonraw.Doc
		spec, scratch = withoutField(scratch, op.o, commandCreateIndexes)
		c.description, scratch = indexList(scratch, spec)
	case commandCommitIndexBuild:
		c.kind = kindCreateIndexes
		begin := len(scratch)
		out, at := bsonraw.BeginDoc(scratch)
		out = bsonraw.AppendValue(out, "indexes", op.o.Lookup("indexes"))
		scratch = bsonraw.EndDoc(out, at)
		c.description = scratch[begin:]
	case commandDropIndexes:
		c.kind = kindDropIndexes
		c.description, scratch = indexList(scratch, op.o2)
	case commandModify:
		return c.readModify(op, scratch)
	default:
		return false, scratch
	}
	return true, scratch
}

func (c *change) readRename(op *operation, scratch []byte) (bool, []byte) {
	to := op.o.Lookup("to")
	if to.Type != bsonraw.TypeString {
		return false, scratch
	}
	c.kind, c.to = kindRename, to.Bytes()
	c.db, c.coll = oplog.SplitNS(c.coll)
	begin := len(scratch)
	out, at := bsonraw.BeginDoc(scratch)
	out = appendNamespace(out, "to", c.to)
	if target := op.o.Lookup("dropTarget"); target.Type == bsonraw.TypeBinary {
		out = bsonraw.AppendValue(out, "dropTarget", target)
	}
	scratch = bsonraw.EndDoc(out, at)
	c.description = scratch[begin:]
	return true, scratch
}

func (c *change) readModify(op *operation, scratch []byte) (bool, []byte) {
	c.kind = kindModify
	c.description, scratch = withoutField(scratch, op.o, commandModify)
	if op.o2 == nil {
		return true, scratch
	}
	begin := len(scratch)
	out, at := bsonraw.BeginDoc(scratch)
	out = bsonraw.AppendValue(out, "collectionOptions", op.o2.Lookup("collectionOptions_old"))
	out = bsonraw.AppendValue(out, "indexOptions", op.o2.Lookup("indexOptions_old"))
	scratch = bsonraw.EndDoc(out, at)
	c.before = scratch[begin:]
	return true, scratch
}

// indexList builds {indexes: [spec]}.
func indexList(scratch []byte, spec bsonraw.Doc) (bsonraw.Doc, []byte) {
	begin := len(scratch)
	out, at := bsonraw.BeginDoc(scratch)
	out = bsonraw.AppendHeader(out, bsonraw.TypeArray, "indexes")
	list := bsonraw.BeginArray(out)
	if spec != nil {
		list.AppendDoc(spec)
	}
	scratch = bsonraw.EndDoc(list.End(), at)
	return bsonraw.Doc(scratch[begin:]), scratch
}
