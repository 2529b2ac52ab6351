package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// retriedWrite tells from the record of an executed statement what it was. A client that repeats a statement's number with another
// kind of command gets the answer of that kind for it, as far as there is one. id is that of an upserted document.
func retriedWrite(result bsonraw.Doc) (what oplog.Op, id bsonraw.Value) {
	last := result.Lookup("lastErrorObject")
	switch {
	case result.IsEmpty():
		return oplog.Insert, bsonraw.Value{}
	case last.IsMissing(): // update and delete keep their counts
		if id = result.Lookup("upserted"); !id.IsMissing() {
			return oplog.Insert, id
		}
		if result.Lookup("nModified").Int32() > 0 {
			return oplog.Update, id
		}
		return oplog.Delete, id
	case last.Doc().Lookup("updatedExisting").IsMissing():
		return oplog.Delete, id
	case last.Doc().Lookup("updatedExisting").Bool():
		return oplog.Update, id
	}
	return oplog.Insert, last.Doc().Lookup("upserted")
}

// mismatchedRetry is the code of an update whose number belongs to a delete. It ends the command.
const mismatchedRetry mongoerr.Code = 40638

// checkRetried refuses to answer a findAndModify with the record of something else.
func (f *findAndModifyArgs) checkRetried(result bsonraw.Doc) error {
	what, _ := retriedWrite(result)
	kept := !result.Lookup("lastErrorObject").IsMissing() // with the document to answer with
	var code mongoerr.Code
	switch {
	case what == oplog.Delete && !f.remove:
		code = 40606
	case what == oplog.Delete && !kept:
		code = 40607
	case what == oplog.Insert && (!f.upsert || !kept):
		code = 40608
	case what == oplog.Update && !kept && f.returnNew:
		code = 40611
	case what == oplog.Update && !kept:
		code = 40612
	default:
		return nil
	}
	return mongoerr.New(code, "this findAndModify repeats the number of a write of another kind, which has no answer for it")
}
