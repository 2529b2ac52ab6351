package command

import (
	"context"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// ConnInfo is what a connection is known by.
type ConnInfo struct {
	ID         int32
	Remote     string // address of the client
	Advertised string // host:port under which clients reach this server; hello names it
	// WatchDisconnect calls cancel when the client goes away, until stop is called. A command that waits for long uses it.
	WatchDisconnect func(cancel func()) (stop func())
}

// Conn is one client's connection. Its Run is called by one goroutine at a time.
type Conn struct {
	server  *Server
	info    ConnInfo
	running running
	again   bsonraw.Doc // the request whose replies go on, after ThenMore
	names   names
	wakes   *time.Timer // of what the command waits for; nil until one does

	// What hello said. It is changed under running.mu.
	appName string
	client  bsonraw.Doc
}

// NewConn begins a connection; Close ends it.
func (s *Server) NewConn(info ConnInfo) *Conn {
	if info.WatchDisconnect == nil {
		info.WatchDisconnect = func(func()) func() { return func() {} }
	}
	s.counters.connections.Add(1)
	s.counters.created.Add(1)
	c := &Conn{server: s, info: info}
	s.connections.add(c)
	return c
}

// Close ends the connection.
func (c *Conn) Close() {
	c.server.connections.remove(c)
	c.running.stop()
	c.server.counters.connections.Add(-1)
}

// introduce keeps what the client says of itself.
func (c *Conn) introduce(appName string, client bsonraw.Doc) {
	c.running.mu.Lock()
	defer c.running.mu.Unlock()
	c.appName, c.client = appName, client.Clone()
}

// Request is a command as it came. Its bytes have been validated.
type Request struct {
	Body      bsonraw.Doc
	Sequences []Sequence
	Legacy    bool // by OP_QUERY, which only greets
	Exhaust   bool // the client takes many replies
	// Room is where the dst of Run is from, and where a larger one can be had; nil: it grows by appending.
	Room bsonraw.Grower
}

// Sequence is a document sequence of a message: documents one behind the other.
type Sequence struct {
	Name []byte
	Docs []byte
}

// Then is what follows a reply.
type Then int

// What may follow.
const (
	ThenWait   Then = iota // for the client's next request
	ThenHangUp             // there is no reply: the connection must be closed
	ThenMore               // another reply to the same request: More gives it
)

// Run executes a command and appends the reply document to dst. Bytes of the request are not kept.
func (c *Conn) Run(ctx context.Context, req *Request, dst []byte) (reply []byte, then Then) {
	ctx = c.running.begin(ctx, c.server.nextOperation.Add(1), req.Body)
	defer c.running.end()
	op := newOperation(ctx, c, req, dst)
	defer op.release()
	err := op.execute()
	c.server.usages.record(op, time.Since(op.began))
	if err == nil && op.durable {
		err = c.server.store.WaitDurable(ctx, c.server.store.Applied())
	}
	op.failed = op.failed || err != nil || op.hangUp
	if op.hangUp {
		c.server.traffic.count(op, err, 0)
		return dst, ThenHangUp
	}
	reply = op.finish(err)
	c.server.traffic.count(op, err, len(reply)-op.start)
	if err != nil || !op.more || !req.Exhaust {
		return reply, ThenWait
	}
	c.goOn(req.Body, reply[op.start:])
	return reply, ThenMore
}

// More appends the next reply to the last request, after ThenMore. For room see Request.
func (c *Conn) More(ctx context.Context, dst []byte, room bsonraw.Grower) (reply []byte, then Then) {
	return c.Run(ctx, &Request{Body: c.again, Exhaust: true, Room: room}, dst)
}
