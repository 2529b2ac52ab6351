package command

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// transactionLifetime is how long a transaction may be open, unless transactionLifetimeLimitSeconds was set.
const transactionLifetime = 60 * time.Second

// transactionState is where a transaction stands.
type transactionState int

const (
	txnOpen transactionState = iota
	txnCommitted
	txnAborted
)

// transaction is a multi-document transaction of a session. Its commands run one after the other, under the session's turn.
type transaction struct {
	session string // its key
	number  int64
	expires time.Time
	data    *store.Txn // nil for one that was committed before the server was started
	exact   bool       // its read concern is "snapshot"

	mu struct {
		sync.Mutex
		state     transactionState
		running   bool                    // a command of it is under way: whoever ends it from outside only interrupts that
		interrupt context.CancelCauseFunc // ends that command, as whatever its connection is executing
		killed    error                   // why it was ended from outside
	}
}

// committedBefore is a transaction that was committed before the server was started.
func committedBefore(session string, number int64) *transaction {
	t := &transaction{session: session, number: number}
	t.mu.state = txnCommitted
	return t
}

// transactions are those that are open, so that they can be ended when they are too old.
type transactions struct {
	seconds atomic.Int64 // how long one may be open, as transactionLifetimeLimitSeconds was set; 0: it was not

	mu   sync.Mutex
	open map[*transaction]struct{}
}

// lifetime is how long a transaction may be open.
func (ts *transactions) lifetime() time.Duration {
	if n := ts.seconds.Load(); n > 0 {
		return time.Duration(n) * time.Second
	}
	return transactionLifetime
}

// len returns how many transactions are open.
func (ts *transactions) len() int {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return len(ts.open)
}

func (ts *transactions) add(t *transaction) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.open == nil {
		ts.open = map[*transaction]struct{}{}
	}
	ts.open[t] = struct{}{}
}

func (ts *transactions) remove(t *transaction) {
	ts.mu.Lock()
	delete(ts.open, t)
	ts.mu.Unlock()
}

// killWhere ends the open transactions that are chosen.
func (ts *transactions) killWhere(which func(*transaction) bool, reason error) {
	ts.mu.Lock()
	list := slices.Collect(maps.Keys(ts.open))
	ts.mu.Unlock()
	for _, t := range list {
		if which(t) {
			t.kill(ts, reason)
		}
	}
}

// has reports whether a session has an open transaction.
func (ts *transactions) has(session string) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for t := range ts.open {
		if t.session == session {
			return true
		}
	}
	return false
}

// expire ends the transactions that are open for too long.
func (ts *transactions) expire(now time.Time) {
	ts.killWhere(func(t *transaction) bool { return now.After(t.expires) }, mongoerr.New(mongoerr.TransactionExceededLifetimeLimitSeconds,
		"operation was interrupted because the transaction exceeded the configured 'transactionLifetimeLimitSeconds' of %d", ts.lifetime()/time.Second).
		WithLabel(mongoerr.LabelTransient))
}

// start notes that a command of the transaction is under way.
func (t *transaction) start(interrupt context.CancelCauseFunc) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.stateError(); err != nil {
		return err
	}
	t.mu.running, t.mu.interrupt = true, interrupt
	return nil
}

// stop notes that the command is done. A transaction that failed, or was killed meanwhile, ends.
func (t *transaction) stop(ts *transactions, failed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.running, t.mu.interrupt = false, nil
	if t.mu.state == txnOpen && (failed || t.mu.killed != nil) {
		t.abortLocked(ts)
	}
}

// kill ends the transaction from outside of its session's turn.
func (t *transaction) kill(ts *transactions, reason error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.mu.state != txnOpen:
	case t.mu.running:
		t.mu.killed = reason
		t.mu.interrupt(reason)
	default:
		t.abortLocked(ts)
	}
}

// abort ends the transaction, by a command of it or by a newer number in its session.
func (t *transaction) abort(ts *transactions) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.state == txnOpen {
		t.abortLocked(ts)
	}
}

func (t *transaction) abortLocked(ts *transactions) {
	t.mu.state = txnAborted
	t.data.Abort()
	ts.remove(t)
}

// commit commits the transaction; again is true when that was done before.
func (t *transaction) commit(ts *transactions, id store.TxnID) (c store.Commit, again bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.state == txnCommitted {
		return store.Commit{}, true, nil
	}
	if t.mu.killed != nil { // since this command began: it is interrupted, and the client will hear why
		t.abortLocked(ts)
		return store.Commit{}, false, t.mu.killed
	}
	t.mu.state = txnAborted
	defer ts.remove(t)
	if c, err = t.data.Commit(id); err == nil {
		t.mu.state = txnCommitted
	}
	return c, false, err
}

// isCommitted reports whether the transaction was committed.
func (t *transaction) isCommitted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.state == txnCommitted
}

// stateError is the error of a command in a transaction that has ended.
func (t *transaction) stateError() error {
	switch t.mu.state {
	case txnCommitted:
		return mongoerr.New(mongoerr.TransactionCommitted, "Transaction with { txnNumber: %d } has been committed.", t.number)
	case txnAborted:
		return mongoerr.New(mongoerr.NoSuchTransaction, "Transaction with { txnNumber: %d } has been aborted.", t.number)
	}
	return nil
}
