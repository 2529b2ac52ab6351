package command

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice/internal/mongoerr"
)

func TestFailPointsNeedTestCommands(t *testing.T) {
	t.Parallel()
	server, err := Open(context.Background(), Config{ReplicaSet: "rs0"})
	if err != nil {
		t.Fatal(err)
	}
	conn := server.NewConn(ConnInfo{})
	reply := send(t, conn, "admin", bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: "off"}})
	if code := reply.Lookup("code").Int32(); code != int32(mongoerr.CommandNotFound) {
		t.Errorf("without test commands: %v", reply)
	}
	conn.Close()
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}

// blocked sets a fail point that holds ping up for good, and runs one. It returns once the command waits.
func blocked(t *testing.T, c *conversation) (disconnect func(), reply <-chan bson.Raw) {
	t.Helper()
	c.ask(t, "admin", bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: "alwaysOn"}, {Key: "data", Value: bson.D{
		{Key: "failCommands", Value: bson.A{"ping"}}, {Key: "blockConnection", Value: true}, {Key: "blockTimeMS", Value: 3_600_000},
	}}})
	waits := make(chan func(), 1)
	conn := c.server.NewConn(ConnInfo{WatchDisconnect: func(cancel func()) func() {
		waits <- cancel
		return func() {}
	}})
	t.Cleanup(conn.Close)
	replies := make(chan bson.Raw, 1)
	go func() { replies <- send(t, conn, "db", bson.D{{Key: "ping", Value: 1}}) }()
	return <-waits, replies
}

func TestBlockedCommandEndsWithItsClient(t *testing.T) {
	t.Parallel()
	disconnect, reply := blocked(t, newConversation(t))
	disconnect()
	if r := <-reply; r.Lookup("code").Int32() != int32(mongoerr.Interrupted) {
		t.Errorf("the client has gone: %v", r)
	}
}

func TestBlockedCommandEndsWithTheServer(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	_, reply := blocked(t, c)
	c.server.Stop()
	if r := <-reply; r.Lookup("code").Int32() != int32(mongoerr.InterruptedAtShutdown) {
		t.Errorf("the server stops: %v", r)
	}
}

func TestFailBeforeARetryableWriteIsCommitted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		data   bson.D
		hangUp bool
		code   mongoerr.Code
	}{
		"hang up":            {bson.D{}, true, 0},
		"fail and hang up":   {bson.D{{Key: "failBeforeCommitExceptionCode", Value: 2}}, true, mongoerr.BadValue},
		"fail":               {bson.D{{Key: "failBeforeCommitExceptionCode", Value: 2}, {Key: "closeConnection", Value: false}}, false, mongoerr.BadValue},
		"nothing to be done": {bson.D{{Key: "closeConnection", Value: false}}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConversation(t)
			c.ask(t, "admin", bson.D{
				{Key: "configureFailPoint", Value: failTransactionalWrites},
				{Key: "mode", Value: bson.D{{Key: "times", Value: 1}}},
				{Key: "data", Value: test.data},
			})
			plain := &operation{server: c.server}
			if err := failRetryable(plain); err != nil || plain.hangUp {
				t.Fatalf("a write that cannot be retried ran into it: %v", err)
			}
			op := &operation{server: c.server, session: &session{}}
			err := failRetryable(op)
			if test.code == 0 && err != nil || test.code != 0 && !mongoerr.Is(err, test.code) || op.hangUp != test.hangUp {
				t.Errorf("error %v, hang up %v; want code %d, %v", err, op.hangUp, test.code, test.hangUp)
			}
			again := &operation{server: c.server, session: &session{}}
			if err := failRetryable(again); err != nil || again.hangUp {
				t.Errorf("it fails a second time: %v", err)
			}
		})
	}
}

func TestTimeLimitsThatAreOver(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{}, bson.D{}, bson.D{}}}})
	limited := func(name string, value any, more ...bson.E) bson.D {
		return append(bson.D{{Key: name, Value: value}, {Key: "maxTimeMS", Value: 600_000}}, more...)
	}
	find := limited("find", "c", bson.E{Key: "batchSize", Value: 1})
	begun := c.ask(t, "db", find).Lookup("cursor", "id").Int64()
	stream := c.ask(t, "db", bson.D{{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}}, {Key: "cursor", Value: bson.D{}}})
	c.ask(t, "admin", bson.D{{Key: "configureFailPoint", Value: "maxTimeAlwaysTimeOut"}, {Key: "mode", Value: "alwaysOn"}})
	for name, command := range map[string]bson.D{
		"a find":              find,
		"a write":             limited("insert", "c", bson.E{Key: "documents", Value: bson.A{bson.D{}}}),
		"a getMore of a find": {{Key: "getMore", Value: begun}, {Key: "collection", Value: "c"}},
	} {
		if reply := send(t, c.conn, "db", command); reply.Lookup("code").Int32() != int32(mongoerr.MaxTimeMSExpired) {
			t.Errorf("%s: %v", name, reply)
		}
	}
	c.ask(t, "db", bson.D{{Key: "find", Value: "c"}})
	c.ask(t, "db", bson.D{{Key: "getMore", Value: stream.Lookup("cursor", "id")}, {Key: "collection", Value: "c"}, {Key: "maxTimeMS", Value: 1}})
	c.ask(t, "admin", bson.D{{Key: "configureFailPoint", Value: "maxTimeAlwaysTimeOut"}, {Key: "mode", Value: "off"}})
	c.ask(t, "db", find)
}

func TestFailPointOfAnApplicationMeetsItsFirstHello(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	c.ask(t, "admin", bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: "alwaysOn"}, {Key: "data", Value: bson.D{
		{Key: "failCommands", Value: bson.A{"hello", "isMaster"}}, {Key: "errorCode", Value: 1234}, {Key: "appName", Value: "failing"},
	}}})
	hello := func(name string) bson.Raw {
		conn := c.server.NewConn(ConnInfo{})
		t.Cleanup(conn.Close)
		return send(t, conn, "admin", bson.D{{Key: "hello", Value: 1}, {Key: "client", Value: bson.D{{Key: "application", Value: bson.D{{Key: "name", Value: name}}}}}})
	}
	if reply := hello("failing"); reply.Lookup("code").Int32() != 1234 {
		t.Errorf("hello of the application that is to fail: %v", reply)
	}
	if reply := hello("other"); reply.Lookup("ok").Double() != 1 {
		t.Errorf("hello of another application: %v", reply)
	}
}
