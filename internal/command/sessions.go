package command

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/expression"
	"github.com/sluicestream/sluice/internal/oplog"
	"github.com/sluicestream/sluice/internal/store"
)

// sessionTimeout is how long a session lives after its last use (hello's logicalSessionTimeoutMinutes).
const sessionTimeout = 30 * time.Minute

// sessions are the logical sessions in use. What a retryable write has to remember is in the store; a session is its cache.
type sessions struct {
	store *store.Store
	mu    sync.Mutex
	byKey map[string]*session
}

// session is one logical session.
type session struct {
	key  string
	used time.Time // guarded by sessions.mu

	turn chan struct{} // holds one token: a session's retryable writes and transactions run one after the other
	pass func()        // gives the turn back

	// What follows belongs to whoever holds the turn.
	loaded    bool
	logged    bsonraw.Doc // its id as the oplog has it; nil before its first write
	txnNumber int64
	done      map[int32]store.RetryRecord // statements of txnNumber that were executed, by number
	last      oplog.Timestamp             // of the newest of them
	txn       *transaction                // of txnNumber; nil when that is a retryable write's
}

func (s *sessions) init(st *store.Store) {
	s.store = st
	s.byKey = make(map[string]*session)
}

// maxSessions bounds the sessions that clients may begin, as in MongoDB.
const maxSessions = 1_000_000

// touch notes that a session is in use, beginning it if need be.
func (s *sessions) touch(key string, now time.Time) (*session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.byKey[key]
	if x == nil {
		if len(s.byKey) >= maxSessions {
			return nil, mongoerr.New(mongoerr.TooManyLogicalSessions, "cannot add session into the cache: there are %d already; end sessions that are no longer used", maxSessions)
		}
		x = &session{key: key, turn: make(chan struct{}, 1), txnNumber: -1}
		x.pass = func() { <-x.turn }
		s.byKey[key] = x
	}
	x.used = now
	return x, nil
}

// end lets a session expire at the next opportunity, unless it is used again before.
func (s *sessions) end(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.byKey[key]; x != nil {
		x.used = time.Time{}
	}
}

// expire forgets the sessions that nobody used for long, but not those that are busy, and returns their keys.
func (s *sessions) expire(now time.Time, busy func(key string) bool) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var gone []string
	for key, x := range s.byKey {
		if now.Sub(x.used) > sessionTimeout && len(x.turn) == 0 && !busy(key) {
			delete(s.byKey, key)
			gone = append(gone, key)
		}
	}
	return gone
}

// lastUses returns when the sessions were used last, those left out that are about to end.
func (s *sessions) lastUses() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	uses := make(map[string]time.Time, len(s.byKey))
	for key, x := range s.byKey {
		if !x.used.IsZero() {
			uses[key] = x.used
		}
	}
	return uses
}

// len returns the number of sessions.
func (s *sessions) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byKey)
}

// checkOut takes the turn of the operation's session until it ends.
func checkOut(op *operation) (*session, error) {
	x, err := op.server.sessions.touch(op.sessionKey, op.began)
	if err != nil {
		return nil, err
	}
	if err := x.take(op.ctx); err != nil {
		return nil, err
	}
	op.atEnd(x.pass)
	return x, x.load(op.server.store)
}

// advance moves the session on to a newer transaction number: what it had open under the old one ends.
func (x *session) advance(s *Server, number int64) {
	if x.txn != nil {
		x.txn.abort(&s.transactions)
	}
	x.txn, x.txnNumber, x.last = nil, number, 0
	if len(x.done) > manyDone { // clearing a map takes as long as it ever was large
		x.done = make(map[int32]store.RetryRecord)
	}
	clear(x.done)
}

// manyDone is how many statements a session has executed whose map is not used again.
const manyDone = 64

// tooOld is the error of a number that is older than the session's.
func (x *session) tooOld(what string, args ...any) error {
	newer := "retryable write"
	if x.txn != nil {
		newer = "transaction"
	}
	return mongoerr.New(mongoerr.TransactionTooOld, "%s on session %s because a newer %s with txnNumber %d has already started on this session.",
		fmt.Sprintf(what, args...), uuidText([16]byte([]byte(x.key[:16]))), newer, x.txnNumber)
}

// beginRetryable checks the session out for a retryable write.
func beginRetryable(op *operation) error {
	if !op.cmd.retries {
		return mongoerr.New(mongoerr.NotARetryableWriteCommand, "txnNumber may only be provided for multi-document transactions and retryable write commands. autocommit:false was not provided, "+
			"and %s is not a retryable write command.", op.cmd.name)
	}
	x, err := checkOut(op)
	switch {
	case err != nil:
		return err
	case op.txnNumber < x.txnNumber:
		return x.tooOld("Retryable write with txnNumber %d is prohibited", op.txnNumber)
	case op.txnNumber > x.txnNumber:
		x.advance(op.server, op.txnNumber)
	case x.txn != nil:
		return mongoerr.New(mongoerr.IncompleteTransactionHistory, "Cannot retry a retryable write that has been converted into a transaction")
	}
	op.session = x
	return nil
}

func (x *session) take(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// load reads what the store remembers of the session, once: it may have been used before the server was started.
func (x *session) load(st *store.Store) error {
	if x.loaded {
		return nil
	}
	records, err := st.RetryRecords([]byte(x.key))
	if err != nil {
		return err
	}
	x.done = make(map[int32]store.RetryRecord)
	for _, r := range records {
		x.txnNumber = r.TxnNumber
		if r.StmtID == store.CommittedTxn {
			x.txn = committedBefore(x.key, r.TxnNumber)
			continue
		}
		x.remember(r, r.Time)
	}
	x.loaded = true
	return nil
}

// remember notes a statement that was executed, and the time of its entry.
func (x *session) remember(r store.RetryRecord, at oplog.Timestamp) {
	x.last = max(x.last, at)
	for i := range max(r.Count, 1) {
		x.done[r.StmtID+i] = r
	}
}

// executed returns the record of a statement that an earlier attempt of this command has executed.
func (op *operation) executed(stmtID int32) (store.RetryRecord, bool) {
	if op.session == nil {
		return store.RetryRecord{}, false
	}
	r, ok := op.session.done[stmtID]
	return r, ok
}

// retryRecord adds the record of a statement, or of count consecutive ones, to the write that executes it. The caller calls
// remember once the write is in.
func (op *operation) retryRecord(w *store.Write, stmtID, count int32, result bsonraw.Doc) (store.RetryRecord, bool) {
	if op.session == nil {
		return store.RetryRecord{}, false
	}
	r := store.RetryRecord{TxnNumber: op.txnNumber, StmtID: stmtID, Count: count, Result: result}
	w.Retryable([]byte(op.session.key), r)
	return r, true
}

var errTimeLimit = mongoerr.New(mongoerr.MaxTimeMSExpired, "operation exceeded time limit")

// endError replaces the error of what noticed that the command's context ended by the reason, with its code.
func endError(op *operation, err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		if op.ctx.Err() != nil {
			return contextError(op.ctx)
		}
	}
	return err
}

// evaluation returns the memory for expressions that end when the command does.
func evaluation(op *operation) *expression.Context {
	var ctx expression.Context
	ctx.StopWith(op.ctx)
	return &ctx
}

// contextError gives the error of a command whose context ended: why it ended, with its code.
func contextError(ctx context.Context) error {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, context.DeadlineExceeded):
		return errTimeLimit
	case errors.Is(cause, context.Canceled):
		return mongoerr.New(mongoerr.Interrupted, "operation was interrupted")
	default:
		return cause
	}
}
