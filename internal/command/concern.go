package command

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// writeConcern says when a write is acknowledged. On one node "majority", the default, means durable.
type writeConcern struct {
	present  bool        // it is an argument of the command
	given    bool        // it has a w
	nodes    int64       // w as a number
	named    bool        // w is a name
	mode     string      // that name
	tags     bsonraw.Doc // w as numbers of nodes by tag
	sync     string      // "j" or "fsync" where one is given
	journal  bool        // its value
	wtimeout int32
	source   string // provenance, where it is given
	due      bool   // the command has come to where it would write: from there on a failure does not hide what is unmet
}

func (g *generic) parseWriteConcern(v bsonraw.Value) error {
	if v.Type != bsonraw.TypeDocument {
		return g.wrongType("writeConcern", v, "object")
	}
	wc := &g.writeConcern
	wc.present = true
	once := mqlargument.NewOnce("WriteConcernOptions", v.Doc())
	for it := v.Doc().Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		if err := wc.parseField(string(it.Key()), it.Value()); err != nil {
			return err
		}
	}
	return nil
}

func (wc *writeConcern) parseField(name string, v bsonraw.Value) error {
	switch name {
	case "w":
		return wc.parseW(v)
	case "j", "fsync":
		if isNullish(v) {
			return nil
		}
		if v.Type != bsonraw.TypeBool && !v.Type.IsNumber() {
			return mongoerr.New(mongoerr.TypeMismatch, "BSON field 'WriteConcernOptions.%s' is the wrong type '%s', expected types '[bool, long, int, decimal, double']",
				name, v.Type.Name())
		}
		if wc.journal && v.Truthy() {
			return mongoerr.New(mongoerr.FailedToParse, "fsync and j options cannot be used together")
		}
		if !wc.journal {
			wc.sync, wc.journal = name, v.Truthy()
		}
	case "wtimeout":
		if !v.Type.IsNumber() {
			return nil // it means no limit
		}
		n := mqlargument.Whole(v)
		if n > math.MaxInt32 {
			return mongoerr.New(mongoerr.FailedToParse, "wtimeout must be a 32-bit integer; found: %d", n)
		}
		wc.wtimeout = int32(max(n, math.MinInt32))
	case "provenance":
		return parseProvenance("WriteConcernOptions", v, &wc.source)
	case "getLastError", "wOpTime", "wElectionId":
	default:
		return mongoerr.New(mongoerr.IDLUnknownField, "BSON field 'WriteConcernOptions.%s' is an unknown field.", name)
	}
	return nil
}

// maxNodes is the most members that a replica set may have.
const maxNodes = 50

func (wc *writeConcern) parseW(v bsonraw.Value) error {
	wc.given = true
	switch {
	case v.Type.IsNumber():
		n := mqlargument.Whole(v)
		if wc.nodes = n; n < 0 || n > maxNodes {
			return mongoerr.New(mongoerr.FailedToParse, "w has to be a non-negative number and not greater than %d; found: %d", maxNodes, n)
		}
	case v.Type == bsonraw.TypeString, isNullish(v):
		wc.named, wc.mode = true, v.Str()
	case v.Type == bsonraw.TypeDocument:
		return wc.parseTags(v.Doc())
	default:
		return mongoerr.New(mongoerr.FailedToParse, "w has to be a number, string, or object; found: %s", v.Type.Name())
	}
	return nil
}

func (wc *writeConcern) parseTags(d bsonraw.Doc) error {
	if d.IsEmpty() {
		return mongoerr.New(mongoerr.FailedToParse, "tagged write concern requires tags")
	}
	out, at := bsonraw.BeginDoc(nil)
	for it := d.Iter(); it.Next(); {
		if !it.Value().Type.IsNumber() {
			return mongoerr.New(mongoerr.FailedToParse, "tags must be a single level document with only number values; found: %s", it.Key())
		}
		n, _ := it.Value().AsInt64()
		out = bsonraw.AppendInt64(out, string(it.Key()), n)
	}
	wc.tags = bsonraw.EndDoc(out, at)
	return nil
}

