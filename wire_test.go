package sluice_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
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
	t          *testing.T
	noSessions bool
	answer     func(n int, name string, body bson.Raw) bson.D // n counts the commands of that name; nil closes the connection

	mu       sync.Mutex
	commands []command
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// hang is the answer that never comes.
var hang = bson.D{{Key: "hang", Value: true}}

func serve(t *testing.T, s *wireServer) *mongo.Client {
	t.Helper()
	s.t, s.conns = t, map[net.Conn]bool{}
	// A declared API version makes the driver shake hands in OP_MSG, too.
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://scripted/?directConnection=true").SetDialer(s).
		SetServerAPIOptions(options.ServerAPI(options.ServerAPIVersion1)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := client.Disconnect(ctx); err != nil {
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

func (s *wireServer) DialContext(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	s.conns[far] = true
	s.mu.Unlock()
	s.wg.Go(func() { s.handle(far) })
	return near, nil
}

const opMsg = 2013

func (s *wireServer) handle(conn net.Conn) {
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
		reply := s.reply(bson.Raw(body[5:])) // after the flags and the kind of the only section
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

func (s *wireServer) reply(body bson.Raw) bson.D {
	elements, err := body.Elements()
	if err != nil {
		s.t.Error(err)
		return nil
	}
	ok := bson.E{Key: "ok", Value: 1}
	switch name := elements[0].Key(); name {
	case "hello":
		hello := bson.D{
			{Key: "isWritablePrimary", Value: true},
			{Key: "setName", Value: "rs"},
			{Key: "hosts", Value: bson.A{"scripted:27017"}},
			{Key: "me", Value: "scripted:27017"},
			{Key: "minWireVersion", Value: 0},
			{Key: "maxWireVersion", Value: 21},
			{Key: "maxBsonObjectSize", Value: 16 << 20},
			{Key: "maxMessageSizeBytes", Value: 48000000},
			ok,
		}
		if !s.noSessions {
			hello = append(hello, bson.E{Key: "logicalSessionTimeoutMinutes", Value: 30})
		}
		return hello
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
		s.commands = append(s.commands, command{name: name, body: append(bson.Raw(nil), body...)})
		s.mu.Unlock()
		return s.answer(n, name, body)
	}
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

// TestStaleBatchToken: a reply without batch token leaves the driver with the one of an earlier reply, from which it
// resumes by itself and gets events again.
func TestStaleBatchToken(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: func(n int, name string, body bson.Raw) bson.D {
		switch {
		case name == "killCursors":
			return killed(body)
		case name == "aggregate" && n == 0:
			return cursorReply(1, 10, "t0")
		case name == "aggregate" && n == 1: // the driver's, from t1
			return cursorReply(2, 10, "", change("t2", 2), change("t3", 3))
		case name == "aggregate":
			return cursorReply(3, 10, "", change("t4", 4))
		case n == 0:
			return cursorReply(1, 10, "t1", change("t1", 1))
		case n == 1:
			return cursorReply(1, 10, "", change("t2", 2), change("t3", 3))
		case n == 2:
			return failure(43)
		default:
			return hang
		}
	}}
	stream := watch(t, serve(t, s).Database("shop").Collection("orders"), nil, nil)
	expectIDs(t, stream, 1, 2, 3)
	if got := stream.ResumeToken(); got != wireToken(t, "t3") {
		t.Errorf("the token is %v, want the last event's", got)
	}
	expectIDs(t, stream, 4)
	starts := s.starts()
	if got := starts[len(starts)-1].Lookup("resumeAfter", "_data").StringValue(); got != "t3" {
		t.Errorf("resumed after %s, want t3: %v", got, starts)
	}
}

// TestOperationTimeOfOpening: a server that sends no batch tokens. The driver resumes at the newest operation time that
// it has heard of, and skips what happened since the opening.
func TestOperationTimeOfOpening(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: func(n int, name string, body bson.Raw) bson.D {
		switch {
		case name == "killCursors":
			return killed(body)
		case name == "aggregate" && body.Lookup("pipeline", "0", "$changeStream", "startAtOperationTime").Type != 0:
			if at, _ := body.Lookup("pipeline", "0", "$changeStream", "startAtOperationTime").Timestamp(); at == 10 {
				return cursorReply(3, 40, "", change("t20", 20))
			}
			return cursorReply(2, 40, "", change("t40", 40))
		case name == "aggregate":
			return cursorReply(1, 10, "")
		case n == 0:
			return cursorReply(1, 30, "")
		case n == 1:
			return failure(43)
		default:
			return hang
		}
	}}
	stream := watch(t, serve(t, s).Database("shop").Collection("orders"), nil, nil)
	expectIDs(t, stream, 20)
}

func TestLastEventWithoutToken(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: func(n int, name string, body bson.Raw) bson.D {
		switch name {
		case "killCursors":
			return killed(body)
		case "aggregate":
			return cursorReply(1, 10, "t0")
		default:
			return cursorReply(1, 10, "t9", change("t1", 1), bson.D{{Key: "documentKey", Value: bson.D{{Key: "_id", Value: 2}}}})
		}
	}}
	stream := watch(t, serve(t, s).Database("shop").Collection("orders"), nil, nil)
	expectIDs(t, stream, 1)
	if _, err := stream.Next(within(t)); !errors.Is(err, mongo.ErrMissingResumeToken) || !errors.Is(err, sluice.ErrInvalidToken) {
		t.Errorf("error %v, want a missing token", err)
	}
	if stream.ResumeToken() != wireToken(t, "t1") {
		t.Error("the token moved past the last good event")
	}
}

// TestDriverResumesWithResumeAfter: the driver resumes with resumeAfter what was started with startAfter, which a server
// refuses for the token of an invalidate event.
func TestDriverResumesWithResumeAfter(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: func(n int, name string, body bson.Raw) bson.D {
		stage, _ := body.Lookup("pipeline", "0", "$changeStream").DocumentOK()
		switch {
		case name == "killCursors":
			return killed(body)
		case name == "aggregate" && stage.Lookup("resumeAfter").Type != 0:
			return failure(260)
		case name == "aggregate" && n == 0:
			return cursorReply(1, 10, "invalidate")
		case name == "aggregate":
			return cursorReply(2, 10, "", change("t1", 1))
		case n == 0:
			return nil // the connection breaks
		default:
			return hang
		}
	}}
	stream := watch(t, serve(t, s).Database("shop").Collection("orders"), nil, &sluice.Options{StartAfter: wireToken(t, "invalidate")})
	expectIDs(t, stream, 1)
	if err := stream.Health().LastError; err != nil {
		t.Errorf("health shows %v", err)
	}
}

// TestCloseOpensNothing: a server that answers a killed getMore with CursorNotFound, on which a driver resumes.
func TestCloseOpensNothing(t *testing.T) {
	t.Parallel()
	waiting, dead := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s := &wireServer{}
	s.answer = func(n int, name string, body bson.Raw) bson.D {
		switch name {
		case "killCursors":
			once.Do(func() { close(dead) })
			return killed(body)
		case "aggregate":
			return cursorReply(7, 10, "t0")
		default:
			close(waiting)
			<-dead
			return failure(43)
		}
	}
	stream := watch(t, serve(t, s).Database("shop").Collection("orders"), nil, nil)
	failed := make(chan error, 1)
	go func() { _, err := stream.Next(t.Context()); failed <- err }()
	<-waiting
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, sluice.ErrClosed) {
		t.Errorf("Next: %v", err)
	}
	kills := s.named("killCursors")
	if len(kills) != 1 || kills[0].body.Lookup("cursors", "0").AsInt64() != 7 || kills[0].body.Lookup("killCursors").StringValue() != "orders" {
		t.Errorf("killed %v, want cursor 7 of orders once", kills)
	}
	opened := s.named("aggregate")
	if len(opened) != 1 {
		t.Errorf("%d cursors opened, want 1", len(opened))
	}
	if a, b := opened[0].body.Lookup("lsid"), kills[0].body.Lookup("lsid"); !a.Equal(b) {
		t.Error("the cursor was killed in another session")
	}
}

