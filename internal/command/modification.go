package command

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/mql/ordering"
	"github.com/sluicestream/sluice/internal/mql/update"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// modification changes or removes the documents that match a filter: what update, delete and findAndModify have in common.
// Every document is a commit of its own.
type modification struct {
	*writer
	coll   string
	stmtID int32
	filter *filter.Filter
	sort   *ordering.Ordering // which of several documents is the one; nil: any
	hint   bsonraw.Value
	multi  bool
	upsert bool
	// refused is what is wrong with what the statement asks for, but is told only where there is a collection.
	refused error
	update  *update.Update // nil: documents are removed
	// supplied is what an upsert inserts, instead of a document made of the filter and the update; nil for the latter.
	supplied bsonraw.Doc

	// result makes the answer from the outcome, which a repeated statement gives again. Its error is that of the statement, but takes
	// nothing back: what was asked to be written is written. Nil: the counts.
	result func(modified) (bsonraw.Doc, error)
	answer bsonraw.Doc // what result gave, where something was written
}

// modified is what a modification did. Its documents are copies.
type modified struct {
	matched, modified int32
	upsertedID        bsonraw.Value
	old, new          bsonraw.Doc // of the one document, when it is not a multi modification
}

// maxAttempts bounds how often a modification starts again because others were faster.
const maxAttempts = 1000

func (m *modification) run() (modified, error) {
	if m.op.explaining != nil {
		if m.refused != nil {
			return modified{}, m.refused
		}
		return modified{}, m.op.explaining.modifies(m)
	}
	for range maxAttempts {
		if m.op.ctx.Err() != nil {
			return modified{}, contextError(m.op.ctx)
		}
		done, again, err := m.attempt()
		if err != nil || !again {
			return done, err
		}
	}
	return modified{}, mongoerr.New(mongoerr.WriteConflict, "the document was changed by others %d times while this operation tried to change it: try again", maxAttempts)
}

// attempt looks for the documents and changes them. again says that what was found has been changed by others meanwhile.
func (m *modification) attempt() (done modified, again bool, err error) {
	lock := m.op.locked
	if m.upsert {
		lock = m.op.lockedOrNew
	}
	c, unlock, err := lock(m.coll)
	if err != nil {
		return modified{}, false, err
	}
	defer unlock()
	if c == nil {
		return modified{}, false, nil
	}
	if m.refused != nil {
		return modified{}, false, m.refused
	}
	hint, err := planHint(c, m.hint)
	if err != nil {
		return modified{}, false, err
	}
	if m.multi {
		done, err = m.changeAll(c, hint)
	} else {
		done, again, err = m.changeOne(c, hint)
	}
	if err != nil || again || done.matched > 0 || !m.upsert {
		return done, again, err
	}
	return m.insert(c)
}

// changeAll changes every matching document.
func (m *modification) changeAll(c *store.Collection, hint plan.Hint) (total modified, err error) {
	// What it changes must not turn up a second time, behind the place where the walk stands.
	view, release := m.op.target.Pin()
	defer release()
	walk := plan.Choose(c, plan.Query{Filter: m.filter, Hint: hint}).Open(view)
	defer func() { err = errors.Join(err, walk.Close()) }()
	for {
		candidate, err := walk.Next(m.op.ctx)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, readError(m.op, err)
		}
		done, _, err := m.change(c, walk.IDKey(), candidate)
		total.matched += done.matched
		total.modified += done.modified
		if err != nil {
			return total, err
		}
	}
}

// changeOne changes the first matching document in the order asked for.
func (m *modification) changeOne(c *store.Collection, hint plan.Hint) (done modified, again bool, err error) {
	q := plan.Query{Filter: m.filter, Order: m.sort, Limit: 1, Hint: hint}
	if key, ok := plan.AppendPoint(m.scratch.point[:0], c, q); ok {
		done, err = m.changePoint(c, key)
		return done, false, err
	}
	p := plan.Choose(c, q)
	walk := p.Open(m.op.target)
	defer func() { err = errors.Join(err, walk.Close()) }()
	if !p.Sorted {
		return m.changeLeast(c, walk)
	}
	for {
		candidate, err := walk.Next(m.op.ctx)
		if errors.Is(err, io.EOF) {
			return modified{}, false, nil
		}
		if err != nil {
			return modified{}, false, readError(m.op, err)
		}
		done, ok, err := m.change(c, walk.IDKey(), candidate)
		if err != nil || ok {
			return done, false, err
		}
	}
}

