package command

import (
	"context"
	"errors"
	"io"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/store"
)

// writesTo returns an operation on behalf of another that writes to a database: what the stages of a pipeline write is no statement
// of a retryable write, and no answer to the client.
func writesTo(op *operation, db string) *operation {
	w := *op
	w.db, w.session, w.wantUUID, w.cleanup, w.wrote = db, nil, nil, nil, writes{stage: true}
	return &w
}

// replacement is a $out under way. The documents go into a temporary collection, which takes the target's place when all are there.
type replacement struct {
	op      *operation
	env     *environment
	to      aggregation.Namespace
	target  *store.Collection // as it was in the beginning; nil when there was none
	name    string            // of the temporary collection
	writer  *writer
	pending []bsonraw.Doc
	size    int
}

// Replace makes the documents of src the content of a collection. It keeps its options and indexes.
func (e *environment) Replace(ctx context.Context, ns aggregation.Namespace, src aggregation.Source) error {
	r := replacement{op: writesTo(e.op, ns.DB), env: e, to: ns, name: "tmp.agg_out." + uuidText(newUUID())}
	if err := r.begin(); err != nil {
		return err
	}
	e.op.writeConcern.due = true
	err := r.fill(ctx, src)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		clean := writesTo(r.op, ns.DB)
		clean.ctx = context.WithoutCancel(ctx)
		_, _, dropErr := dropCollection(clean, r.name)
		return errors.Join(err, dropErr)
	}
	return e.settle(r.op)
}

// settle waits for what a getMore wrote: it has no write concern of its own. An aggregate waits at its end.
func (e *environment) settle(op *operation) error {
	e.op.wrote.last = max(e.op.wrote.last, e.last.Last)
	if op.cmd.name == "aggregate" {
		return nil
	}
	return op.server.store.WaitDurable(op.ctx, e.last.Last)
}

// begin creates the temporary collection as the target is.
func (r *replacement) begin() error {
	if err := checkNewCollection(r.to.DB, r.to.Coll); err != nil {
		return mongoerr.New(mongoerr.IllegalOperation, "error with target namespace: %s", mongoerr.From(err).Msg)
	}
	if err := refuseView(r.op, r.to.DB, r.to.Coll); err != nil {
		return err
	}
	r.target = r.op.server.store.Catalog().Collection(r.to.DB, r.to.Coll)
	r.writer = newWriter(r.op)
	r.writer.ordered, r.writer.bypass = false, r.env.bypass
	temporary := bsonraw.BoolValue(true)
	if r.target == nil {
		options := withOption(bsonraw.Empty, "temp", temporary)
		_, _, err := createCollection(r.op, r.to.DB, r.name, newCollection{options: options, idIndex: idIndexSpec})
		return err
	}
	if r.target.Cap != nil {
		return mongoerr.New(17152, "namespace '%s' is capped so it can't be used for $out", r.to)
	}
	like := copying{
		op: r.op, from: r.target, db: r.to.DB, name: r.name, options: withOption(r.target.Options, "temp", temporary), indexes: true,
	}
	_, err := like.create()
	return err
}

// fill inserts the documents.
func (r *replacement) fill(ctx context.Context, src aggregation.Source) error {
	for {
		doc, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			return r.flush()
		}
		if err != nil {
			return err
		}
		r.pending = append(r.pending, doc.Clone())
		if r.size += len(doc); len(r.pending) >= groupDocs || r.size >= groupBytes {
			if err := r.flush(); err != nil {
				return err
			}
		}
	}
}

func (r *replacement) flush() error {
	w := r.writer
	for next := 0; next < len(r.pending); {
		var err error
		if next, _, err = w.insertGroup(r.name, r.pending, next); err != nil {
			return err
		}
	}
	r.pending, r.size = r.pending[:0], 0
	if len(w.errs) > 0 {
		return w.errs[0].err
	}
	return nil
}

// end gives the temporary collection the target's name. A target that was changed meanwhile is not replaced.
func (r *replacement) end() error {
	move := rename{
		from: r.to.DB + "." + r.name, to: r.to.String(), db: r.to.DB, source: r.name, toDB: r.to.DB, target: r.to.Coll, dropTarget: true,
	}
	for {
		if now := r.op.server.store.Catalog().Collection(r.to.DB, r.to.Coll); now != r.target && !r.sameShape(now) {
			return mongoerr.New(mongoerr.CommandFailed, "collection options or indexes of target collection %s changed during processing", r.to)
		}
		commit, done, err := move.run(r.op)
		if err != nil {
			return err
		}
		if done {
			r.env.last = commit
			return nil
		}
	}
}

// sameShape reports whether a collection has the options and indexes that the target had in the beginning.
func (r *replacement) sameShape(now *store.Collection) bool {
	if now == nil || r.target == nil {
		return now == nil && r.target == nil
	}
	if !sameOptions(now.Options, r.target.Options) || len(now.Indexes) != len(r.target.Indexes) {
		return false
	}
	for i, x := range now.Indexes {
		if string(x.Spec) != string(r.target.Indexes[i].Spec) {
			return false
		}
	}
	return true
}

// dropTemporary drops the collections that were on their way to another name when the server ended.
func dropTemporary(ctx context.Context, s *Server) error {
	for _, c := range s.store.Catalog().Collections("") {
		if !c.Options.Lookup("temp").Truthy() {
			continue
		}
		op := &operation{ctx: ctx, server: s, view: s.store, target: s.store, generic: generic{db: c.DB}}
		if _, _, err := dropCollection(op, c.Name); err != nil {
			return err
		}
	}
	return nil
}
