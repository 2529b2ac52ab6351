package command

import (
	"hash/maphash"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// insert {insert: <collection>, documents: [...], ordered, stmtId, stmtIds, bypassDocumentValidation} stores new documents.
// Documents go in groups of one commit each, with a timestamp a document.
func insert(op *operation) error {
	var coll string
	var inBody bsonraw.Doc
	w := newWriter(op)
	defer w.release()
	err := op.arguments(func(name string, a argument) error {
		if ok, err := w.argument(name, a); ok {
			return err
		}
		switch name {
		case "insert":
			return written(a, &coll)
		case "documents":
			return a.array(&inBody)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	docs, err := w.sequence("documents", inBody)
	if err != nil {
		return err
	}
	if err := w.checkStatementIDs(len(docs)); err != nil {
		return err
	}
	if of := measurementsOf(op, coll); of != nil {
		if op.transaction != nil {
			return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot insert into a time-series collection in a multi-document transaction: %s.%s", op.db, coll)
		}
		coll = of.Name
	}
	op.server.counters.insert.Add(int64(len(docs)))
	for next := 0; next < len(docs); {
		var goOn bool
		if next, goOn, err = w.insertGroup(coll, docs, next); err != nil {
			return err
		}
		if !goOn {
			break
		}
		if next < len(docs) && op.ctx.Err() != nil {
			return contextError(op.ctx)
		}
	}
	return w.reply(false)
}

// The size of a group: large enough that a commit's cost is shared, small enough that others get their turn.
const (
	groupDocs  = 500
	groupBytes = 4 << 20
)

// insertGroup inserts documents from index next on in one commit, and returns the index of the first one after them.
func (w *writer) insertGroup(coll string, docs []bsonraw.Doc, next int) (int, bool, error) {
	op := w.op
	c, unlock, err := op.locked(coll)
	if c == nil || err != nil {
		if _, err := storable(docs[next]); err != nil { // it makes no collection, and its error comes first
			goOn, fatal := w.fail(next, err)
			return next + 1, goOn, fatal
		}
	}
	if c == nil && err == nil {
		c, unlock, err = op.lockedOrNew(coll)
	}
	if mongoerr.Is(err, mongoerr.InvalidNamespace) {
		return next, false, err // no document can change that
	}
	if err != nil {
		goOn, fatal := w.fail(next, err)
		return next + 1, goOn, fatal
	}
	defer unlock()
	g := insertGroup{writer: w, c: c, first: next, before: tally{w.n, len(w.errs), len(w.retried)}}
	if err := g.prepare(docs[next:]); err != nil {
		return next, false, err
	}
	w.final = next+g.taken == len(docs)
	st := op.target
	held, err := st.LatchDocs(op.ctx, c, g.idKeys...)
	if err != nil {
		return next, false, err
	}
	defer held.Release()
	unique, err := st.LatchUnique(op.ctx, c, g.docs...)
	if err != nil {
		// The group has no other document, since there is a unique index.
		goOn, fatal := w.fail(g.index[0], err)
		return next + g.taken, goOn, fatal
	}
	defer unique.Release()
	goOn, err := g.write()
	return next + g.taken, goOn, err
}

// insertGroup is the documents of one commit.
type insertGroup struct {
	*writer
	c      *store.Collection
	first  int // index of the first document within the command
	taken  int // documents looked at
	docs   []store.Indexed
	index  []int
	idKeys [][]byte
	keys   []byte // the memory of those
	stop   bool   // an error ended an ordered command
	before tally
}

// tally is how many documents were inserted, failed and had been inserted before.
type tally struct {
	inserted        int32
	failed, retried int
}

// insertOne is the memory of a group of one document.
type insertOne struct {
	docs   [1]store.Indexed
	idKeys [1][]byte
	index  [1]int
	key    [keyBytes]byte
}

// keyBytes is more than the key of most documents takes.
const keyBytes = 24

// prepare takes documents until the group is full, or one of them might collide with another of the group. One that cannot be stored ends the
// group too: its error comes after those of the documents before it.
func (g *insertGroup) prepare(docs []bsonraw.Doc) error {
	limit := groupDocs
	if g.alone || hasUnique(g.c) || g.c.Cap != nil {
		// Within a group documents are checked against the store alone, so they must not share a unique entry. In a capped
		// collection each may push out others.
		limit = 1
	}
	limit = min(len(docs), limit)
	if limit == 1 {
		one := &g.scratch.one
		g.docs, g.idKeys, g.index, g.keys = one.docs[:0], one.idKeys[:0], one.index[:0], one.key[:0]
	} else {
		g.docs, g.idKeys, g.index = make([]store.Indexed, 0, limit), make([][]byte, 0, limit), make([]int, 0, limit)
		g.keys = make([]byte, 0, limit*keyBytes)
	}
	seen := newKeySet(limit)
	size := 0
	for i, d := range docs {
		if len(g.docs) == limit || size > groupBytes {
			break
		}
		d, err := g.storable(d)
		if err == nil && g.skipExecuted(g.first+i) {
			g.taken++
			continue
		}
		if err == nil {
			err = g.check(d)
		}
		if err != nil {
			if len(g.docs) > 0 {
				break
			}
			goOn, fatal := g.fail(g.first+i, err)
			g.taken++
			if fatal != nil || !goOn {
				g.stop = true
				return fatal
			}
			continue
		}
		key := g.newKey(d)
		if !seen.add(key) {
			break
		}
		indexed := g.c.Indexed(d)
		size += len(d) + indexed.KeyBytes()
		g.taken++
		g.docs, g.idKeys, g.index = append(g.docs, indexed), append(g.idKeys, key), append(g.index, g.first+i)
	}
	return nil
}

// keySet is a set of keys by their hashes: two keys of one hash are taken for one.
type keySet struct {
	seed   maphash.Seed
	hashes map[uint64]struct{} // nil where there is only one key
}

func newKeySet(size int) keySet {
	if size < 2 {
		return keySet{}
	}
	return keySet{maphash.MakeSeed(), make(map[uint64]struct{}, size)}
}

// add adds a key and reports whether it is new.
func (s keySet) add(key []byte) bool {
	if s.hashes == nil {
		return true
	}
	n := len(s.hashes)
	s.hashes[maphash.Bytes(s.seed, key)] = struct{}{}
	return len(s.hashes) > n
}

// storable brings a document into the form in which it is stored.
func (g *insertGroup) storable(d bsonraw.Doc) (bsonraw.Doc, error) {
	if g.c.Series != nil {
		return measurement(g.c.Series, d)
	}
	return storable(d)
}

// check refuses a document that the collection cannot have.
func (g *insertGroup) check(d bsonraw.Doc) error {
	if g.c.Series != nil || g.bypass {
		return nil
	}
	return checkInserted(g.op, g.c, d)
}

// newKey is the key by which a new document is stored.
func (g *insertGroup) newKey(d bsonraw.Doc) []byte {
	at := len(g.keys)
	if g.c.Series != nil {
		g.keys = store.AppendNewKey(g.keys, g.op.server.store, g.c, d)
	} else {
		g.keys = g.c.AppendIDKey(g.keys, d.Lookup("_id"))
	}
	return g.keys[at:len(g.keys):len(g.keys)]
}

func (g *insertGroup) skipExecuted(i int) bool {
	stmt := g.statement(i)
	if _, ok := g.op.executed(stmt); !ok {
		return false
	}
	g.n++
	g.retried = append(g.retried, stmt)
	return true
}

func hasUnique(c *store.Collection) bool {
	for _, x := range c.Indexes {
		if x.Guarded() {
			return true
		}
	}
	return false
}

// write commits the group and reports whether the command goes on.
func (g *insertGroup) write() (bool, error) {
	st := g.op.target
	tx := st.NewWrite()
	var records []store.RetryRecord
	run := retryRun{}
	goOn := !g.stop
	fresh, err := g.allNew()
	if err != nil {
		tx.Discard()
		return false, err
	}
	for i, d := range g.docs {
		err := g.add(tx, i, d, fresh)
		if err == nil {
			g.n++
			run.extend(g.statement(g.index[i]), g.op, tx, &records)
			continue
		}
		var fatal error
		goOn, fatal = g.fail(g.index[i], err)
		if fatal != nil {
			tx.Discard()
			return false, fatal
		}
		if !goOn {
			break
		}
	}
	run.end(g.op, tx, &records)
	if len(records) > 0 {
		if err := failRetryable(g.op); err != nil {
			tx.Discard()
			return g.afterFault(err)
		}
	}
	if g.final {
		g.await(tx)
	}
	commit, err := tx.Commit()
	if err != nil {
		return false, err
	}
	for _, r := range records {
		g.op.session.remember(r, commit.Stmt)
	}
	if commit.Last != 0 {
		g.last = commit
	}
	return goOn, nil
}

// afterFault goes on after a fail point: a group is tried again document by document, as mongod does, and the error of a single
// document is its own.
func (g *insertGroup) afterFault(err error) (bool, error) {
	if len(g.docs) == 1 {
		g.n--
		return g.fail(g.index[0], err)
	}
	g.n, g.errs, g.retried = g.before.inserted, g.errs[:g.before.failed], g.retried[:g.before.retried]
	g.alone, g.taken = true, 0
	return true, nil
}

// allNew finds out with one look whether no document of the group can be there already.
func (g *insertGroup) allNew() (bool, error) {
	if len(g.docs) < 2 {
		return false, nil
	}
	some, err := g.op.target.HasAny(g.c, g.idKeys)
	return !some, err
}

func (g *insertGroup) add(tx *store.Write, i int, d store.Indexed, fresh bool) error {
	st := g.op.target
	if !fresh {
		exists, err := st.Has(g.c, g.idKeys[i])
		if err != nil {
			return err
		}
		switch {
		case exists && g.c.Series != nil:
			g.idKeys[i] = g.newKey(d.Doc) // nobody else gets it, so it needs no latch
			return g.add(tx, i, d, false)
		case exists:
			return store.DuplicateKey(g.c, g.c.Indexes[0], d.Doc, nil)
		}
	}
	if err := st.CheckUnique(g.c, g.idKeys[i], d); err != nil {
		return err
	}
	return tx.Insert(g.c, g.idKeys[i], d, g.entry(oplog.Insert, g.c, d.Doc, loggedID(g.c, d.Doc, g.idKeys[i]), g.statement(g.index[i])))
}

// retryRun gathers consecutive statements into one record.
type retryRun struct {
	first, count int32
}

func (r *retryRun) extend(stmt int32, op *operation, tx *store.Write, records *[]store.RetryRecord) {
	if r.count > 0 && stmt != r.first+r.count {
		r.end(op, tx, records)
	}
	if r.count == 0 {
		r.first = stmt
	}
	r.count++
}

func (r *retryRun) end(op *operation, tx *store.Write, records *[]store.RetryRecord) {
	if r.count == 0 {
		return
	}
	if record, ok := op.retryRecord(tx, r.first, r.count, bsonraw.Empty); ok {
		*records = append(*records, record)
	}
	r.count = 0
}
