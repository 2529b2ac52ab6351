package command

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// waitingStream opens a change stream in a session and lets a getMore of it wait. It returns what currentOp says of that and where its reply will
// come.
func waitingStream(t *testing.T, c *conversation, session bson.D) (shown bson.Raw, reply chan bson.Raw) {
	t.Helper()
	stream := c.ask(t, "db", append(bson.D{
		{Key: "aggregate", Value: "c"}, {Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{}}}}}, {Key: "cursor", Value: bson.D{}},
	}, session...))
	other := c.server.NewConn(ConnInfo{ID: 77, Remote: "192.0.2.1:5", Advertised: "192.0.2.2:6"})
	t.Cleanup(other.Close)
	more, err := bson.Marshal(append(bson.D{
		{Key: "getMore", Value: stream.Lookup("cursor", "id")}, {Key: "collection", Value: "c"}, {Key: "maxTimeMS", Value: 3_600_000}, {Key: "$db", Value: "db"},
	}, session...))
	if err != nil {
		t.Fatal(err)
	}
	reply = make(chan bson.Raw, 1)
	go func() {
		out, _ := other.Run(context.Background(), &Request{Body: more}, nil)
		reply <- bson.Raw(out)
	}()
	for shown == nil {
		got := c.ask(t, "admin", bson.D{{Key: "currentOp", Value: 1}, {Key: "op", Value: "getmore"}})
		shown, _ = got.Lookup("inprog", "0").DocumentOK()
	}
	return shown, reply
}

func someSession(n byte) bson.D { return bson.D{{Key: "lsid", Value: sessionDoc(n)}} }

func sessionDoc(n byte) bson.D {
	return bson.D{{Key: "id", Value: bson.Binary{Subtype: bson.TypeBinaryUUID, Data: append(make([]byte, 15), n)}}}
}

func TestWhatIsUnderWayInASessionIsInterrupted(t *testing.T) {
	t.Parallel()
	uid := bson.Binary{Data: nobody[:]}
	for name, kill := range map[string]bson.D{
		"killSessions":             {{Key: "killSessions", Value: bson.A{sessionDoc(1)}}},
		"killSessions of all":      {{Key: "killSessions", Value: bson.A{}}},
		"killAllSessions":          {{Key: "killAllSessions", Value: bson.A{}}},
		"killAllSessionsByPattern": {{Key: "killAllSessionsByPattern", Value: bson.A{bson.D{{Key: "lsid", Value: append(sessionDoc(1), bson.E{Key: "uid", Value: uid})}}}}},
		"by user":                  {{Key: "killAllSessionsByPattern", Value: bson.A{bson.D{{Key: "uid", Value: uid}}}}},
		"by nothing":               {{Key: "killAllSessionsByPattern", Value: bson.A{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConversation(t)
			_, reply := waitingStream(t, c, someSession(1))
			c.ask(t, "admin", bson.D{{Key: "killSessions", Value: bson.A{sessionDoc(2)}}})
			other := bson.Binary{Data: make([]byte, 32)}
			c.ask(t, "admin", bson.D{{Key: "killAllSessionsByPattern", Value: bson.A{bson.D{{Key: "uid", Value: other}}}}})
			select {
			case got := <-reply:
				t.Fatalf("interrupted with another session: %v", got)
			default:
			}
			c.ask(t, "admin", kill)
			if got := <-reply; got.Lookup("code").Int32() != 11601 {
				t.Errorf("the getMore was answered with %v, want code 11601", got)
			}
		})
	}
}

func TestSessionsThatAreNotNamedGoOn(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	_, reply := waitingStream(t, c, nil) // without a session nothing of these reaches it
	c.ask(t, "admin", bson.D{{Key: "killAllSessions", Value: bson.A{}}})
	c.ask(t, "db", bson.D{{Key: "insert", Value: "c"}, {Key: "documents", Value: bson.A{bson.D{}}}})
	if got := <-reply; got.Lookup("ok").Double() != 1 {
		t.Errorf("the getMore was answered with %v", got)
	}
}

func TestKillOpInterruptsWhatCurrentOpShows(t *testing.T) {
	t.Parallel()
	c := newConversation(t)
	shown, reply := waitingStream(t, c, someSession(1))
	for field, want := range map[string]string{"type": "op", "client": "192.0.2.1:5", "desc": "conn77", "ns": "db.c", "host": "192.0.2.2:6"} {
		if got, _ := shown.Lookup(field).StringValueOK(); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if _, isID := shown.Lookup("command", "getMore").Int64OK(); !isID {
		t.Errorf("the command is shown as %v", shown.Lookup("command"))
	}
	c.ask(t, "admin", bson.D{{Key: "killOp", Value: 1}, {Key: "op", Value: shown.Lookup("opid")}})
	if got := <-reply; got.Lookup("code").Int32() != 11601 {
		t.Errorf("the getMore was answered with %v, want code 11601", got)
	}
	c.ask(t, "db", bson.D{{Key: "ping", Value: 1}})
}

func TestLargeCommandsAreShownWithoutTheirArguments(t *testing.T) {
	t.Parallel()
	large, err := bson.Marshal(bson.D{{Key: "insert", Value: "c"}, {Key: "x", Value: make([]byte, 2*maxCommandShown)}})
	if err != nil {
		t.Fatal(err)
	}
	got := bson.Raw(shortened(large))
	if name, _ := got.Lookup("insert").StringValueOK(); name != "c" || !got.Lookup("$truncated").Boolean() || len(got) > maxCommandShown {
		t.Errorf("shown as %v", got)
	}
}
