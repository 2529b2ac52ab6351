package engine

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/wire"
)

type script = map[string]func(context.Context, call) bson.D

var ok = bson.D{{Key: "ok", Value: 1}}

func TestRequestsAreAnsweredInOrder(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, dial func(*testing.T, *Engine) net.Conn) {
		e, _ := start(t, newScripted(script{"echo": func(_ context.Context, c call) bson.D {
			return bson.D{{Key: "got", Value: bson.Raw(c.request.Body.Clone())}}
		}}), Config{})
		c := dial(t, e)
		const n = 100
		go func() {
			for i := range int32(n) {
				if _, err := c.Write(message(i, 0, bson.D{{Key: "echo", Value: i}, {Key: "pad", Value: strings.Repeat("x", int(i)*1000)}})); err != nil {
					t.Errorf("send: %v", err)
				}
			}
		}()
		for i := range int32(n) {
			to, body := receive(t, c)
			if got := body.Lookup("got", "echo").Int32(); to != i || got != i {
				t.Fatalf("reply %d answers %d with %d", i, to, got)
			}
		}
	})
}

func TestOldHandshakeIsAnsweredInKind(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(nil), Config{})
	c := dialed["in process"](t, e)
	query := func(id int32, namespace string, doc bson.D) []byte {
		body, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 20, 200)
		binary.LittleEndian.PutUint32(b[4:], uint32(id))
		binary.LittleEndian.PutUint32(b[12:], uint32(wire.OpQuery))
		b = append(append(b, namespace...), 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
		b = append(b, body...)
		binary.LittleEndian.PutUint32(b, uint32(len(b)))
		return b
	}
	send(t, c, query(5, "admin.$cmd", bson.D{{Key: "isMaster", Value: 1}}))
	if to, body := receive(t, c); to != 5 || !body.Lookup("ismaster").Boolean() || body.Lookup("me").StringValue() != "any.example:1" {
		t.Errorf("isMaster was answered to %d with %v", to, body)
	}
	send(t, c, query(6, "test.c", bson.D{}))
	if to, body := receive(t, c); to != 6 || body.Lookup("$err").StringValue() == "" || body.Lookup("code").Int32() != 5739101 {
		t.Errorf("a query was answered to %d with %v", to, body)
	}
	ping(t, c)
}

func TestNoReplyWhereNoneIsWanted(t *testing.T) {
	t.Parallel()
	ran := make(chan struct{}, 1)
	e, _ := start(t, newScripted(script{"insert": func(context.Context, call) bson.D {
		ran <- struct{}{}
		return ok
	}}), Config{})
	c := dialed["in process"](t, e)
	send(t, c, message(1, wire.MoreToCome, bson.D{{Key: "insert", Value: "c"}}))
	ping(t, c) // its reply is the first to come
	<-ran
}

