package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/wire"
)

// tellLimit is how long a refused client has to ask something and read why it gets no answer. On a machine that is busy with the
// clients that were not refused this takes its time.
const tellLimit = 10 * time.Second

// tooManyError is why a client is refused.
type tooManyError struct {
	open  int
	limit string // what sets the limit
}

func (e tooManyError) Error() string {
	return fmt.Sprintf("too many connections: %d are open, which is the limit (%s)", e.open, e.limit)
}

// admit serves a client, or tells it why not.
func (e *Engine) admit(socket net.Conn, advertised string) {
	remote := socket.RemoteAddr().String()
	err := e.start(socket, remote, advertised)
	if err == nil {
		return
	}
	var tooMany tooManyError
	if !errors.As(err, &tooMany) || !e.tell(socket, tooMany) {
		_ = socket.Close()
	}
}

// start serves a client on a goroutine of its own. When it cannot, the socket stays the caller's.
func (e *Engine) start(socket net.Conn, remote, advertised string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.phase != phaseOpen {
		return ErrClosed
	}
	_, inProcess := socket.(*memConn)
	switch n := len(e.mu.conns); {
	case n >= e.cfg.MaxConnections:
		return e.tooMany(n, remote, "MaxConnections")
	case !inProcess && e.mu.sockets >= e.maxSockets:
		return e.tooMany(e.mu.sockets, remote, "the files that the process may have open: raise it with ulimit -n")
	}
	c := e.newConn(socket, remote, advertised)
	if e.mu.conns[c] = struct{}{}; !inProcess {
		e.mu.sockets++
	}
	e.tasks.Go(c.serve)
	return nil
}

func (e *Engine) tooMany(n int, client, limit string) error {
	e.log.Warn("client refused: too many connections", "client", client, "open", n, "limit", limit)
	return tooManyError{n, limit}
}

// forget is the last that a connection does.
func (e *Engine) forget(c *conn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.mu.conns, c)
	if _, inProcess := c.socket.(*memConn); !inProcess {
		e.mu.sockets--
	}
	e.tellDrainedLocked()
}

// tell answers a refused client's first message with the reason, so that it reaches whoever reads the driver's error. It reports
// whether it took the socket: only so many clients are told at once.
func (e *Engine) tell(socket net.Conn, why error) bool {
	select {
	case e.refusals <- struct{}{}:
	default:
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.phase != phaseOpen {
		<-e.refusals
		return false
	}
	e.tasks.Go(func() {
		defer func() { <-e.refusals }()
		defer socket.Close()
		defer context.AfterFunc(e.ctx, func() { _ = socket.Close() })()
		if socket.SetDeadline(time.Now().Add(tellLimit)) != nil {
			return
		}
		request, err := wire.NewReader(socket, memoryReadAhead).Next()
		if err != nil {
			return
		}
		defer request.Release()
		c := &conn{engine: e, socket: socket, log: e.log, writeBy: time.Now().Add(writeLimit)}
		c.sendError(request.OpCode, request.RequestID, mongoerr.New(mongoerr.OperationFailed, "%s", why.Error()))
	})
	return true
}
