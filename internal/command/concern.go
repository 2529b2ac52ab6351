package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// writeConcern says when a write is acknowledged. On one node "majority", the default, means durable.
type writeConcern struct {
	present  bool   // an argument of the command
	given    bool   // with a w
	nodes    int64  // w as a number
	tag      string // w as a name
	journal  bool
	wtimeout int64
}

func (g *generic) parseWriteConcern(v bsonraw.Value) error {
	if v.Type != bsonraw.TypeDocument {
		return g.wrongType("writeConcern", v, "object")
	}
	wc := &g.writeConcern
	wc.present = true
	for it := v.Doc().Iter(); it.Next(); {
		v := it.Value()
		switch string(it.Key()) {
		case "w":
			if err := wc.parseW(v); err != nil {
				return err
			}
		case "j", "fsync":
			wc.journal = wc.journal || v.Truthy()
		case "wtimeout":
			wc.wtimeout, _ = v.AsInt64()
		case "provenance", "getLastError", "wOptime", "wElectionId":
		default:
			return mongoerr.New(mongoerr.IDLUnknownField, "BSON field 'WriteConcernIdl.%s' is an unknown field.", it.Key())
		}
	}
	if wc.given && wc.tag == "" && wc.nodes == 0 && wc.journal {
		return mongoerr.New(mongoerr.FailedToParse, "cannot use j:true together with w:0")
	}
	return nil
}

func (wc *writeConcern) parseW(v bsonraw.Value) error {
	wc.given = true
	switch {
	case v.Type.IsNumber():
		wc.nodes, _ = v.AsInt64()
		if wc.nodes < 0 || wc.nodes > 50 {
			return mongoerr.New(mongoerr.FailedToParse, "w has to be a non-negative number and not greater than 50; found: %d", wc.nodes)
		}
	case v.Type == bsonraw.TypeString:
		wc.tag = v.Str()
	default:
		return mongoerr.New(mongoerr.FailedToParse, "w has to be a number or string; found: %s", v.Type.Name())
	}
	return nil
}

// acknowledge waits as the write concern asks for. What it asks for and one node cannot give becomes a writeConcernError in
// the reply, beside the write's result.
func (op *operation) acknowledge(c store.Commit) error {
	if op.transaction != nil && !op.cmd.endsTxn {
		return nil // the commit is what is acknowledged
	}
	wc := op.writeConcern
	op.wrote = max(op.wrote, c.Last)
	if !wc.given || wc.tag != "" || wc.journal || wc.nodes > 1 {
		// A write that changed nothing still waits for what it saw.
		if err := op.server.store.WaitDurable(op.ctx, max(c.Last, op.seen())); err != nil {
			return err
		}
	}
	switch {
	case wc.tag != "" && wc.tag != "majority":
		op.appendConcernError(mongoerr.New(mongoerr.UnknownReplWriteConcern, "No write concern mode named '%s' found in replica set configuration", wc.tag))
	case wc.nodes > 1:
		op.appendConcernError(mongoerr.New(mongoerr.UnsatisfiableWriteConcern, "Not enough data-bearing nodes"))
	}
	return nil
}

// seen is what a write that changed nothing may have seen.
func (op *operation) seen() oplog.Timestamp {
	if op.wrote == 0 {
		return op.server.store.Applied()
	}
	return op.wrote
}

// appendTo appends the element writeConcern, as the client gave it.
func (wc *writeConcern) appendTo(out []byte) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "writeConcern")
	if wc.tag != "" {
		out = bsonraw.AppendString(out, "w", wc.tag)
	} else {
		out = bsonraw.AppendInt32(out, "w", int32(wc.nodes))
	}
	if wc.journal {
		out = bsonraw.AppendBool(out, "j", true)
	}
	out = bsonraw.AppendInt32(out, "wtimeout", int32(wc.wtimeout))
	out = bsonraw.AppendString(out, "provenance", "clientSupplied")
	return bsonraw.EndDoc(out, at)
}

func (op *operation) appendConcernError(e *mongoerr.Error) {
	r, wc := &op.reply, &op.writeConcern
	var at int
	r.out, at = bsonraw.BeginElem(r.out, bsonraw.TypeDocument, "writeConcernError")
	r.out = bsonraw.AppendInt32(r.out, "code", int32(e.Code))
	r.out = bsonraw.AppendString(r.out, "codeName", e.Code.Name())
	r.out = bsonraw.AppendString(r.out, "errmsg", e.Msg)
	info, infoAt := bsonraw.BeginElem(r.out, bsonraw.TypeDocument, "errInfo")
	info = wc.appendTo(info)
	r.out = bsonraw.EndDoc(bsonraw.EndDoc(info, infoAt), at)
}
