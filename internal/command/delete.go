package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// deleteCommand {delete: <collection>, deletes: [{q, limit, hint, collation}], ordered, let} removes documents, each in a commit
// of its own.
func deleteCommand(op *operation) error {
	var coll string
	var inBody, let bsonraw.Doc
	w := newWriter(op)
	defer w.release()
	err := op.arguments(func(name string, a argument) error {
		if ok, err := w.argument(name, a); ok {
			return err
		}
		switch name {
		case "delete":
			return written(a, &coll)
		case "deletes":
			return a.array(&inBody)
		case "let":
			return a.doc(&let)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	statements, err := w.sequence("deletes", inBody)
	if err != nil {
		return err
	}
	if err := w.checkStatementIDs(len(statements)); err != nil {
		return err
	}
	// A statement that cannot be read fails the command, before any is executed.
	for _, d := range statements {
		stmt := deleteStatement{writer: w}
		if err := stmt.parse(d); err != nil {
			return err
		}
	}
	coll, _, err = changesSeries(op, coll)
	if err != nil {
		return err
	}
	op.server.counters.deleted.Add(int64(len(statements)))
	for i, d := range statements {
		w.final = i == len(statements)-1
		stmt := deleteStatement{writer: w, stmtID: w.statement(i), coll: coll}
		err := stmt.parse(d)
		if err == nil {
			err = stmt.run(let)
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
	return w.reply(false)
}

// deleteStatement is one statement of a delete command.
type deleteStatement struct {
	*writer
	stmtID int32
	coll   string

	q     bsonraw.Doc
	limit int64
	hint  bsonraw.Value
	by    bsonraw.Doc // collation
}

func (s *deleteStatement) parse(d bsonraw.Doc) error {
	s.limit = -1
	once := mqlargument.NewOnce("delete.deletes", d)
	for it := d.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		a := argument{s.op, "deletes." + string(it.Key()), it.Value()}
		var err error
		switch string(it.Key()) {
		case "q":
			err = a.doc(&s.q)
		case "limit":
			if err = a.integer(&s.limit); err == nil && s.limit != 0 && s.limit != 1 {
				err = mongoerr.New(mongoerr.FailedToParse, "The limit field in delete objects must be 0 or 1. Got %d", s.limit)
			}
		case "hint":
			s.hint = a.Value
			err = checkHint(s.hint)
		case "sampleId":
		case "collation":
			err = a.doc(&s.by)
		default:
			err = a.unknown()
		}
		if err != nil {
			return err
		}
	}
	if s.q == nil || s.limit < 0 {
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'delete.deletes.q' or 'delete.deletes.limit' is missing but a required field")
	}
	return nil
}

// run executes the statement, or counts what an earlier attempt of it did.
func (s *deleteStatement) run(let bsonraw.Doc) error {
	if _, ok := s.op.executed(s.stmtID); ok {
		s.n++
		s.retried = append(s.retried, s.stmtID)
		return nil
	}
	m := modification{writer: s.writer, coll: s.coll, hint: s.hint, stmtID: s.stmtID, multi: s.limit == 0}
	if m.multi && s.op.session != nil {
		return mongoerr.New(mongoerr.InvalidOptions, "Cannot use retryable writes with limit=0")
	}
	collation, err := givenCollation(s.by)
	if err != nil {
		return err
	}
	scope, err := s.op.scope(s.coll, collation, let)
	if err != nil {
		return err
	}
	if m.filter, err = filter.Compile(s.q, filter.Options{Scope: scope}); err != nil {
		return err
	}
	result, err := m.run()
	if err != nil {
		return err // what it deleted before is deleted, but not counted
	}
	s.n += result.matched
	return nil
}
