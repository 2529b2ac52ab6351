package command

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// cursorTimeout is how long a cursor without a session lives after its last use, unless cursorTimeoutMillis was set.
const cursorTimeout = 10 * time.Minute

// batchLimit says how much one reply may bring.
type batchLimit struct {
	docs  int // negative: no limit but bytes
	bytes int
}

// maxBatchBytes is the goal for a batch: one document that does not fit is kept for the next.
const maxBatchBytes = 16 << 20

// defaultFirstBatch is how many documents a first batch brings when the client does not say.
const defaultFirstBatch = 101

// feed is where a cursor's documents come from.
type feed interface {
	// fill appends documents to the batch within its limit and reports whether the feed has ended. It holds no lock and no
	// snapshot of the store when it returns.
	fill(op *operation, batch *bsonraw.ArrayBuilder, limit batchLimit) (done bool, err error)
	close()
}

// waitingFeed is a feed that gets more documents with time.
type waitingFeed interface {
	feed
	position() oplog.Timestamp // all that was durable by then has been looked at
}

// cursor is an open cursor between two getMores.
type cursor struct {
	id       int64
	ns       string
	session  string // key of the session that opened it; empty without
	opened   time.Time
	command  bsonraw.Doc  // that opened it, as it is shown
	batches  atomic.Int64 // that it has given
	docs     atomic.Int64 // in these
	api      api          // as the command that opened it declared
	feed     feed
	noIdle   bool          // noCursorTimeout
	left     time.Duration // of the maxTimeMS of the command that opened it, for all its batches; 0: no limit
	waits    waitingFeed   // tailable and awaitData: getMore waits for documents; nil for other cursors
	wait     *store.Wait   // for them
	stream   *streamFeed
	durable  bool            // what it reads has to be durable
	txn      *transaction    // that it was opened in; nil for none
	snapshot *heldSnapshot   // that it reads; nil for none
	at       oplog.Timestamp // of that snapshot

	// Guarded by cursors.mu.
	user *running // the getMore that has it in use
	used time.Time
}

// close ends what the cursor reads.
func (c *cursor) close() {
	c.feed.close()
	if c.snapshot != nil {
		c.snapshot.give()
		c.snapshot = nil
	}
}

// gave counts a batch.
func (c *cursor) gave(docs int) {
	c.batches.Add(1)
	c.docs.Add(int64(docs))
}

// cursors are the open cursors of all clients.
type cursors struct {
	limit   int
	timeout atomic.Int64
	mu      sync.Mutex
	byID    map[int64]*cursor
}

func (cs *cursors) init(limit int) {
	cs.limit = limit
	cs.timeout.Store(int64(cursorTimeout))
	cs.byID = make(map[int64]*cursor)
}

var errCursorKilled = mongoerr.New(mongoerr.CursorKilled, "the cursor was killed")

// add registers a cursor, in use or idle, and gives it an id.
func (cs *cursors) add(c *cursor) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if len(cs.byID) >= cs.limit {
		return mongoerr.New(mongoerr.OperationFailed, "too many open cursors: the limit is %d; close some or raise MaxCursors", cs.limit)
	}
	for c.id == 0 || cs.byID[c.id] != nil {
		var b [8]byte
		_, _ = rand.Read(b[:]) // it never fails
		c.id = int64(binary.LittleEndian.Uint64(b[:]) >> 1)
	}
	c.used = time.Now()
	cs.byID[c.id] = c
	return nil
}

// take hands a cursor to a getMore, until give or finish. The getMore is interrupted when the cursor is killed.
func (cs *cursors) take(id int64, user *running) (*cursor, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.byID[id]
	if c == nil {
		return nil, mongoerr.New(mongoerr.CursorNotFound, "cursor id %d not found", id)
	}
	if c.user != nil {
		return nil, mongoerr.New(mongoerr.CursorInUse, "cursor id %d is already in use", id)
	}
	c.user = user
	user.use(c)
	return c, nil
}

// give takes a cursor back. One that was killed meanwhile ends here.
func (cs *cursors) give(c *cursor) {
	c.user.use(nil)
	cs.mu.Lock()
	c.user = nil
	c.used = time.Now()
	gone := cs.byID[c.id] != c
	cs.mu.Unlock()
	if gone {
		c.close()
	}
}

// finish ends a cursor that its caller has in use.
func (cs *cursors) finish(c *cursor) {
	c.user.use(nil)
	cs.mu.Lock()
	delete(cs.byID, c.id)
	cs.mu.Unlock()
	c.close()
}

// remove kills a cursor. A getMore that has it in use is interrupted and ends it.
func (cs *cursors) remove(id int64, allowed func(*cursor) bool) bool {
	cs.mu.Lock()
	c := cs.byID[id]
	if c == nil || !allowed(c) {
		cs.mu.Unlock()
		return false
	}
	delete(cs.byID, id)
	user := c.user
	cs.mu.Unlock()
	if user == nil {
		c.close()
	} else {
		user.interruptIf(func(r *running) bool { return r.cursor == c }, errCursorKilled)
	}
	return true
}

func (cs *cursors) removeWhere(which func(*cursor) bool) int {
	cs.mu.Lock()
	var ids []int64
	for id, c := range cs.byID {
		if which(c) {
			ids = append(ids, id)
		}
	}
	cs.mu.Unlock()
	for _, id := range ids {
		cs.remove(id, which)
	}
	return len(ids)
}

// expire kills the cursors that nobody used for long. Those of a session live as long as it.
func (cs *cursors) expire(now time.Time) int {
	return cs.removeWhere(func(c *cursor) bool {
		return c.session == "" && !c.noIdle && c.user == nil && now.Sub(c.used) > time.Duration(cs.timeout.Load())
	})
}

// killSession kills the cursors of a session.
func (cs *cursors) killSession(key string) {
	cs.removeWhere(func(c *cursor) bool { return c.session == key })
}

func (cs *cursors) closeAll() { cs.removeWhere(func(*cursor) bool { return true }) }

func (cs *cursors) len() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.byID)
}

// openCursor fills the first batch from the feed and appends the cursor to the reply; what is left becomes an open cursor.
func (op *operation) openCursor(c *cursor, limit batchLimit, single bool) error {
	if op.lsid != nil {
		c.session = op.sessionKey
	}
	c.api, c.txn, c.durable = op.api, op.transaction, op.durable
	c.opened = time.Now()
	if op.snapshot != nil {
		c.snapshot, c.at = op.snapshot.share(), op.snapshot.At
	}
	begun := time.Now()
	at, batch := op.beginCursor("firstBatch")
	done, err := c.feed.fill(op, &batch, limit)
	if err != nil {
		c.close()
		return err
	}
	if op.maxTime > 0 && c.waits == nil {
		c.left = max(op.maxTime-time.Since(begun), 1)
	}
	c.gave(batch.Len())
	if done || single {
		c.close()
		op.endCursor(at, batch, c, 0)
		return nil
	}
	c.command = shortened(op.body).Clone()
	if err := op.server.cursors.add(c); err != nil {
		c.close()
		return err
	}
	op.endCursor(at, batch, c, c.id)
	return nil
}
