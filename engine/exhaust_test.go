package engine

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/wire"
)

// oneOfMany is a reply of several to one request.
type oneOfMany struct {
	id, responseTo int32
	more           bool
	body           bson.Raw
}

func receiveOneOfMany(t *testing.T, c net.Conn) oneOfMany {
	t.Helper()
	head := make([]byte, opMsgBody)
	if _, err := io.ReadFull(c, head); err != nil {
		t.Fatalf("receive: %v", err)
	}
	body := make([]byte, int(binary.LittleEndian.Uint32(head))-opMsgBody)
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatalf("receive: %v", err)
	}
	at := func(i int) int32 { return int32(binary.LittleEndian.Uint32(head[i:])) }
	return oneOfMany{id: at(4), responseTo: at(8), more: wire.Flags(at(16))&wire.MoreToCome != 0, body: body}
}

func TestManyRepliesToOneRequest(t *testing.T) {
	t.Parallel()
	overEach(t, func(t *testing.T, dial func(*testing.T, *Engine) net.Conn) {
		n := 0
		e, _ := start(t, newScripted(script{"count": func(context.Context, call) bson.D {
			if n++; n == 3 {
				return bson.D{{Key: "n", Value: n}}
			}
			return bson.D{{Key: "n", Value: n}, {Key: "more", Value: true}}
		}}), Config{})
		c := dial(t, e)
		send(t, c, message(77, wire.ExhaustAllowed, bson.D{{Key: "count", Value: 1}}))
		to := int32(77)
		for i := range int32(3) {
			got := receiveOneOfMany(t, c)
			if got.responseTo != to || got.more != (i < 2) || got.body.Lookup("n").Int32() != i+1 {
				t.Fatalf("reply %d answers %d with %v, more to come: %v; want it to answer %d", i, got.responseTo, got.body, got.more, to)
			}
			to = got.id
		}
		ping(t, c)
	})
}

func TestManyRepliesEndWithTheConnection(t *testing.T) {
	t.Parallel()
	e, log := start(t, newScripted(script{"count": func(context.Context, call) bson.D {
		return bson.D{{Key: "more", Value: true}}
	}}), Config{})
	c := dialed["tcp"](t, e)
	send(t, c, message(1, wire.ExhaustAllowed, bson.D{{Key: "count", Value: 1}}))
	receiveOneOfMany(t, c)
	c.Close()
	if err := e.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if lines := log.lines(); len(lines) != 0 {
		t.Errorf("logged %q", lines)
	}
}

func TestShutdownEndsManyReplies(t *testing.T) {
	t.Parallel()
	b := newScripted(nil)
	begun := make(chan struct{}, 1)
	b.commands = script{"news": func(context.Context, call) bson.D {
		begun <- struct{}{}
		<-b.drained
		return bson.D{{Key: "more", Value: true}}
	}}
	e, _ := start(t, b, Config{})
	c := dialed["tcp"](t, e)
	send(t, c, message(1, wire.ExhaustAllowed, bson.D{{Key: "news", Value: 1}}))
	<-begun
	if err := e.Shutdown(t.Context()); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	receiveOneOfMany(t, c)
	wantEnd(t, c)
}
