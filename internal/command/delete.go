package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/filter"
)

// deleteCommand {delete: <collection>, deletes: [{q, limit, hint, collation}], ordered, let} removes documents, each in a commit
// of its own.
func deleteCommand(op *operation) error {
	var coll string
	var inBody, let bsonraw.Doc
	w := newWriter(op)
	err := op.arguments(func(name string, a argument) error {
		if ok, err := w.argument(name, a); ok {
			return err
		}
		switch name {
		case "delete":
			return a.collection(&coll)
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
	statements, err := op.sequence("deletes", inBody)
	if err != nil {
		return err
	}
	op.server.counters.deleted.Add(int64(len(statements)))
	for i, d := range statements {
		err := w.deleteStatement(coll, i, d, let)
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

func (w *writer) deleteStatement(coll string, index int, d, let bsonraw.Doc) error {
	m := modification{writer: w, coll: coll, stmtID: w.statement(index)}
	var q, by bsonraw.Doc // by: collation
	limit := int64(-1)
	for it := d.Iter(); it.Next(); {
		a := argument{w.op, "deletes." + string(it.Key()), it.Value()}
		var err error
		switch string(it.Key()) {
		case "q":
			err = a.doc(&q)
		case "limit":
			if err = a.integer(&limit); err == nil && limit != 0 && limit != 1 {
				err = mongoerr.New(mongoerr.FailedToParse, "The limit field in delete objects must be 0 or 1. Got %d", limit)
			}
		case "hint":
			m.hint = a.Value
		case "sampleId":
		case "collation":
			err = a.doc(&by)
		default:
			err = a.unknown()
		}
		if err != nil {
			return err
		}
	}
	if q == nil || limit < 0 {
		return mongoerr.New(mongoerr.IDLFailedToParse, "BSON field 'delete.deletes.q' or 'delete.deletes.limit' is missing but a required field")
	}
	if r, ok := w.op.executed(m.stmtID); ok {
		w.n += r.Result.Lookup("n").Int32()
		w.retried = append(w.retried, m.stmtID)
		return nil
	}
	m.multi = limit == 0
	if m.multi && w.op.session != nil {
		return mongoerr.New(mongoerr.InvalidOptions, "Cannot use retryable writes with limit=0")
	}
	collation, err := givenCollation(by)
	if err != nil {
		return err
	}
	scope, err := w.op.scope(coll, collation, let)
	if err != nil {
		return err
	}
	if m.filter, err = filter.Compile(q, filter.Options{Scope: scope}); err != nil {
		return err
	}
	result, err := m.run()
	w.n += result.matched
	return err
}
