package command

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// fault is what a fail point does, and to which commands: its data, read once.
type fault struct {
	all       bool            // failAllCommands
	commands  map[string]bool // failCommands, by their names in the table
	appName   string          // of the connection; empty: any
	namespace string          // "db.collection"; empty: any

	otherThread bool // threadName: threads have no names here
	block       bool
	blockTime   bsonraw.Value
	closes      bool // closeConnection, false when not given
	keepsOpen   bool // closeConnection: false was given
	code        mongoerr.Code
	errmsg      string
	extra       []byte      // further elements of the error
	labels      []string    // nil when not given
	concern     bsonraw.Doc // writeConcernError
}

func parseFault(data bsonraw.Doc) *fault {
	f := &fault{}
	for it := data.Iter(); it.Next(); {
		f.parseField(string(it.Key()), it.Value())
	}
	return f
}

// parseField reads a field of the data. Like mongod it takes what has the right type and passes over all else.
func (f *fault) parseField(name string, v bsonraw.Value) {
	switch name {
	case "failCommands":
		f.commands = map[string]bool{}
		for _, s := range stringsOf(v) {
			if c := lookupAny([]byte(s)); c != nil {
				f.commands[c.name] = true
			}
		}
	case "failAllCommands":
		f.all = v.Truthy()
	case "appName":
		f.appName = v.Str()
	case "namespace":
		f.namespace = v.Str()
	case "blockConnection":
		f.block = v.Truthy()
	case "blockTimeMS":
		f.blockTime = v
	case "closeConnection":
		if v.Type == bsonraw.TypeBool {
			f.closes, f.keepsOpen = v.Bool(), !v.Bool()
		}
	case "threadName":
		f.otherThread = v.Type == bsonraw.TypeString
	case "errorCode", "failBeforeCommitExceptionCode":
		if n, ok := v.AsInt64(); ok {
			f.code = mongoerr.Code(n)
		}
	case "errmsg":
		f.errmsg = v.Str()
	case "errorExtraInfo":
		if v.Type == bsonraw.TypeDocument {
			f.extra = elements(v.Doc())
		}
	case "errorLabels":
		if v.Type == bsonraw.TypeArray {
			f.labels = stringsOf(v)
		}
	case "writeConcernError":
		if v.Type == bsonraw.TypeDocument {
			f.concern = v.Doc()
		}
	}
}

// elements returns a document's bytes without its length and end.
func elements(d bsonraw.Doc) []byte { return d[4 : len(d)-1] }

// stringsOf returns the strings in an array; never nil.
func stringsOf(v bsonraw.Value) []string {
	list := []string{}
	if v.Type != bsonraw.TypeArray {
		return list
	}
	for it := v.Doc().Iter(); it.Next(); {
		if it.Value().Type == bsonraw.TypeString {
			list = append(list, it.Value().Str())
		}
	}
	return list
}

// matches reports whether failCommand acts on the command.
func (f *fault) matches(op *operation) bool {
	switch {
	case op.cmd.name == "configureFailPoint", f.otherThread:
		return false
	case !f.all && !f.commands[op.cmd.name]:
		return false
	case f.appName != "" && f.appName != applicationOf(op):
		return false
	case f.namespace != "" && f.namespace != op.namespace():
		return false
	}
	return f.block || f.closes || f.code != 0 || f.concern != nil && op.cmd.concerns
}

// applicationOf returns the name of the client's application, in the very command too that tells it.
func applicationOf(op *operation) string {
	if op.conn.appName != "" || !op.cmd.greets {
		return op.conn.appName
	}
	v := op.body.Value()
	for _, name := range []string{"client", "application", "name"} {
		if v.Type != bsonraw.TypeDocument {
			return ""
		}
		v = v.Doc().Lookup(name)
	}
	if v.Type != bsonraw.TypeString {
		return ""
	}
	return v.Str()
}

// namespace returns the namespace that the command names by its first argument, or a getMore by its collection.
func (op *operation) namespace() string { return namespaceOf(op.cmd, op.db, op.body) }

func namespaceOf(cmd *command, db string, body bsonraw.Doc) string {
	if cmd.name == "getMore" {
		return db + "." + body.Lookup("collection").Str()
	}
	it := body.Iter()
	it.Next() // the command itself, without which it would not have been found
	return db + "." + it.Value().Str()
}

// runInto does what the fault does before the command: wait, hang up, or fail.
func runInto(op *operation, f *fault) error {
	if f == nil {
		return nil
	}
	if f.block {
		if err := block(op, f.blockTime); err != nil {
			return err
		}
	}
	switch {
	case f.closes:
		op.hangUp = true
	case f.code != 0:
		op.fault = f
		return f.error("Failing command via 'failCommand' failpoint")
	case f.block && op.maxTime > 0 && !op.cmd.awaits && !time.Now().Before(op.timeLimit()):
		return errTimeLimit
	case f.concern != nil:
		op.fault = f
	}
	return nil
}