// changePoint changes the document with that key of _id, if it matches.
func (m *modification) changePoint(c *store.Collection, idKey []byte) (modified, error) {
	c.Indexes[0].Uses.Add(1)
	m.scratch.point = idKey
	candidate, _, there, err := m.op.target.Get(m.scratch.candidate[:0], c, idKey)
	if err != nil || !there {
		return modified{}, err
	}
	m.scratch.candidate = candidate
	if matched, err := m.matches(candidate); err != nil || !matched {
		return modified{}, err
	}
	done, _, err := m.change(c, idKey, candidate)
	return done, err
}

// changeLeast looks at all matching documents for the first one in the order.
func (m *modification) changeLeast(c *store.Collection, walk *plan.Walk) (done modified, again bool, err error) {
	var least, key, idKey []byte
	var candidate bsonraw.Doc
	for {
		doc, err := walk.Next(m.op.ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return modified{}, false, readError(m.op, err)
		}
		if key, err = m.sort.AppendKey(key[:0], doc); err != nil {
			return modified{}, false, err
		}
		if candidate == nil || bytes.Compare(key, least) < 0 {
			least = append(least[:0], key...)
			idKey = append(idKey[:0], walk.IDKey()...)
			candidate = append(candidate[:0], doc...)
		}
	}
	if candidate == nil {
		return modified{}, false, nil
	}
	done, ok, err := m.change(c, idKey, candidate)
	return done, !ok, err
}

// change modifies one document under its latch. ok is false when it no longer matches: others were faster.
func (m *modification) change(c *store.Collection, idKey []byte, candidate bsonraw.Doc) (done modified, ok bool, err error) {
	st := m.op.target
	m.scratch.latched[0] = idKey
	held, err := st.LatchDocs(m.op.ctx, c, m.scratch.latched[:]...)
	if err != nil {
		return modified{}, false, err
	}
	defer held.Release()
	doc, _, there, err := st.GetOnce(m.scratch.doc[:0], c, idKey)
	if err != nil || !there {
		return modified{}, false, err
	}
	m.scratch.doc = doc
	matched, position := true, -1
	if m.update != nil && m.update.NeedsPosition() {
		matched, position, err = m.filter.MatchAt(evaluation(m.op), doc)
	} else if !bytes.Equal(doc, candidate) {
		matched, err = m.matches(doc)
	}
	if err != nil || !matched {
		return modified{}, false, err
	}
	if m.update == nil {
		done, err = m.remove(c, idKey, doc)
	} else {
		done, err = m.replace(c, idKey, doc, position)
	}
	return done, true, err
}

// matches reports whether the filter takes a document.
func (m *modification) matches(doc bsonraw.Doc) (bool, error) {
	if m.filter.IsSlow() {
		return m.filter.MatchWith(evaluation(m.op), doc)
	}
	return m.filter.Match(doc)
}

func (m *modification) remove(c *store.Collection, idKey []byte, doc bsonraw.Doc) (modified, error) {
	tx := m.op.target.NewWrite()
	if err := tx.Delete(c, idKey, doc, m.entry(oplog.Delete, c, nil, loggedID(c, doc, idKey), m.stmtID)); err != nil {
		tx.Discard()
		return modified{}, err
	}
	return m.commit(tx, modified{matched: 1, old: doc})
}

func (m *modification) replace(c *store.Collection, idKey []byte, doc bsonraw.Doc, position int) (modified, error) {
	st := m.op.target
	out, err := m.update.Apply(m.input(doc, position, false))
	if err != nil {
		return modified{}, err
	}
	if out.NoOp {
		return m.images(modified{matched: 1, old: doc, new: doc}), nil
	}
	if c.Series != nil {
		out.Doc = arrange(c.Series, out.Doc, false)
	}
	if !m.bypass {
		if err := checkUpdated(m.op, c, doc, out.Doc); err != nil {
			return modified{}, err
		}
	}
	indexed := c.Indexed(out.Doc)
	if hasUnique(c) {
		unique, err := st.LatchUnique(m.op.ctx, c, indexed)
		if err != nil {
			return modified{}, err
		}
		defer unique.Release()
	}
	if err := st.CheckUnique(c, idKey, indexed); err != nil {
		return modified{}, err
	}
	tx := st.NewWrite()
	if err := tx.Update(c, idKey, doc, indexed, m.entry(oplog.Update, c, out.Entry, loggedID(c, doc, idKey), m.stmtID)); err != nil {
		tx.Discard()
		return modified{}, err
	}
	return m.commit(tx, modified{matched: 1, modified: 1, old: doc, new: out.Doc})
}

func (m *modification) input(doc bsonraw.Doc, position int, insert bool) update.Input {
	return update.Input{Doc: doc, Position: position, Insert: insert, Now: time.Now().UnixMilli(), ClusterTime: m.op.server.store.Applied()}
}