func TestMalformedMessagesEndTheConnectionWithOneLogLine(t *testing.T) {
	t.Parallel()
	secret := "a-value-that-no-log-may-show"
	good := message(7, 0, bson.D{{Key: "ping", Value: secret}})
	altered := func(alter func(b []byte) []byte) []byte { return alter(append([]byte(nil), good...)) }
	for name, c := range map[string]struct {
		sent   []byte
		answer int32 // code, 0 for none
		log    string
	}{
		"too large":              {altered(func(b []byte) []byte { binary.LittleEndian.PutUint32(b, 48_000_001); return b }), 0, "48000001"},
		"too small":              {altered(func(b []byte) []byte { binary.LittleEndian.PutUint32(b, 3); return b }), 0, "3 bytes"},
		"unknown operation code": {altered(func(b []byte) []byte { b[13] = 0x77; return b }), 0, "unknown"},
		"unknown flag":           {altered(func(b []byte) []byte { b[16] = 0x40; return b }), 0, "flags"},
		"checksum":               {altered(func(b []byte) []byte { b[16] = 1; return b }), 0, "checksum"},
		"unknown section":        {altered(func(b []byte) []byte { b[20] = 9; return b }), 17, "kind 9"},
		"BSON":                   {altered(func(b []byte) []byte { b[25] = 0x99; return b }), 22, "not valid BSON"},
		"compressed":             {altered(func(b []byte) []byte { b[12] = 0xdc; copy(b[16:], "\xdd\x07\x00\x00"); return b }), 17, "compress"},
		"HTTP":                   {[]byte("GET / HTTP/1.1\r\n\r\n"), 0, "HTTP"},
		"TLS":                    {[]byte("\x16\x03\x01\x00\xf8\x01\x00\x00\xf4\x03\x03aaaaaaaaaaaaaaaaaaaaa"), 0, "TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overEach(t, func(t *testing.T, dial func(*testing.T, *Engine) net.Conn) {
				b := newScripted(nil)
				e, log := start(t, b, Config{})
				conn := dial(t, e)
				send(t, conn, c.sent)
				if c.answer != 0 {
					if to, body := receive(t, conn); to != 7 || body.Lookup("code").Int32() != c.answer || body.Lookup("ok").Double() != 0 {
						t.Errorf("answered to %d with %v, want code %d", to, body, c.answer)
					}
				}
				wantEnd(t, conn)
				if err := e.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				lines := log.lines()
				if len(lines) != 1 || !strings.Contains(lines[0], c.log) || strings.Contains(lines[0], secret) {
					t.Errorf("logged %q, want one line with %q", lines, c.log)
				}
			})
		})
	}
}

func TestADocumentTooDeepIsAnsweredAndTheConnectionGoesOn(t *testing.T) {
	t.Parallel()
	e, log := start(t, newScripted(nil), Config{})
	c := dialed["in process"](t, e)
	deep := bson.D{}
	for range 300 {
		deep = bson.D{{Key: "a", Value: deep}}
	}
	send(t, c, message(7, 0, deep))
	if to, body := receive(t, c); to != 7 || body.Lookup("code").Int32() != 15 {
		t.Errorf("answered to %d with %v, want code 15", to, body)
	}
	ping(t, c)
	if lines := log.lines(); len(lines) != 0 {
		t.Errorf("logged %q", lines)
	}
}

func TestAPanicCostsOneConnection(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, dial func(*testing.T, *Engine) net.Conn) {
		e, log := start(t, newScripted(script{"crash": func(context.Context, call) bson.D { panic("on purpose") }}), Config{})
		other, c := dial(t, e), dial(t, e)
		send(t, c, message(1, 0, bson.D{{Key: "crash", Value: 1}}))
		wantEnd(t, c)
		ping(t, other)
		lines := log.lines()
		if len(lines) != 1 || !strings.Contains(lines[0], "on purpose") || !strings.Contains(lines[0], "conn_test.go") {
			t.Errorf("logged %q, want one line with the panic and its stack", lines)
		}
	})
}

func TestHangingUpSendsNoReply(t *testing.T) {
	t.Parallel()
	e, log := start(t, newScripted(script{"drop": func(context.Context, call) bson.D { return nil }}), Config{})
	c := dialed["in process"](t, e)
	send(t, c, message(1, 0, bson.D{{Key: "drop", Value: 1}}))
	wantEnd(t, c)
	if lines := log.lines(); len(lines) != 0 {
		t.Errorf("logged %q", lines)
	}
}

func TestRepliesThatAreNoneEndTheConnection(t *testing.T) {
	t.Parallel()
	large := make([]byte, 49_000_000)
	e, log := start(t, newScripted(script{"large": func(context.Context, call) bson.D {
		return bson.D{{Key: "b", Value: large}}
	}}), Config{})
	c := dialed["in process"](t, e)
	send(t, c, message(1, 0, bson.D{{Key: "large", Value: 1}}))
	wantEnd(t, c)
	if lines := log.lines(); len(lines) != 1 {
		t.Errorf("logged %q, want one line", lines)
	}
}

