package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/mql/projection"
	"github.com/sluicestream/sluice/internal/mql/update"
)

// findAndModifyArgs are the arguments of findAndModify.
type findAndModifyArgs struct {
	coll                     string
	query, sort, fields, let bsonraw.Doc
	update, hint             bsonraw.Value
	collation                collationArgument
	arrayFilters             bsonraw.Doc
	remove, returnNew        bool
	upsert                   bool
}

// findAndModify {findAndModify: <collection>, query, sort, update, remove, new, upsert, fields, arrayFilters, hint, let} changes one
// document and answers with it, as it was or as it is now.
func findAndModify(op *operation) error {
	var args findAndModifyArgs
	w := newWriter(op)
	defer w.release()
	w.final = true
	err := op.arguments(func(name string, a argument) error {
		if name == "bypassDocumentValidation" || name == "stmtId" {
			_, err := w.argument(name, a)
			return err
		}
		return args.parse(name, a)
	})
	if err != nil {
		return err
	}
	if err := args.check(); err != nil {
		return err
	}
	op.server.counters.update.Add(1)
	scope, err := op.scope(args.coll, args.collation, args.let)
	if err != nil {
		return err
	}
	m, fields, err := args.compile(w, scope)
	if err != nil {
		return err
	}
	if r, ok := op.executed(m.stmtID); ok {
		if err := args.checkRetried(r.Result); err != nil {
			return err
		}
		op.out = append(op.out, elements(r.Result)...)
		op.out = bsonraw.AppendInt32(op.out, "retriedStmtId", m.stmtID)
		return op.acknowledge(w.last)
	}
	if op.explaining == nil {
		defer m.update.Release()
	}
	answer := famAnswer{op: op, args: &args, fields: fields, filter: m.filter}
	m.result = answer.build
	done, err := m.run()
	if err == nil && m.answer == nil { // nothing was written
		m.answer, err = answer.build(done)
	}
	if err != nil {
		return err
	}
	op.out = append(op.out, elements(m.answer)...)
	return op.acknowledge(w.last)
}

func (f *findAndModifyArgs) parse(name string, a argument) error {
	switch name {
	case "findAndModify":
		return written(a, &f.coll)
	case "query":
		return a.doc(&f.query)
	case "sort":
		return a.doc(&f.sort)
	case "fields":
		return a.doc(&f.fields)
	case "let":
		return a.doc(&f.let)
	case "update":
		f.update = a.Value
	case "hint":
		f.hint = a.Value
		return checkHint(f.hint)
	case "arrayFilters":
		return a.array(&f.arrayFilters)
	case "remove":
		return a.flag(&f.remove)
	case "new":
		return a.flag(&f.returnNew)
	case "upsert":
		return a.flag(&f.upsert)
	case "collation":
		return a.collation(&f.collation)
	case "batchSize": // drivers of old said it
		return statementID(a, new(int32))
	case "singleBatch":
		return a.strictFlag(new(bool))
	case "runtimeConstants", "sampleId":
		return nil
	default:
		return a.unknown()
	}
	return nil
}

func (f *findAndModifyArgs) check() error {
	switch {
	case f.remove && !f.update.IsMissing():
		return mongoerr.New(mongoerr.FailedToParse, "Cannot specify both an update and remove=true")
	case f.remove && f.upsert:
		return mongoerr.New(mongoerr.FailedToParse, "Cannot specify both upsert=true and remove=true")
	case f.remove && f.returnNew:
		return mongoerr.New(mongoerr.FailedToParse, "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document")
	case !f.remove && f.update.IsMissing():
		return mongoerr.New(mongoerr.FailedToParse, "Either an update or remove=true must be specified")
	case f.remove && f.arrayFilters != nil:
		return mongoerr.New(mongoerr.FailedToParse, "Cannot specify arrayFilters and remove=true")
	}
	return nil
}

func (f *findAndModifyArgs) compile(w *writer, scope *expression.Scope) (m *modification, fields *projection.Projection, err error) {
	m = &modification{writer: w, coll: f.coll, stmtID: w.statement(0), hint: f.hint, upsert: f.upsert}
	// Of two errors that of the update counts, as in MongoDB.
	if !f.remove {
		if m.update, err = update.Compile(f.update, update.Options{ArrayFilters: f.arrayFilters, Scope: scope}); err != nil {
			return nil, nil, err
		}
		m.update.StopWith(w.op.ctx)
	}
	if m.filter, err = filter.Compile(f.query, filter.Options{Scope: scope, Upsert: f.upsert}); err != nil {
		return nil, nil, err
	}
	_, natural, err := ordering.Natural(f.sort)
	switch {
	case err != nil:
		return nil, nil, err
	case natural && m.hint.IsMissing():
		m.hint = f.sort.Value()
	case !natural && !f.sort.IsEmpty():
		if m.sort, err = ordering.Compile(f.sort, scope.Collation()); err != nil {
			return nil, nil, err
		}
	}
	if !f.fields.IsEmpty() {
		fields, m.refused = f.compileFields(m.filter, scope)
	}
	return m, fields, nil
}

func (f *findAndModifyArgs) compileFields(of *filter.Filter, scope *expression.Scope) (*projection.Projection, error) {
	fields, err := projection.CompileFind(f.fields, scope)
	switch {
	case err != nil:
		return nil, err
	case !fields.Positional():
		return fields, nil
	case f.returnNew:
		return nil, mongoerr.New(mongoerr.BadValue, "Cannot use a positional projection and return the new document")
	}
	return fields, of.CheckPosition()
}

// famAnswer makes the answer, which is also what a repeated command gives.
type famAnswer struct {
	op     *operation
	args   *findAndModifyArgs
	fields *projection.Projection
	filter *filter.Filter
}

// build makes the answer. Where a document cannot be projected it is as it is in the answer, which is for a command that repeats this
// one, as in MongoDB.
func (f *famAnswer) build(done modified) (bsonraw.Doc, error) {
	out, at := bsonraw.BeginDoc(nil)
	var last int
	out, last = bsonraw.BeginElem(out, bsonraw.TypeDocument, "lastErrorObject")
	upserted := !done.upsertedID.IsMissing()
	out = bsonraw.AppendInt32(out, "n", max(done.matched, b2i(upserted)))
	if !f.args.remove {
		out = bsonraw.AppendBool(out, "updatedExisting", done.matched > 0)
		out = bsonraw.AppendValue(out, "upserted", done.upsertedID)
	}
	out = bsonraw.EndDoc(out, last)
	value := done.old
	if f.args.returnNew {
		value = done.new
	}
	if value == nil {
		return bsonraw.EndDoc(bsonraw.AppendNull(out, "value"), at), nil
	}
	out = bsonraw.AppendHeader(out, bsonraw.TypeDocument, "value")
	projected, err := f.project(out, value)
	if err != nil {
		projected = append(out, value...)
	}
	return bsonraw.EndDoc(projected, at), err
}

func (f *famAnswer) project(out []byte, doc bsonraw.Doc) ([]byte, error) {
	if f.fields == nil {
		return append(out, doc...), nil
	}
	ctx := evaluation(f.op)
	position := -1
	if f.fields.Positional() {
		var err error
		if _, position, err = f.filter.Position(ctx, doc); err != nil {
			return nil, err
		}
	}
	return f.fields.AppendAt(out, ctx, doc, position)
}
