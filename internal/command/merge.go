package command

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/update"
)

// merging is a $merge under way. It writes in batches: the error of a document shows when the others of its batch are written.
type merging struct {
	*aggregation.Merge
	op      *operation
	env     *environment
	ctx     expression.Context
	pending []bsonraw.Doc
	size    int
	failed  error
}

// mergeStageNoMatchingDocument is the code of whenNotMatched: "fail".
const mergeStageNoMatchingDocument mongoerr.Code = 13113

// Merge writes the documents of src into a collection.
func (e *environment) Merge(ctx context.Context, spec *aggregation.Merge, src aggregation.Source) error {
	m := merging{Merge: spec, op: writesTo(e.op, spec.To.DB), env: e}
	if err := refuseView(m.op, spec.To.DB, spec.To.Coll); err != nil {
		return err
	}
	for {
		doc, err := src.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = m.take(doc)
		}
		if err != nil {
			return err
		}
	}
	if err := m.flush(); err != nil {
		return err
	}
	return e.settle(m.op)
}

// take puts a document into the batch. One that cannot be told from others is an error at once.
func (m *merging) take(doc bsonraw.Doc) error {
	if slices.Contains(m.On, "_id") && doc.Lookup("_id").IsMissing() {
		with, at := bsonraw.BeginDoc(make([]byte, 0, len(doc)+17))
		with = bsonraw.AppendObjectID(with, "_id", newObjectID())
		doc = bsonraw.EndDoc(append(with, elements(doc)...), at)
	} else {
		doc = doc.Clone()
	}
	for _, field := range m.On {
		switch v := valueAt(doc, field); v.Type {
		case bsonraw.TypeMissing, bsonraw.TypeNull, bsonraw.TypeUndefined:
			return mongoerr.New(51132, "$merge write error: 'on' field '%s' cannot be missing, null, undefined or an array", field)
		case bsonraw.TypeArray:
			return mongoerr.New(51185, "$merge write error: 'on' field '%s' is an array", field)
		}
	}
	if m.size+len(doc) > bsonraw.MaxDocumentSize || len(m.pending) == maxBatch {
		if err := m.flush(); err != nil {
			return err
		}
	}
	m.pending, m.size = append(m.pending, doc), m.size+len(doc)
	return nil
}

// valueAt returns the value to which a path leads through documents alone.
func valueAt(doc bsonraw.Doc, path string) bsonraw.Value {
	v := doc.Value()
	for name := range strings.SplitSeq(path, ".") {
		if v.Type != bsonraw.TypeDocument {
			return bsonraw.Value{}
		}
		v = v.Doc().Lookup(name)
	}
	return v
}

// flush writes the batch.
func (m *merging) flush() error {
	m.env.op.writeConcern.due = true
	unmatched := false
	for _, doc := range m.pending {
		matched, err := m.write(doc)
		switch {
		case err == nil:
			unmatched = unmatched || !matched
		case mongoerr.From(err).Code.Interruption():
			return err
		case m.failed == nil:
			m.failed = err
		}
	}
	m.pending, m.size = m.pending[:0], 0
	if m.failed == nil && unmatched && m.WhenNotMatched == "fail" {
		return mongoerr.New(mergeStageNoMatchingDocument,
			"$merge could not find a matching document in the target collection for at least one document in the source collection")
	}
	return m.explain(m.failed)
}

// explain says of an error what it means here.
func (m *merging) explain(err error) error {
	switch {
	case mongoerr.Is(err, mongoerr.ImmutableField):
		return mongoerr.From(err).Prefix("$merge failed to update the matching document, did you attempt to modify the _id or the shard key? :: caused by :: ")
	case mongoerr.Is(err, mongoerr.DuplicateKey) && m.WhenMatched == "fail":
		return mongoerr.From(err).Prefix("$merge with whenMatched: fail found an existing document with the same values for the 'on' fields :: caused by :: ")
	case mongoerr.Is(err, mongoerr.DuplicateKey):
		return mongoerr.From(err).Prefix("$merge failed due to a DuplicateKey error :: caused by :: ")
	}
	return err
}

// write writes one document, and reports whether one was there to which it belongs.
func (m *merging) write(doc bsonraw.Doc) (matched bool, err error) {
	w := newWriter(m.op)
	w.bypass = m.env.bypass
	defer func() {
		if w.last.Last != 0 {
			m.env.last = w.last
		}
	}()
	if m.WhenMatched == "fail" {
		if _, _, err := w.insertGroup(m.To.Coll, []bsonraw.Doc{doc}, 0); err != nil {
			return false, err
		}
		if len(w.errs) > 0 {
			return true, w.errs[0].err
		}
		return false, nil
	}
	change := modification{writer: w, coll: m.To.Coll, upsert: m.WhenNotMatched == "insert"}
	if change.filter, err = m.filter(doc); err != nil {
		return false, err
	}
	if change.update, err = m.update(doc); err != nil {
		return false, err
	}
	defer change.update.Release()
	if change.update.IsPipeline() {
		change.supplied = doc
	}
	done, err := change.run()
	return done.matched > 0, err
}

// filter finds the document that has the same values in the fields.
func (m *merging) filter(doc bsonraw.Doc) (*filter.Filter, error) {
	spec, at := bsonraw.BeginDoc(nil)
	for _, field := range m.On {
		var equal int
		spec, equal = bsonraw.BeginElem(spec, bsonraw.TypeDocument, field)
		spec = bsonraw.EndDoc(bsonraw.AppendValue(spec, "$eq", valueAt(doc, field)), equal)
	}
	return filter.Compile(bsonraw.EndDoc(spec, at), filter.Options{Scope: m.Scope})
}

// update makes what happens to a document that is there.
func (m *merging) update(doc bsonraw.Doc) (*update.Update, error) {
	scope := m.Scope
	u := doc.Value()
	switch m.WhenMatched {
	case "merge":
		u = operator("$set", doc)
	case "keepExisting":
		u = operator("$setOnInsert", doc)
	case "pipeline":
		m.ctx.Reset()
		m.ctx.StopWith(m.op.ctx)
		var err error
		if scope, err = m.DocumentScope(&m.ctx, doc); err != nil {
			return nil, err
		}
		u = bsonraw.Value{Type: bsonraw.TypeArray, Data: m.Pipeline}
	}
	compiled, err := update.Compile(u, update.Options{Scope: scope})
	if err != nil {
		return nil, err
	}
	compiled.StopWith(m.op.ctx)
	return compiled, nil
}

// operator makes {name: fields}.
func operator(name string, fields bsonraw.Doc) bsonraw.Value {
	d, at := bsonraw.BeginDoc(nil)
	return bsonraw.Doc(bsonraw.EndDoc(bsonraw.AppendDoc(d, name, fields), at)).Value()
}
