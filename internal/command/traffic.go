package command

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// traffic counts what clients asked for and what became of it.
type traffic struct {
	requests, bytesIn, bytesOut atomic.Int64
	broken, refused             atomic.Int64 // commands that failed by the server's fault, and by another
	byCommand                   map[string]*commandCount
}

// commandCount is how often a command was executed and how often it failed.
type commandCount struct{ total, failed atomic.Int64 }

func (t *traffic) init() {
	t.byCommand = make(map[string]*commandCount, len(table()))
	for _, commands := range []map[string]*command{table(), refused()} {
		for name := range commands {
			t.byCommand[name] = &commandCount{}
		}
	}
}

// messageOverhead is what a message has beside its documents: the header, the flags and the kind of its section.
const messageOverhead = 16 + 4 + 1

// count notes a command that is over; reply is the length of its reply.
func (t *traffic) count(op *operation, err error, reply int) {
	in := messageOverhead + len(op.req.Body)
	for _, s := range op.req.Sequences {
		in += len(s.Docs)
	}
	t.requests.Add(1)
	t.bytesIn.Add(int64(in))
	t.bytesOut.Add(int64(messageOverhead + reply))
	if err != nil {
		if mongoerr.From(err).Code == mongoerr.InternalError {
			t.broken.Add(1)
		} else {
			t.refused.Add(1)
		}
	}
	if op.cmd == nil {
		return
	}
	n := t.byCommand[op.cmd.name]
	n.total.Add(1)
	if err != nil {
		n.failed.Add(1)
	}
}

// appendCommands appends the counts of the commands that were executed.
func (t *traffic) appendCommands(out []byte) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "commands")
	for _, name := range slices.Sorted(maps.Keys(t.byCommand)) {
		n := t.byCommand[name]
		if n.total.Load() == 0 {
			continue
		}
		var one int
		out, one = bsonraw.BeginElem(out, bsonraw.TypeDocument, name)
		out = bsonraw.AppendInt64(out, "failed", n.failed.Load())
		out = bsonraw.AppendInt64(out, "total", n.total.Load())
		out = bsonraw.EndDoc(out, one)
	}
	return bsonraw.EndDoc(out, at)
}

func appendAsserts(op *operation) {
	t := &op.server.traffic
	for _, name := range []string{"regular", "warning", "msg"} {
		op.out = bsonraw.AppendInt32(op.out, name, 0)
	}
	op.out = bsonraw.AppendInt32(op.out, "user", int32(t.refused.Load()))
	op.out = bsonraw.AppendInt32(op.out, "tripwire", int32(t.broken.Load()))
	op.out = bsonraw.AppendInt32(op.out, "rollovers", 0)
}

func appendNetwork(op *operation) {
	t := &op.server.traffic
	op.out = bsonraw.AppendInt64(op.out, "bytesIn", t.bytesIn.Load())
	op.out = bsonraw.AppendInt64(op.out, "bytesOut", t.bytesOut.Load())
	op.out = bsonraw.AppendInt64(op.out, "numRequests", t.requests.Load())
}