func TestServerWithoutSessions(t *testing.T) {
	t.Parallel()
	s := &wireServer{noSessions: true, answer: func(n int, name string, body bson.Raw) bson.D {
		switch name {
		case "killCursors":
			return killed(body)
		case "aggregate":
			return cursorReply(1, 10, "t0")
		default:
			return cursorReply(1, 10, "t1", change("t1", 1))
		}
	}}
	stream := watch(t, serve(t, s).Database("shop").Collection("orders"), nil, nil)
	expectIDs(t, stream, 1)
}

// TestSplitStageIsAddedWhereItIsKnown: asked for, the stage is the last one; a server that does not know it is used
// without.
func TestSplitStageIsAddedWhereItIsKnown(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"known": true, "unknown": false} {
		s := &wireServer{answer: func(n int, name string, body bson.Raw) bson.D {
			if name == "killCursors" {
				return killed(body)
			}
			stages, _ := body.Lookup("pipeline").Array().Values()
			last := stages[len(stages)-1].Document().Lookup("$changeStreamSplitLargeEvent")
			switch {
			case name == "aggregate" && n == 0 && (last.Type == 0 || len(stages) != 3):
				t.Errorf("the pipeline %v does not end with the stage", stages)
				return failure(1)
			case name == "aggregate" && last.Type != 0 && !known:
				return failure(40324)
			default:
				return cursorReply(1, 10, "t0")
			}
		}}
		match := mongo.Pipeline{{{Key: "$match", Value: bson.D{}}}}
		watch(t, serve(t, s).Database("shop").Collection("orders"), match, &sluice.Options{SplitLargeEvents: true})
		if n := len(s.starts()); n != map[bool]int{true: 1, false: 2}[known] {
			t.Errorf("%s: %d attempts to open", name, n)
		}
	}
}

// TestSameSessionForEveryCursor: cursors that replace others run in the session of the first one.
func TestSameSessionForEveryCursor(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: func(n int, name string, body bson.Raw) bson.D {
		switch {
		case name == "killCursors":
			return killed(body)
		case name == "aggregate" && (n == 1 || n == 2):
			return nil // the driver's attempt, and its retry
		case name == "aggregate" && n > 2:
			return cursorReply(2, 10, "", change("t1", 1))
		case name == "aggregate":
			return cursorReply(1, 10, "t0")
		case n == 0:
			return nil
		default:
			return hang
		}
	}}
	stream := watch(t, serve(t, s).Database("shop").Collection("orders"), nil, nil)
	expectIDs(t, stream, 1)
	opened := s.named("aggregate")
	for _, c := range opened {
		if !c.body.Lookup("lsid").Equal(opened[0].body.Lookup("lsid")) {
			t.Errorf("another session: %v", c.body)
		}
		if c.body.Lookup("readConcern", "afterClusterTime").Type != 0 {
			t.Errorf("causal consistency: %v", c.body)
		}
	}
}
