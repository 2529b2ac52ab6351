package sluice_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
)

// wireServer is a server with exact replies, for what no real one does on request. It speaks OP_MSG over in-memory
// connections; the driver is the real one.
type wireServer struct {
	t      *testing.T
	uri    string                                         // default: a server that is dialled directly
	hello  func(host string) bson.D                       // what else a host says of itself; a field that stands here twice is told as here
	answer func(n int, name string, body bson.Raw) bson.D // n counts the commands of that name; nil closes the connection

	mu       sync.Mutex
	commands []command
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// hang is the answer that never comes.
var hang = bson.D{{Key: "hang", Value: true}}

func serve(t *testing.T, s *wireServer, configure ...func(*options.ClientOptions)) *mongo.Client {
	t.Helper()
	s.t, s.conns = t, map[net.Conn]bool{}
	// A declared API version makes the driver shake hands in OP_MSG, too.
	opts := options.Client().ApplyURI(cmp.Or(s.uri, "mongodb://scripted/?directConnection=true")).SetDialer(s).
		SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1))
	for _, f := range configure {
		f(opts)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := client.Disconnect(ctx); err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
			t.Errorf("disconnect: %v", err)
		}
		s.mu.Lock()
		for conn := range s.conns {
			_ = conn.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return client
}

func (s *wireServer) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	s.conns[far] = true
	number := len(s.conns)
	s.mu.Unlock()
	s.wg.Go(func() { s.handle(far, address, number) })
	return near, nil
}

const opMsg = 2013

func (s *wireServer) handle(conn net.Conn, host string, number int) {
	defer conn.Close()
	for {
		var head [16]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:])-16)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		reply := s.reply(bson.Raw(body[5:]), host, number) // after the flags and the kind of the only section
		if reply == nil {
			return
		}
		if len(reply) > 0 && reply[0].Key == "hang" {
			_, _ = conn.Read(make([]byte, 1)) // until the client gives up
			return
		}
		doc, err := bson.Marshal(reply)
		if err != nil {
			s.t.Error(err)
			return
		}
		out := binary.LittleEndian.AppendUint32(nil, uint32(16+5+len(doc)))
		out = binary.LittleEndian.AppendUint32(out, 1)
		out = append(out, head[4:8]...)
		out = binary.LittleEndian.AppendUint32(out, opMsg)
		out = append(out, 0, 0, 0, 0, 0)
		if _, err := conn.Write(append(out, doc...)); err != nil {
			return
		}
	}
}

func (s *wireServer) reply(body bson.Raw, host string, conn int) bson.D {
	elements, err := body.Elements()
	if err != nil {
		s.t.Error(err)
		return nil
	}
	ok := bson.E{Key: "ok", Value: 1}
	switch name := elements[0].Key(); name {
	case "hello":
		var more bson.D
		if s.hello != nil {
			more = s.hello(host)
		}
		hello := bson.D{}
		for _, e := range append(defaultHello(host), more...) {
			hello = slices.DeleteFunc(hello, func(old bson.E) bool { return old.Key == e.Key })
			if e.Value != nil {
				hello = append(hello, e)
			}
		}
		return append(hello, ok)
	case "endSessions":
		return bson.D{ok}
	default:
		s.mu.Lock()
		n := 0
		for _, c := range s.commands {
			if c.name == name {
				n++
			}
		}
		s.commands = append(s.commands, command{name: name, body: append(bson.Raw(nil), body...), host: host, conn: conn})
		s.mu.Unlock()
		return s.answer(n, name, body)
	}
}

// defaultHello is what a primary says.
func defaultHello(host string) bson.D {
	return bson.D{
		{Key: "isWritablePrimary", Value: true},
		{Key: "setName", Value: "rs"},
		{Key: "hosts", Value: bson.A{host}},
		{Key: "me", Value: host},
		{Key: "minWireVersion", Value: 0},
		{Key: "maxWireVersion", Value: 21},
		{Key: "maxBsonObjectSize", Value: 16 << 20},
		{Key: "maxMessageSizeBytes", Value: 48000000},
		{Key: "logicalSessionTimeoutMinutes", Value: 30},
	}
}

// replies answers aggregates and getMores from two lists: nil closes the connection, and after the end of a list nothing
// is answered any more, as by a server where nothing happens. Cursors are killed when that is asked for.
type replies struct{ opens, mores []bson.D }

func (r replies) answer(n int, name string, body bson.Raw) bson.D {
	list := r.mores
	switch name {
	case "killCursors":
		return killed(body)
	case "aggregate":
		list = r.opens
	}
	if n < len(list) {
		return list[n]
	}
	return hang
}

// starts returns the start options of the cursors that were opened.
func (s *wireServer) starts() []bson.Raw {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []bson.Raw
	for _, c := range s.commands {
		if c.name == "aggregate" {
			out = append(out, c.body.Lookup("pipeline", "0", "$changeStream").Document())
		}
	}
	return out
}

func (s *wireServer) named(name string) (out []command) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.commands {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// cursorReply is a reply with events, at an operation time; without a token it has none.
func cursorReply(id int64, at uint32, token string, events ...bson.D) bson.D {
	batch := bson.A{}
	for _, e := range events {
		batch = append(batch, e)
	}
	cursor := bson.D{{Key: "firstBatch", Value: batch}, {Key: "nextBatch", Value: batch}, {Key: "id", Value: id}, {Key: "ns", Value: "shop.orders"}}
	if token != "" {
		cursor = append(cursor, bson.E{Key: "postBatchResumeToken", Value: tokenDoc(token)})
	}
	return bson.D{{Key: "cursor", Value: cursor}, {Key: "ok", Value: 1}, {Key: "operationTime", Value: bson.Timestamp{T: at}}}
}

func failure(code int) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: "scripted"}, {Key: "codeName", Value: "Scripted"}}
}

func killed(body bson.Raw) bson.D {
	return bson.D{{Key: "cursorsKilled", Value: body.Lookup("cursors")}, {Key: "ok", Value: 1}}
}

// closeWhileNext closes a stream while a call of Next waits; waiting is closed when its request is under way.
func closeWhileNext(t *testing.T, stream *sluice.Stream[order], waiting <-chan struct{}) {
	t.Helper()
	failed := make(chan error, 1)
	go func() { _, err := stream.Next(t.Context()); failed <- err }()
	<-waiting
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, sluice.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
}

func tokenDoc(name string) bson.D { return bson.D{{Key: "_data", Value: name}} }

func change(token string, id int) bson.D {
	return bson.D{{Key: "_id", Value: tokenDoc(token)}, {Key: "operationType", Value: "insert"}, {Key: "documentKey", Value: bson.D{{Key: "_id", Value: id}}}}
}

func wireToken(t *testing.T, name string) sluice.Token {
	t.Helper()
	token, err := sluice.NewToken(mustRaw(t, tokenDoc(name)))
	if err != nil {
		t.Fatal(err)
	}
	return token
}