// waiting is a command that waits until its client is gone or the test says go.
type waiting struct {
	begun chan struct{} // gets a value when the command waits
	goOn  chan struct{}
	gone  chan struct{} // gets a value when the watch has seen the client go
}

func newWaiting() *waiting {
	return &waiting{begun: make(chan struct{}, 1), goOn: make(chan struct{}), gone: make(chan struct{}, 1)}
}

func (w *waiting) run(_ context.Context, c call) bson.D {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := c.info.watchDisconnect(cancel)
	defer stop()
	w.begun <- struct{}{}
	select {
	case <-ctx.Done():
		w.gone <- struct{}{}
	case <-w.goOn:
	}
	return ok
}

func TestAWaitingCommandLearnsThatItsClientIsGone(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, dial func(*testing.T, *Engine) net.Conn) {
		w := newWaiting()
		e, _ := start(t, newScripted(script{"wait": w.run}), Config{})
		c := dial(t, e)
		send(t, c, message(1, 0, bson.D{{Key: "wait", Value: 1}}))
		<-w.begun
		c.Close()
		<-w.gone
	})
}

func TestAWatchLeavesTheConnectionAsItWas(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, dial func(*testing.T, *Engine) net.Conn) {
		w := newWaiting()
		e, _ := start(t, newScripted(script{"wait": w.run}), Config{})
		c := dial(t, e)
		for _, early := range []bool{false, true, false} { // whether the next message comes while the command still waits
			send(t, c, message(1, 0, bson.D{{Key: "wait", Value: 1}}))
			<-w.begun
			if early {
				send(t, c, message(1234, 0, bson.D{{Key: "ping", Value: 1}}))
			}
			w.goOn <- struct{}{}
			if to, _ := receive(t, c); to != 1 {
				t.Fatalf("reply to %d, want 1", to)
			}
			if !early {
				ping(t, c)
			} else if to, _ := receive(t, c); to != 1234 {
				t.Fatalf("reply to %d, want 1234", to)
			}
		}
		select {
		case <-w.gone:
			t.Error("the client was taken for gone")
		default:
		}
	})
}

func TestACommandThatForgetsItsWatchHarmsNothing(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(script{"forget": func(_ context.Context, c call) bson.D {
		c.info.watchDisconnect(func() {})
		c.info.watchDisconnect(func() {})
		return ok
	}}), Config{})
	c := dialed["in process"](t, e)
	for range 3 {
		send(t, c, message(1, 0, bson.D{{Key: "forget", Value: 1}}))
		receive(t, c)
		ping(t, c)
	}
}

func TestAClientThatStallsWithinAMessageIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, log := start(t, newScripted(nil), Config{})
		c, err := e.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		defer c.Close()
		whole := message(1, 0, bson.D{{Key: "ping", Value: strings.Repeat("x", 5000)}})
		for rest := whole; len(rest) > 0; rest = rest[min(len(rest), 1000):] { // slow, but moving
			send(t, c, rest[:min(len(rest), 1000)])
			<-time.After(stallLimit - time.Second)
		}
		receive(t, c)
		<-time.After(24 * time.Hour) // silence between messages is nobody's business
		ping(t, c)
		send(t, c, whole[:1000])
		begun := time.Now()
		wantEnd(t, c)
		if took := time.Since(begun); took != stallLimit {
			t.Errorf("cut off after %v, want %v", took, stallLimit)
		}
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "stalled") {
			t.Errorf("logged %q, want one line", lines)
		}
	})
}

func TestAClientThatNeverReadsIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		large := make([]byte, ringBound)
		e, _ := start(t, newScripted(script{"large": func(context.Context, call) bson.D {
			return bson.D{{Key: "b", Value: large}}
		}}), Config{})
		c, err := e.DialContext(t.Context(), "", "")
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		defer c.Close()
		send(t, c, message(1, 0, bson.D{{Key: "large", Value: 1}}))
		receive(t, c)
		<-time.After(writeLimit / 2)
		begun := time.Now()
		send(t, c, message(2, 0, bson.D{{Key: "large", Value: 1}}))
		for e.connections() > 0 {
			<-time.After(time.Second)
		}
		if took := time.Since(begun); took < writeLimit/2 || took > writeLimit+time.Second {
			t.Errorf("cut off after %v, want between %v and %v", took, writeLimit/2, writeLimit)
		}
	})
}

