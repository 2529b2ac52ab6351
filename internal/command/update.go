package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/update"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// updateCommand {update: <collection>, updates: [{q, u, upsert, multi, arrayFilters, hint, collation}], ordered, let} changes
// documents, each in a commit of its own.
func updateCommand(op *operation) error {
	var coll string
	var inBody, let bsonraw.Doc
	w := newWriter(op)
	defer w.release()
	err := op.arguments(func(name string, a argument) error {
		if ok, err := w.argument(name, a); ok {
			return err
		}
		switch name {
		case "update":
			return written(a, &coll)
		case "updates":
			return a.array(&inBody)
		case "let":
			return a.doc(&let)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	statements, err := w.sequence("updates", inBody)
	if err != nil {
		return err
	}
	if err := w.checkStatementIDs(len(statements)); err != nil {
		return err
	}
	// A statement that cannot be read fails the command, before any is executed.
	for _, s := range statements {
		stmt := updateStatement{writer: w}
		if err := stmt.parse(s); err != nil {
			return err
		}
	}
	coll, series, err := changesSeries(op, coll)
	if err != nil {
		return err
	}
	op.server.counters.update.Add(int64(len(statements)))
	for i, s := range statements {
		w.final = i == len(statements)-1
		stmt := updateStatement{writer: w, index: i, stmtID: w.statement(i), coll: coll, series: series}
		err := stmt.parse(s)
		if err == nil {
			if err = stmt.compile(let); err == nil {
				err = stmt.run()
			} else if stmt.upsert {
				err = stmt.failUpsert(err)
			}
		}
		if err == nil {
			continue
		}
		goOn, fatal := w.fail(i, err)
		if fatal != nil {
			return fatal
		}
		if !goOn {
			break
		}
	}
	return w.reply(true)
}

// updateStatement is one statement of an update command.
type updateStatement struct {
	*writer
	index  int
	stmtID int32
	coll   string
	series *store.Series // nil for a collection of other documents

	q            bsonraw.Doc
	u            bsonraw.Value
	multi        bool
	upsert       bool
	hint         bsonraw.Value
	by           bsonraw.Doc // collation
	arrayFilters bsonraw.Doc
	constants    bsonraw.Doc // c: variables of a pipeline
	filter       *filter.Filter
	update       *update.Update
}

func (s *updateStatement) parse(d bsonraw.Doc) error {
	once := mqlargument.NewOnce("update.updates", d)
	for it := d.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		v := it.Value()
		if v.Type == bsonraw.TypeNull {
			continue
		}
		name, full := statementField(it.Key())
		if err := s.parseField(name, argument{s.op, full, v}); err != nil {
			return err
		}
	}
	if s.q == nil || s.u.IsMissing() {
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'update.updates.q' or 'update.updates.u' is missing but a required field")
	}
	return nil
}

// statementField is the name of a statement's field, and the one that it has in messages. Those that most statements have take no memory.
func statementField(key []byte) (name, full string) {
	switch string(key) {
	case "q":
		return "q", "updates.q"
	case "u":
		return "u", "updates.u"
	case "multi":
		return "multi", "updates.multi"
	case "upsert":
		return "upsert", "updates.upsert"
	}
	return string(key), "updates." + string(key)
}

func (s *updateStatement) parseField(name string, a argument) error {
	switch name {
	case "q":
		return a.doc(&s.q)
	case "u":
		if a.Type != bsonraw.TypeDocument && a.Type != bsonraw.TypeArray {
			return mongoerr.New(mongoerr.FailedToParse, "Update argument must be either an object or an array")
		}
		s.u = a.Value
		if a.Type == bsonraw.TypeArray {
			return aggregation.CheckNames(a.Value.Doc())
		}
		return nil
	case "multi":
		return a.strictFlag(&s.multi)
	case "upsert":
		return a.strictFlag(&s.upsert)
	case "hint":
		s.hint = a.Value
		return checkHint(s.hint)
	case "arrayFilters":
		if err := a.array(&s.arrayFilters); err != nil {
			return err
		}
		return a.documents()
	case "sampleId", "upsertSupplied":
		return nil
	case "c":
		return a.doc(&s.constants)
	case "collation":
		return a.doc(&s.by)
	case "sort":
		return a.unsupported()
	}
	return a.unknown()
}

func (s *updateStatement) compile(let bsonraw.Doc) (err error) {
	if s.series != nil {
		if err := s.checkSeries(); err != nil {
			return err
		}
	}
	by, err := givenCollation(s.by)
	if err != nil {
		return err
	}
	scope, err := s.op.scope(s.coll, by, let)
	if err != nil {
		return err
	}
	// Of two errors that of the update counts, as in MongoDB.
	withConstants := scope
	if s.constants != nil {
		if s.u.Type != bsonraw.TypeArray {
			return mongoerr.New(51198, "Constant values may only be specified for pipeline updates")
		}
		for it := s.constants.Iter(); it.Next(); {
			withConstants = withConstants.WithConstant(string(it.Key()), it.Value())
		}
	}
	s.update, err = update.Compile(s.u, update.Options{ArrayFilters: s.arrayFilters, Scope: withConstants})
	if err != nil {
		return err
	}
	s.update.StopWith(s.op.ctx)
	if s.multi && s.update.IsReplacement() {
		return mongoerr.New(mongoerr.FailedToParse, "multi update is not supported for replacement-style update")
	}
	if s.multi && s.op.session != nil {
		return mongoerr.New(mongoerr.InvalidOptions, "Cannot use retryable writes with multi=true")
	}
	s.filter, err = filter.Compile(s.q, filter.Options{Scope: scope, Upsert: s.upsert})
	return err
}

// failUpsert makes the collection of an upsert that fails with err because of how it is written, as MongoDB does before it reads that.
func (s *updateStatement) failUpsert(err error) error {
	if s.op.transaction == nil && s.op.explaining == nil {
		_, unlock, lockErr := s.op.lockedOrNew(s.coll)
		if lockErr != nil {
			return lockErr
		}
		unlock()
	}
	return err
}

// run executes the statement, or counts what an earlier attempt of it did.
func (s *updateStatement) run() error {
	if r, ok := s.op.executed(s.stmtID); ok {
		return s.countRetried(r.Result)
	}
	m := modification{writer: s.writer, coll: s.coll, filter: s.filter, hint: s.hint, stmtID: s.stmtID, multi: s.multi, upsert: s.upsert, update: s.update}
	result, err := m.run()
	if s.op.explaining == nil {
		s.update.Release()
	}
	if err != nil {
		return err // what it changed before is changed, but not counted
	}
	s.n += result.matched
	s.modified += result.modified
	if !result.upsertedID.IsMissing() {
		s.n++
		s.upserted = append(s.upserted, upserted{s.index, result.upsertedID})
	}
	return nil
}

// countRetried adds what the record of an executed statement says.
func (s *updateStatement) countRetried(result bsonraw.Doc) error {
	what, id := retriedWrite(result)
	switch {
	case what == oplog.Delete:
		return mongoerr.New(mismatchedRetry, "update retry request is not compatible with the previous write of its number, which was a delete")
	case what == oplog.Update:
		s.modified++
	case !id.IsMissing():
		s.upserted = append(s.upserted, upserted{s.index, id})
	}
	s.n++
	s.retried = append(s.retried, s.stmtID)
	return nil
}
