package command

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// ttl deletes documents that have expired: those whose field, of an index with expireAfterSeconds, has a date so long ago, or of
// several the earliest; and in a clustered collection with that option those whose _id is one. It deletes as clients do: each is
// a commit of its own, and an event.
type ttl struct {
	sleep   atomic.Int64  // between two passes
	off     atomic.Bool   // ttlMonitorEnabled: false
	changed chan struct{} // there is another sleep
	passes  atomic.Int64
	deleted atomic.Int64
}

const (
	// ttlSleep is how long the deleter sleeps if it is not told otherwise.
	ttlSleep = time.Minute
	// ttlBatch is after how many documents it lets others change the collection's schema.
	ttlBatch = 500
	// ttlPatience is how long it waits for a document that somebody else is writing, before it leaves it to the next pass.
	ttlPatience = 100 * time.Millisecond
)

func (t *ttl) init() {
	t.sleep.Store(int64(ttlSleep))
	t.changed = make(chan struct{}, 1)
}

// setSleep sets how long the deleter sleeps between two passes: the server parameter ttlMonitorSleepSecs. It begins to sleep anew.
func (t *ttl) setSleep(d time.Duration) {
	t.sleep.Store(int64(d))
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// run deletes until the server stops.
func (t *ttl) run(s *Server) {
	for {
		timer := time.NewTimer(time.Duration(t.sleep.Load()))
		select {
		case <-s.stopping.Done():
			timer.Stop()
			return
		case <-t.changed:
			timer.Stop()
		case now := <-timer.C:
			if !t.off.Load() {
				t.pass(s, now)
			}
		}
	}
}

// pass looks through all collections once.
func (t *ttl) pass(s *Server, now time.Time) {
	for _, c := range s.store.Catalog().Collections("") {
		for _, x := range c.Indexes {
			e, err := expiryBy(c, x, now)
			if err == nil && e != nil {
				err = e.delete(s)
			}
			if err != nil && s.stopping.Err() == nil {
				s.cfg.Logger.Warn("documents that have expired were not all deleted", "namespace", c.NS(), "index", x.Name, "error", err)
			}
		}
	}
	t.passes.Add(1)
}

// expiry is what one index says of the documents that have expired.
type expiry struct {
	db, coll string
	index    uint32
	filter   *filter.Filter
}

// expiryBy returns what an index says, nil if nothing.
func expiryBy(c *store.Collection, x *store.Index, now time.Time) (*expiry, error) {
	seconds := int64(expiryOf(x))
	if x.Clustered {
		seconds = -1
		if n, ok := c.Options.Lookup("expireAfterSeconds").AsInt64(); ok {
			seconds = n
		}
	}
	if seconds < 0 || len(x.Fields) != 1 || c.Cap != nil {
		return nil, nil
	}
	limit := bsonraw.DateValue(now.Add(-time.Duration(seconds) * time.Second).UnixMilli())
	query, at := bsonraw.BeginDoc(nil)
	query, condition := bsonraw.BeginElem(query, bsonraw.TypeDocument, x.Fields[0].Path)
	query = bsonraw.EndDoc(bsonraw.AppendValue(query, "$lte", limit), condition)
	if partial := x.Spec.Lookup("partialFilterExpression"); !partial.IsMissing() {
		query = bsonraw.AppendHeader(query, bsonraw.TypeArray, "$and")
		list := bsonraw.BeginArray(query)
		list.Append(partial)
		query = list.End()
	}
	var none *expression.Scope
	f, err := filter.Compile(bsonraw.EndDoc(query, at), filter.Options{Scope: none.WithCollation(plan.RulesOf(x).Collation)})
	return &expiry{db: c.DB, coll: c.Name, index: x.ID, filter: f}, err
}

// delete deletes the documents, some at a time.
func (e *expiry) delete(s *Server) error {
	for {
		more, err := e.deleteSome(s)
		if err != nil || !more {
			return err
		}
	}
}

// deleteSome deletes some documents; more says that there may be others.
func (e *expiry) deleteSome(s *Server) (more bool, err error) {
	op := &operation{ctx: s.stopping, server: s, view: s.store, target: s.store}
	op.db = e.db
	c, unlock, err := op.locked(e.coll)
	if err != nil || c == nil {
		return false, err
	}
	defer unlock()
	var index *store.Index
	for _, x := range c.Indexes {
		if x.ID == e.index {
			index = x
		}
	}
	if index == nil {
		return false, nil
	}
	m := modification{writer: newWriter(op), coll: e.coll, filter: e.filter, multi: true}
	walk := plan.Choose(c, plan.Query{Filter: e.filter, Hint: plan.Hint{Index: index}}).Open(s.store)
	defer func() { err = errors.Join(err, walk.Close()) }()
	deleted := 0
	for range ttlBatch {
		doc, err := walk.Next(s.stopping)
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		done, err := e.deleteOne(&m, c, walk.IDKey(), doc)
		if err != nil {
			return false, err
		}
		s.ttl.deleted.Add(int64(done.matched))
		deleted += int(done.matched)
	}
	return deleted > 0, nil
}

// deleteOne deletes a document, unless it is held by others for long, or is another one by now.
func (e *expiry) deleteOne(m *modification, c *store.Collection, idKey []byte, doc bsonraw.Doc) (modified, error) {
	ctx, cancel := context.WithTimeout(m.op.server.stopping, ttlPatience)
	defer cancel()
	m.op.ctx = ctx
	done, _, err := m.change(c, idKey, doc)
	if mongoerr.Is(err, mongoerr.MaxTimeMSExpired) {
		err = nil
	}
	return done, err
}