// insert stores the document of an upsert that matched nothing. again says that somebody else inserted it meanwhile.
func (m *modification) insert(c *store.Collection) (done modified, again bool, err error) {
	st := m.op.target
	doc, err := m.newDocument()
	if err != nil {
		return modified{}, false, err
	}
	if !m.bypass {
		if err := checkInserted(m.op, c, doc); err != nil {
			return modified{}, false, err
		}
	}
	idKey := c.AppendIDKey(nil, doc.Lookup("_id"))
	held, err := st.LatchDocs(m.op.ctx, c, idKey)
	if err != nil {
		return modified{}, false, err
	}
	defer held.Release()
	indexed := c.Indexed(doc)
	unique, err := st.LatchUnique(m.op.ctx, c, indexed)
	if err != nil {
		return modified{}, false, err
	}
	defer unique.Release()
	exists, err := st.Has(c, idKey)
	if err != nil {
		return modified{}, false, err
	}
	if exists {
		return m.retryDuplicate(c, store.DuplicateKey(c, c.Indexes[0], doc, nil))
	}
	if err := st.CheckUnique(c, idKey, indexed); err != nil {
		return m.retryDuplicate(c, err)
	}
	tx := st.NewWrite()
	id := doc.Lookup("_id")
	if err := tx.Insert(c, idKey, indexed, m.entry(oplog.Insert, c, doc, id, m.stmtID)); err != nil {
		tx.Discard()
		return modified{}, false, err
	}
	done, err = m.commit(tx, modified{upsertedID: bsonraw.Value{Type: id.Type, Data: bytes.Clone(id.Data)}, new: doc})
	return done, false, err
}

// retryDuplicate starts an upsert again when the document in its way is one that the filter matches by now.
func (m *modification) retryDuplicate(c *store.Collection, duplicate error) (modified, bool, error) {
	walk := plan.Choose(c, plan.Query{Filter: m.filter}).Open(m.op.target)
	_, err := walk.Next(m.op.ctx)
	if closed := walk.Close(); closed != nil {
		return modified{}, false, closed
	}
	if err == nil {
		return modified{}, true, nil
	}
	return modified{}, false, duplicate
}

// newDocument makes the document of an upsert from the filter and the update.
func (m *modification) newDocument() (bsonraw.Doc, error) {
	if m.supplied != nil {
		return storable(m.supplied)
	}
	inherited := m.filter.Equalities
	if m.update.IsReplacement() {
		inherited = m.filter.IDEqualities
	}
	equalities, err := inherited()
	if err != nil {
		return nil, err
	}
	base, err := update.UpsertDocument(m.update, equalities)
	if err != nil {
		return nil, err
	}
	out, err := m.update.Apply(m.input(base, -1, true))
	if err != nil {
		return nil, err
	}
	return storableAs(out.Doc, false) // a replacement has its timestamps
}

// commit ends a statement's write with the record for a retry.
func (m *modification) commit(tx *store.Write, done modified) (modified, error) {
	done = m.images(done)
	result, failed := m.outcome(done)
	record, retryable := m.op.retryRecord(tx, m.stmtID, 1, result)
	if err := failRetryable(m.op); err != nil {
		tx.Discard()
		return modified{}, err
	}
	if m.final && !m.multi {
		m.await(tx)
	}
	commit, err := tx.Commit()
	if err != nil {
		return modified{}, err
	}
	if retryable {
		m.op.session.remember(record, commit.Stmt)
	}
	m.last = commit
	return done, failed
}

// images copies the documents of a single modification, which its caller may want to answer with.
func (m *modification) images(done modified) modified {
	if m.result == nil {
		done.old, done.new = nil, nil
		return done
	}
	done.old, done.new = done.old.Clone(), done.new.Clone()
	return done
}

// outcome is what a repeated statement will answer.
func (m *modification) outcome(done modified) (bsonraw.Doc, error) {
	switch {
	case m.result != nil:
		answer, err := m.result(done)
		m.answer = answer
		return answer, err
	case m.op.session == nil:
		return bsonraw.Empty, nil
	}
	out, at := bsonraw.BeginDoc(make([]byte, 0, 64))
	out = bsonraw.AppendInt32(out, "n", max(done.matched, b2i(!done.upsertedID.IsMissing())))
	out = bsonraw.AppendInt32(out, "nModified", done.modified)
	out = bsonraw.AppendValue(out, "upserted", done.upsertedID)
	return bsonraw.EndDoc(out, at), nil
}

func b2i(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// readError gives what went wrong in a walk, with the reason where the command's context ended.
func readError(op *operation, err error) error {
	if op.ctx.Err() != nil {
		return contextError(op.ctx)
	}
	return err
}
