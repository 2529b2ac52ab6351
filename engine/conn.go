package engine

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/wire"
)

const (
	// stallLimit is how long a client may pause within a message: its bytes so far occupy memory.
	stallLimit = 30 * time.Second
	// writeLimit is how long a client may take to read a reply. Deadlines are set anew only when half of it has gone, so half
	// of it is certain.
	writeLimit = 4 * time.Minute

	socketReadAhead = 4 << 10
	memoryReadAhead = 512 // the connection itself is a buffer
)

// connState says who may close a connection that is to be drained.
const (
	connIdle   int32 = iota // waits for its client's next message
	connBusy                // reads a message, runs a command or writes a reply
	connEnding              // idle when the engine began to drain
)

// conn is one client's connection. One goroutine serves it.
type conn struct {
	engine    *Engine
	id        int32
	socket    net.Conn
	log       *slog.Logger
	reader    *wire.Reader
	state     atomic.Int32
	session   session
	receiving bool      // within a message
	writeBy   time.Time // the write deadline that is set
	lastReply int32
	stopWatch func() // ends the watch for a disconnect, while there is one
}

func (e *Engine) newConn(socket net.Conn, remote, advertised string) *conn {
	c := &conn{engine: e, id: e.lastID.Add(1), socket: socket}
	c.log = e.log.With("connection", c.id, "client", remote)
	readAhead := socketReadAhead
	if _, inProcess := socket.(*memConn); inProcess {
		readAhead = memoryReadAhead
	}
	c.reader = wire.NewReader(incoming{c}, readAhead)
	c.session = e.backend.connect(connInfo{id: c.id, remote: remote, advertised: advertised, watchDisconnect: c.watchDisconnect})
	return c
}

// incoming is where a connection's reader reads.
type incoming struct{ c *conn }

// Read reads from the socket. Within a message each read has a deadline; between messages a client may be silent for ever, and
// the network tells when it is gone.
func (in incoming) Read(p []byte) (int, error) {
	if in.c.receiving {
		if err := in.c.socket.SetReadDeadline(time.Now().Add(stallLimit)); err != nil {
			return 0, err
		}
	}
	return in.c.socket.Read(p)
}

// serve answers the connection's messages until either side ends it.
func (c *conn) serve() {
	defer c.engine.forget(c)
	defer c.closeSession()
	defer c.hangUp()
	c.log.Debug("connected")
	for {
		if err := c.reader.Wait(); err != nil {
			c.logEnd(err)
			return
		}
		if !c.state.CompareAndSwap(connIdle, connBusy) {
			return
		}
		if !c.serveOne(c.engine.ctx) {
			return
		}
		c.state.Store(connIdle)
		if c.engine.draining.Load() {
			return
		}
	}
}

// serveOne answers one message and reports whether the connection goes on. A panic costs this connection and nothing else; its
// buffers are then left to the garbage collector, since who else holds them is not known.
func (c *conn) serveOne(ctx context.Context) (goesOn bool) {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("connection closed: a command panicked", "panic", p, "stack", string(debug.Stack()))
			goesOn = false
		}
	}()
	request, err := c.receive()
	if err != nil {
		return c.answerError(err)
	}
	reply := wire.BeginReply(request.OpCode, request.RequestID)
	after, wanted := c.watched(func() then { return c.session.run(ctx, request, reply) }), request.WantsReply()
	request.Release()
	for after == thenMore {
		reply.SetMoreToCome()
		sent := c.send(reply)
		reply.Release()
		if !sent || c.engine.draining.Load() {
			return false
		}
		reply = wire.BeginReply(wire.OpMsg, c.lastReply)
		after = c.watched(func() then { return c.session.more(ctx, reply) })
	}
	goesOn = after != thenHangUp && (!wanted || c.send(reply))
	reply.Release()
	return goesOn
}

// receive reads the message that has begun.
func (c *conn) receive() (*wire.Message, error) {
	if c.reader.Whole() {
		return c.reader.Next()
	}
	c.receiving = true
	request, err := c.reader.Next()
	c.receiving = false
	if resetErr := c.socket.SetReadDeadline(time.Time{}); err == nil && resetErr != nil {
		request.Release()
		return nil, resetErr
	}
	return request, err
}

// watched executes a command and sees to it that nothing else reads from the socket afterwards.
func (c *conn) watched(run func() then) then {
	defer func() {
		if c.stopWatch != nil {
			c.stopWatch()
		}
	}()
	return run()
}

// send writes the reply and reports whether the connection goes on.
func (c *conn) send(reply *wire.Reply) bool {
	c.lastReply++
	if err := reply.Finish(c.lastReply); err != nil {
		c.log.Error("connection closed", "error", err)
		return false
	}
	now := time.Now()
	if c.writeBy.Sub(now) < writeLimit/2 {
		c.writeBy = now.Add(writeLimit)
		if err := c.socket.SetWriteDeadline(c.writeBy); err != nil {
			c.logEnd(err)
			return false
		}
	}
	if _, err := reply.WriteTo(c.socket); err != nil {
		c.logEnd(err)
		return false
	}
	return true
}

// answerError answers a message that could not be used, where that is possible, and reports whether the connection goes on.
func (c *conn) answerError(err error) bool {
	var problem *wire.Error
	if !errors.As(err, &problem) {
		c.logEnd(err)
		return false
	}
	if problem.Fatal {
		c.log.Warn("connection closed: malformed message", "reason", problem.Reason, "code", problem.Code)
	}
	if problem.Answer && !c.sendError(problem.OpCode, problem.RequestID, mongoerr.New(mongoerr.Code(problem.Code), "%s", problem.Error())) {
		return false
	}
	return !problem.Fatal
}

func (c *conn) sendError(request wire.OpCode, id int32, err *mongoerr.Error) bool {
	reply := wire.BeginReply(request, id)
	defer reply.Release()
	b, at := bsonraw.BeginDoc(reply.Body())
	b = bsonraw.AppendDouble(b, "ok", 0)
	b = bsonraw.AppendString(b, "errmsg", err.Msg)
	b = bsonraw.AppendInt32(b, "code", int32(err.Code))
	b = bsonraw.AppendString(b, "codeName", err.Code.Name())
	if request == wire.OpQuery { // where clients of that age look
		reply.SetQueryFailure()
		b = bsonraw.AppendString(b, "$err", err.Msg)
	}
	reply.SetBody(bsonraw.EndDoc(b, at))
	return c.send(reply)
}

// logEnd logs why a connection ended that nobody here ended on purpose.
func (c *conn) logEnd(err error) {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		c.log.Debug("disconnected")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.log.Warn("connection closed: the client stalled within a message or a reply")
	default:
		c.log.Info("connection lost", "error", err)
	}
}

// hangUp closes the socket, which ends whatever waits on it.
func (c *conn) hangUp() { _ = c.socket.Close() }

// closeIfIdle ends a connection that waits for its client.
func (c *conn) closeIfIdle() {
	if c.state.CompareAndSwap(connIdle, connEnding) {
		c.hangUp()
	}
}

func (c *conn) closeSession() {
	defer func() {
		if p := recover(); p != nil {
			c.log.Error("ending a session panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	c.session.close()
}
