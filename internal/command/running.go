package command

import (
	"context"
	"sync"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// running is the command that a connection is executing, as others see it, and the way to interrupt it.
type running struct {
	parent context.Context
	ctx    context.Context // of the commands; a new one only after one was interrupted
	cancel context.CancelCauseFunc

	mu      sync.Mutex
	id      int32 // 0: the connection is idle
	started time.Time
	cmd     *command    // nil until it is known
	body    bsonraw.Doc // the request's own bytes
	db      string
	session string      // its key
	lsid    bsonraw.Doc // within body
	cursor  *cursor     // that the command has in use, if any
}

// begin notes that a command begins and returns the context for it.
func (r *running) begin(parent context.Context, id int32, body bsonraw.Doc) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx == nil || r.parent != parent || r.ctx.Err() != nil {
		r.stop()
		r.parent = parent
		r.ctx, r.cancel = context.WithCancelCause(parent)
	}
	r.id, r.started, r.body = id, time.Now(), body
	return r.ctx
}

// know adds what is known of the command once its generic arguments have been read.
func (r *running) know(op *operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cmd, r.db, r.session, r.lsid = op.cmd, op.db, op.sessionKey, op.lsid
}

// use notes which cursor the command has in use.
func (r *running) use(c *cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cursor = c
}

// end notes that the command is over. Nobody looks at its bytes any more, or interrupts what comes next.
func (r *running) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.id, r.cmd, r.body, r.db, r.session, r.lsid = 0, nil, nil, "", "", nil
	r.cursor = nil
}

// interruptIf ends the command with the reason if it is the one meant.
func (r *running) interruptIf(meant func(*running) bool, reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.id != 0 && meant(r) {
		r.cancel(reason)
	}
}

func (r *running) stop() {
	if r.cancel != nil {
		r.cancel(nil)
	}
}

// connections are the connections that are open.
type connections struct {
	mu   sync.Mutex
	open map[*Conn]struct{}
}

func (cs *connections) add(c *Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = map[*Conn]struct{}{}
	}
	cs.open[c] = struct{}{}
}

func (cs *connections) remove(c *Conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
}

// each calls fn for the connections that are open.
func (cs *connections) each(fn func(*Conn)) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.open {
		fn(c)
	}
}

// interrupt ends the commands that are meant, but not the caller's own.
func (op *operation) interrupt(meant func(*running) bool, reason error) {
	op.server.connections.each(func(c *Conn) {
		if c != op.conn {
			c.running.interruptIf(meant, reason)
		}
	})
}