func (f *fault) error(msg string) error {
	if f.errmsg != "" {
		msg = f.errmsg
	}
	if !withExtra[f.code] {
		return mongoerr.New(f.code, "%s", msg)
	}
	if f.extra == nil {
		return mongoerr.New(40671, "Missing required extra info for error code %s", f.code.Name())
	}
	return mongoerr.New(f.code, "%s", msg).WithExtra(f.extra)
}

// withExtra are the codes whose errors have further fields; an errorExtraInfo is for them and for nothing else.
var withExtra = map[mongoerr.Code]bool{
	mongoerr.DocumentValidationFailure: true, mongoerr.DuplicateKey: true, mongoerr.StaleConfig: true,
	65: true, 169: true, 227: true, 236: true, 249: true, 271: true, 283: true, 284: true, 304: true, 320: true,
}

// block holds the command up, unless the client goes away or the server stops. As in MongoDB a time limit does not end it: it counts
// from the command's beginning, and is looked at afterwards. So a client's own limit, a little longer than the one that it sends, comes first.
func block(op *operation, millis bsonraw.Value) error {
	if millis.IsMissing() {
		return mongoerr.New(mongoerr.InvalidOptions, "must specify 'blockTimeMS' when 'blockConnection' is true")
	}
	n, ok := millis.AsInt64()
	if !ok || n < 0 {
		return mongoerr.New(mongoerr.InvalidOptions, "'blockTimeMS' must be non-negative")
	}
	ctx, cancel := context.WithCancel(op.ctx)
	defer cancel()
	defer op.conn.info.WatchDisconnect(cancel)()
	timer := time.NewTimer(time.Duration(min(n, math.MaxInt32)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-op.server.stopping.Done():
		return context.Cause(op.server.stopping)
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// appendInjectedConcern appends the writeConcernError of a fail point to the reply of a command that was executed, in the place
// of its own.
func appendInjectedConcern(op *operation) {
	if op.fault == nil || op.fault.concern == nil || op.fault.code != 0 {
		return
	}
	const name = "writeConcernError"
	own := bsonraw.Doc(bsonraw.EndDoc(append([]byte(nil), op.out[op.start:]...), 0))
	op.out = op.out[:op.start+4]
	for it := own.Iter(); it.Next(); {
		if string(it.Key()) != name {
			op.out = append(op.out, it.Elem()...)
		}
	}
	op.out = bsonraw.AppendDoc(op.out, name, op.fault.concern)
	code, _ := op.fault.concern.Lookup("code").AsInt64()
	if op.hasTxnNumber && (!op.txn.in || op.cmd.endsTxn) && mongoerr.Code(code).RetryableWrite() {
		op.labels = append(op.labels, mongoerr.LabelRetryableWrite)
	}
}

// failTimeLimit runs into maxTimeAlwaysTimeOut: an operation that has a time limit is over it.
func failTimeLimit(op *operation) error {
	if op.server.failPoints.byName[failTimeLimits].enter(func(*fault) bool { return true }) != nil {
		return errTimeLimit
	}
	return nil
}

// failGetMore runs into failGetMoreAfterCursorCheckout. The caller ends the cursor when there is an error or op.hangUp is set.
func failGetMore(op *operation) error {
	f := op.server.failPoints.byName[failGetMoreCheckedOut].enter(func(*fault) bool { return true })
	switch {
	case f == nil:
		return nil
	case f.closes:
		op.hangUp = true
		return nil
	case f.code == 0:
		return mongoerr.New(mongoerr.InternalError, "Hit the '%s' failpoint", failGetMoreCheckedOut)
	}
	return f.error("Hit the '" + failGetMoreCheckedOut + "' failpoint")
}

// failRetryable runs into onPrimaryTransactionalWrite: a retryable write calls it once for each statement, right before its
// commit. With an error the statement must not be committed; without, it is, and so are those after it. Either way nobody learns of
// it: the connection is closed in place of a reply, unless the fail point says closeConnection: false.
func failRetryable(op *operation) error {
	if op.session == nil {
		return nil
	}
	f := op.server.failPoints.byName[failTransactionalWrites].enter(func(*fault) bool { return true })
	if f == nil {
		return nil
	}
	op.hangUp = op.hangUp || !f.keepsOpen
	if f.code == 0 {
		return nil
	}
	return f.error(fmt.Sprintf("Failing write for transaction number %d due to failpoint. The write must not be reflected.", op.txnNumber))
}
