package command

import (
	"maps"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/oplog"
)

// topKinds are the kinds of commands that top tells apart. The last one is for all others.
var topKinds = [...]string{"queries", "getmore", "insert", "update", "remove", "commands"}

// topKind returns the kind of a command.
func topKind(command string) int {
	switch command {
	case "find":
		return 0
	case "getMore":
		return 1
	case "insert":
		return 2
	case "update":
		return 3
	case "delete":
		return 4
	}
	return len(topKinds) - 1
}

// top {top: 1} tells how often and how long each collection was used since the server was started.
func top(op *operation) error {
	if err := noArguments(op); err != nil {
		return err
	}
	u := &op.server.usages
	u.mu.RLock()
	used := maps.Clone(u.byNS)
	u.mu.RUnlock()
	catalog := op.server.store.Catalog()
	out, at := bsonraw.BeginElem(op.out, bsonraw.TypeDocument, "totals")
	out = bsonraw.AppendString(out, "note", "all times in microseconds")
	for _, ns := range slices.Sorted(maps.Keys(used)) {
		if db, coll := oplog.SplitNS([]byte(ns)); catalog.Collection(string(db), string(coll)) != nil {
			out = used[ns].appendTo(out, ns)
		}
	}
	op.out = bsonraw.EndDoc(out, at)
	return nil
}

func (u *usage) appendTo(out []byte, ns string) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, ns)
	reads, writes := u.reads.ops.Load(), u.writes.ops.Load()
	readMicros, writeMicros := u.reads.micros.Load(), u.writes.micros.Load()
	out = appendEffort(out, "total", reads+writes+u.commands.ops.Load(), readMicros+writeMicros+u.commands.micros.Load())
	out = appendEffort(out, "readLock", reads, readMicros)
	out = appendEffort(out, "writeLock", writes, writeMicros)
	for i, kind := range topKinds {
		out = appendEffort(out, kind, u.byKind[i].ops.Load(), u.byKind[i].micros.Load())
	}
	return bsonraw.EndDoc(out, at)
}

func appendEffort(out []byte, name string, ops, micros int64) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, name)
	out = bsonraw.AppendValue(out, "time", numberValue(micros))
	out = bsonraw.AppendValue(out, "count", numberValue(ops))
	return bsonraw.EndDoc(out, at)
}