// unacknowledged says that the client does not ask for a result.
func (wc *writeConcern) unacknowledged() bool {
	return wc.given && wc.nodes == 0 && !wc.named && wc.tags == nil && !wc.journal
}

// onlyApplied says that the client does not wait until the write is durable.
func (wc *writeConcern) onlyApplied() bool {
	return wc.given && !wc.named && wc.tags == nil && !wc.journal && wc.nodes <= 1
}

// unmet is what the write concern asks for and one node cannot give, or nil.
func (wc *writeConcern) unmet() *mongoerr.Error {
	switch {
	case wc.tags != nil:
		first := wc.tags.Iter()
		first.Next()
		return mongoerr.New(mongoerr.NoSuchKey, "No replica set tag key %s in config", first.Key())
	case wc.named && wc.mode != "majority":
		return mongoerr.New(mongoerr.UnknownReplWriteConcern, "No write concern mode named '%s' found in replica set configuration", wc.mode)
	case wc.nodes > 1:
		return mongoerr.New(mongoerr.UnsatisfiableWriteConcern, "Not enough data-bearing nodes")
	}
	return nil
}

// writes is what a command has written so far.
type writes struct {
	last    oplog.Timestamp
	awaited bool // see writer.await
	stage   bool // a stage of a pipeline writes: its command waits at the end, if it comes there, and others sync what is written until then
}

// leave has others make durable what the command should have waited for and did not: it need not, or it failed.
func (w writes) leave(st *store.Store) {
	if w.awaited && (w.last == 0 || w.last > st.Durable()) {
		st.SyncSoon()
	}
}

// acknowledge waits as the write concern asks for. What it asks for and one node cannot give becomes a writeConcernError in
// the reply, beside the write's result.
func (op *operation) acknowledge(c store.Commit) error {
	if op.transaction != nil && !op.cmd.endsTxn {
		return nil // the commit is what is acknowledged
	}
	wc := &op.writeConcern
	op.wrote.last = max(op.wrote.last, c.Last)
	if !wc.onlyApplied() {
		// A write that changed nothing still waits for what it saw.
		if err := op.server.store.WaitDurable(op.ctx, max(c.Last, op.seen())); err != nil {
			return err
		}
	}
	if e := wc.unmet(); e != nil {
		op.appendConcernError(e)
	}
	return nil
}

// appendUnmet appends, before the error of a command that failed on its way to write, what its write concern asks for in vain.
func appendUnmet(op *operation) {
	if !op.writeConcern.due || op.transaction != nil {
		return
	}
	if e := op.writeConcern.unmet(); e != nil {
		op.appendConcernError(e)
	}
}

// seen is what a write that changed nothing may have seen.
func (op *operation) seen() oplog.Timestamp {
	if op.wrote.last == 0 {
		return op.server.store.Applied()
	}
	return op.wrote.last
}

// appendTo appends the element writeConcern, as the client gave it.
func (wc *writeConcern) appendTo(out []byte) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "writeConcern")
	switch {
	case wc.tags != nil:
		out = bsonraw.AppendDoc(out, "w", wc.tags)
	case wc.named:
		out = bsonraw.AppendString(out, "w", wc.mode)
	default:
		out = bsonraw.AppendInt32(out, "w", int32(wc.nodes))
	}
	if wc.sync != "" {
		out = bsonraw.AppendBool(out, wc.sync, wc.journal)
	}
	out = bsonraw.AppendInt32(out, "wtimeout", wc.wtimeout)
	source := wc.source
	if source == "" {
		source = "clientSupplied"
	}
	out = bsonraw.AppendString(out, "provenance", source)
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

// parseProvenance reads where a concern comes from, as routers say it.
func parseProvenance(where string, v bsonraw.Value, to *string) error {
	if v.Type != bsonraw.TypeString {
		return wrongType(where+".provenance", v, "string")
	}
	switch *to = v.Str(); *to {
	case "clientSupplied", "implicitDefault", "customDefault", "getLastErrorDefaults", "internalWriteDefault":
		return nil
	}
	return mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field '%s.provenance' is not a valid value.", *to, where)
}