func TestTooManyConnectionsAreToldSo(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(nil), Config{MaxConnections: 2})
	first := dialed["tcp"](t, e)
	ping(t, first)
	second := dialed["in process"](t, e)
	ping(t, second)

	if _, err := e.DialContext(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "too many connections: 2") {
		t.Errorf("dial in process: %v, want a refusal", err)
	}
	third := dialed["tcp"](t, e)
	send(t, third, message(9, 0, bson.D{{Key: "hello", Value: 1}}))
	if to, body := receive(t, third); to != 9 || !strings.Contains(body.Lookup("errmsg").StringValue(), "too many connections: 2") {
		t.Errorf("the third client was answered to %d with %v, want a refusal", to, body)
	}
	wantEnd(t, third)
	ping(t, first)

	second.Close()
	for { // its place is free once the engine has seen the end
		c, err := e.DialContext(t.Context(), "", "")
		if err == nil {
			ping(t, opened(t, c, nil))
			return
		}
	}
}

// TestSocketsLeaveFilesForTheStorage lets no more clients come by sockets than there are files for; the others need none.
func TestSocketsLeaveFilesForTheStorage(t *testing.T) {
	t.Parallel()
	e, _ := start(t, newScripted(nil), Config{})
	e.maxSockets = 1
	first := dialed["tcp"](t, e)
	ping(t, first)
	ping(t, dialed["in process"](t, e))

	second := dialed["tcp"](t, e)
	send(t, second, message(9, 0, bson.D{{Key: "hello", Value: 1}}))
	if to, body := receive(t, second); to != 9 || !strings.Contains(body.Lookup("errmsg").StringValue(), "ulimit -n") {
		t.Errorf("the second client was answered to %d with %v, want a refusal", to, body)
	}
	wantEnd(t, second)

	first.Close()
	for e.connections() > 1 { // its place is free once the engine has seen the end
		runtime.Gosched()
	}
	ping(t, dialed["tcp"](t, e))
}

func TestManyClientsAtOnce(t *testing.T) {
	t.Parallel()
	b := newScripted(nil)
	e, _ := start(t, b, Config{})
	addr, err := e.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			dial := e.DialContext
			if i%2 == 0 {
				dial = new(net.Dialer).DialContext
			}
			c, err := dial(t.Context(), "tcp", addr.String())
			if err != nil {
				t.Errorf("dial: %v", err)
				return
			}
			defer c.Close()
			for range 20 {
				if _, err := c.Write(message(1, 0, bson.D{{Key: "ping", Value: 1}})); err != nil {
					t.Errorf("send: %v", err)
					return
				}
				if _, _, err := tryReceive(c); err != nil {
					t.Errorf("receive: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.mu.opened != 60 || b.mu.open != 0 || !b.mu.closed {
		t.Errorf("%d sessions were opened, %d are left, backend closed: %v", b.mu.opened, b.mu.open, b.mu.closed)
	}
}

func BenchmarkPing(b *testing.B) {
	for name, dial := range map[string]func(e *Engine) (net.Conn, error){
		"in process": func(e *Engine) (net.Conn, error) { return e.DialContext(b.Context(), "", "") },
		"tcp": func(e *Engine) (net.Conn, error) {
			addr, err := e.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(b.Context(), "tcp", addr.String())
		},
	} {
		b.Run(name, func(b *testing.B) {
			cfg, err := Config{}.withDefaults()
			if err != nil {
				b.Fatal(err)
			}
			e := newEngine(cfg, newScripted(nil))
			defer e.Close()
			c, err := dial(e)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			request := message(1, 0, bson.D{{Key: "ping", Value: 1}})
			reply := make([]byte, opMsgBody+13)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(request); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, reply); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
