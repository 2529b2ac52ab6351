package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/wire"
)

// scripted is a backend whose commands tests write: by the name of the body's first field. hello and ping are there already.
type scripted struct {
	commands map[string]func(context.Context, call) bson.D // a nil reply hangs up, one with a field "more" is followed by another
	broken   chan struct{}                                 // closed: the storage failed
	err      error                                         // of close
	drained  chan struct{}                                 // closed by drain
	stopped  chan struct{}                                 // closed by interrupt
	once     [2]sync.Once

	mu struct {
		sync.Mutex
		open, opened int
		closed       bool
	}
}

// call is one command as it came.
type call struct {
	info    connInfo
	request *wire.Message
}

func newScripted(commands map[string]func(context.Context, call) bson.D) *scripted {
	return &scripted{commands: commands, broken: make(chan struct{}), drained: make(chan struct{}), stopped: make(chan struct{})}
}

func (s *scripted) connect(info connInfo) session {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.open, s.mu.opened = s.mu.open+1, s.mu.opened+1
	return &scriptedSession{backend: s, info: info}
}

func (s *scripted) drain()                  { s.once[0].Do(func() { close(s.drained) }) }
func (s *scripted) interrupt()              { s.once[1].Do(func() { close(s.stopped) }) }
func (s *scripted) failed() <-chan struct{} { return s.broken }

func (s *scripted) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	if s.mu.open != 0 {
		return errors.New("closed with sessions open")
	}
	return s.err
}

type scriptedSession struct {
	backend *scripted
	info    connInfo
	last    string // the last command
}

func (s *scriptedSession) run(ctx context.Context, request *wire.Message, reply *wire.Reply) then {
	it := request.Body.Iter()
	it.Next()
	var answer bson.D
	switch name := string(it.Key()); strings.ToLower(name) {
	case "hello", "ismaster":
		answer = hello(s.info)
	case "ping", "endsessions":
		answer = bson.D{{Key: "ok", Value: 1}}
	default:
		s.last = name
		answer = s.backend.commands[name](ctx, call{s.info, request})
	}
	return s.answer(answer, reply)
}

func (s *scriptedSession) more(ctx context.Context, reply *wire.Reply) then {
	return s.answer(s.backend.commands[s.last](ctx, call{info: s.info}), reply)
}

// answer sends a command's answer.
func (s *scriptedSession) answer(answer bson.D, reply *wire.Reply) then {
	if answer == nil {
		return thenHangUp
	}
	body, err := bson.Marshal(answer)
	if err != nil {
		panic(err)
	}
	reply.SetBody(append(reply.Body(), body...))
	for _, field := range answer {
		if field.Key == "more" {
			return thenMore
		}
	}
	return thenWait
}

func (s *scriptedSession) close() {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	s.backend.mu.open--
}

func hello(info connInfo) bson.D {
	return bson.D{
		{Key: "helloOk", Value: true},
		{Key: "hosts", Value: bson.A{info.advertised}},
		{Key: "setName", Value: "sluice"},
		{Key: "setVersion", Value: 1},
		{Key: "isWritablePrimary", Value: true},
		{Key: "ismaster", Value: true},
		{Key: "secondary", Value: false},
		{Key: "primary", Value: info.advertised},
		{Key: "me", Value: info.advertised},
		{Key: "maxBsonObjectSize", Value: 16777216},
		{Key: "maxMessageSizeBytes", Value: 48000000},
		{Key: "maxWriteBatchSize", Value: 100000},
		{Key: "logicalSessionTimeoutMinutes", Value: 30},
		{Key: "connectionId", Value: info.id},
		{Key: "minWireVersion", Value: 0},
		{Key: "maxWireVersion", Value: 21},
		{Key: "readOnly", Value: false},
		{Key: "ok", Value: 1.0},
	}
}

// start returns an engine on the backend, closed at the end, and what it logs.
func start(t *testing.T, b *scripted, cfg Config) (*Engine, *logged) {
	t.Helper()
	log := new(logged)
	cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatalf("configuration: %v", err)
	}
	e := newEngine(cfg, b)
	t.Cleanup(func() {
		if err := e.Close(); err != nil && b.err == nil {
			t.Errorf("close: %v", err)
		}
	})
	return e, log
}

// logged keeps log lines.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// lines returns the log lines about clients.
func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for line := range strings.Lines(l.buf.String()) {
		if !strings.Contains(line, "msg=listening") {
			out = append(out, line)
		}
	}
	return out
}

// dialed are the ways to connect that every test of connections is run on.
var dialed = map[string]func(t *testing.T, e *Engine) net.Conn{
	"in process": func(t *testing.T, e *Engine) net.Conn {
		t.Helper()
		c, err := e.DialContext(t.Context(), "tcp", "any.example:1")
		return opened(t, c, err)
	},
	"tcp": func(t *testing.T, e *Engine) net.Conn {
		t.Helper()
		addr, err := e.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("listen: %v", err)
		}
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr.String())
		return opened(t, c, err)
	},
}

func opened(t *testing.T, c net.Conn, err error) net.Conn {
	t.Helper()
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// overEach runs a test on each way to connect.
func overEach(t *testing.T, test func(t *testing.T, dial func(t *testing.T, e *Engine) net.Conn)) {
	t.Helper()
	for name, dial := range dialed {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, dial)
		})
	}
}

const opMsgBody = 21 // where the body of a message with one section begins

// message returns the bytes of an OP_MSG message.
func message(id int32, flags wire.Flags, command bson.D) []byte {
	body, err := bson.Marshal(command)
	if err != nil {
		panic(err)
	}
	b := binary.LittleEndian.AppendUint32(nil, uint32(opMsgBody+len(body)))
	b = binary.LittleEndian.AppendUint32(b, uint32(id))
	b = binary.LittleEndian.AppendUint32(b, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(wire.OpMsg))
	b = binary.LittleEndian.AppendUint32(b, uint32(flags))
	return append(append(b, 0), body...)
}

func send(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// receive reads one reply: what it answers and its document.
func receive(t *testing.T, c net.Conn) (responseTo int32, body bson.Raw) {
	t.Helper()
	responseTo, body, err := tryReceive(c)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	return responseTo, body
}

func tryReceive(c net.Conn) (responseTo int32, body bson.Raw, err error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(c, head); err != nil {
		return 0, nil, err
	}
	rest := make([]byte, int(binary.LittleEndian.Uint32(head))-len(head))
	if _, err := io.ReadFull(c, rest); err != nil {
		return 0, nil, err
	}
	bodyAt := opMsgBody - len(head)
	if wire.OpCode(binary.LittleEndian.Uint32(head[12:])) == wire.OpReply {
		bodyAt = 20
	}
	body = bson.Raw(rest[bodyAt:])
	return int32(binary.LittleEndian.Uint32(head[8:])), body, bsonraw.Validate(body, bsonraw.MaxMessageDepth)
}

// ping checks that the connection works.
func ping(t *testing.T, c net.Conn) {
	t.Helper()
	send(t, c, message(1234, 0, bson.D{{Key: "ping", Value: 1}}))
	if to, body := receive(t, c); to != 1234 || body.Lookup("ok").Int32() != 1 {
		t.Fatalf("ping was answered to %d with %v", to, body)
	}
}

// wantEnd checks that the other side closes the connection without another byte.
func wantEnd(t *testing.T, c net.Conn) {
	t.Helper()
	if rest, err := io.ReadAll(c); len(rest) > 0 {
		t.Errorf("%d more bytes came (%v), want the end", len(rest), err)
	}
}
