package sluice_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"

	"github.com/sluicestream/sluice"
)

// orders is the collection of a scripted server.
func orders(t *testing.T, s *wireServer, configure ...func(*options.ClientOptions)) *mongo.Collection {
	t.Helper()
	return serve(t, s, configure...).Database("shop").Collection("orders")
}

// startOf returns the start option of the nth cursor that was opened: its name and token or time.
func (s *wireServer) startOf(t *testing.T, n int) string {
	t.Helper()
	starts := s.starts()
	if n >= len(starts) {
		t.Fatalf("%d cursors were opened, want more than %d", len(starts), n)
	}
	var found []string
	for _, name := range []string{"startAfter", "resumeAfter"} {
		if token, ok := starts[n].Lookup(name).DocumentOK(); ok {
			found = append(found, name+" "+token.Lookup("_data").StringValue())
		}
	}
	if at := starts[n].Lookup("startAtOperationTime"); at.Type != 0 {
		found = append(found, "startAtOperationTime "+at.String())
	}
	return strings.Join(found, ", ")
}

// TestSwapWithTheSameCursorID: the driver resumes by itself from a stale token, on a server that gives the new cursor the
// id of the old one. No event comes twice.
// contract: T6, R2, G8
func TestSwapWithTheSameCursorID(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: replies{
		opens: []bson.D{
			cursorReply(1, 10, "t0"),
			cursorReply(1, 10, "", change("t2", 2), change("t3", 3)), // the driver's, from t1
			cursorReply(1, 10, "", change("t4", 4)),
		},
		mores: []bson.D{cursorReply(1, 10, "t1", change("t1", 1)), cursorReply(1, 10, "", change("t2", 2), change("t3", 3)), failure(43)},
	}.answer}
	stream := watch(t, orders(t, s), nil, nil)
	expectIDs(t, stream, 1, 2, 3, 4)
	if got := s.startOf(t, 2); got != "resumeAfter t3" {
		t.Errorf("went on at %s", got)
	}
	if n := stream.Health().Resumes; n != 1 {
		t.Errorf("%d resumes, want 1", n)
	}
}

// TestResumeWithinOneTryNext: when the getMore fails, one TryNext sends one getMore and one aggregate, whose first batch is
// read without another getMore.
// contract: B3
func TestResumeWithinOneTryNext(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: replies{
		opens: []bson.D{cursorReply(1, 10, "t0"), cursorReply(2, 10, "t1"), cursorReply(3, 10, "", change("t2", 2))},
		mores: []bson.D{failure(43), failure(43)},
	}.answer}
	stream := watch(t, orders(t, s), nil, nil)
	if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
		t.Fatalf("an empty first batch: %v, %v", ok, err)
	}
	if opened, sent := len(s.named("aggregate")), len(s.named("getMore")); opened != 2 || sent != 1 {
		t.Errorf("%d aggregates and %d getMores, want 2 and 1", opened, sent)
	}
	if stream.ResumeToken() != wireToken(t, "t1") {
		t.Error("the token of the new cursor's empty batch is not the position")
	}
	if e, ok, err := stream.TryNext(within(t)); !ok || err != nil || e.DocumentKey().Lookup("_id").AsInt64() != 2 {
		t.Fatalf("a first batch with an event: %v, %v, %v", e.Raw(), ok, err)
	}
	if opened, sent := len(s.named("aggregate")), len(s.named("getMore")); opened != 3 || sent != 2 {
		t.Errorf("%d aggregates and %d getMores, want 3 and 2", opened, sent)
	}
}

// TestFinalErrorsOverTheWire: what a server says to a getMore, or to the aggregate that is to resume, and ends the stream.
// contract: E2, E5, E8, S6, G5
func TestFinalErrorsOverTheWire(t *testing.T) {
	t.Parallel()
	withMessage := func(code int, message string) bson.D {
		reply := failure(code)
		reply[2].Value = message
		return reply
	}
	cases := map[string]struct {
		more, open bson.D
		code       int32
		op         string
		is         error
	}{
		"code of the old list without the label": {failure(6), nil, 6, "getMore", nil},
		"not primary without the label":          {failure(10107), nil, 10107, "getMore", nil},
		"cursor killed":                          {failure(237), nil, 237, "getMore", nil},
		"history lost":                           {failure(286), nil, 286, "getMore", sluice.ErrHistoryLost},
		"too large":                              {failure(10334), nil, 10334, "getMore", sluice.ErrTooLarge},
		"changed _id":                            {failure(280), nil, 280, "getMore", sluice.ErrInvalidToken},
		"280 with history":                       {withMessage(280, "resume point may no longer be in the oplog"), nil, 280, "getMore", sluice.ErrHistoryLost},
		"resume is unauthorized":                 {failure(43), failure(13), 13, "resume", nil},
		"resume finds history lost":              {failure(43), failure(286), 286, "resume", sluice.ErrHistoryLost},
		"resume with a token refused":            {failure(43), failure(260), 260, "resume", sluice.ErrInvalidToken},
		"resume with an unreadable token":        {failure(43), failure(50811), 50811, "resume", nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wireServer{answer: replies{
				opens: []bson.D{cursorReply(1, 10, "t0"), c.open},
				mores: []bson.D{cursorReply(1, 10, "t1", change("t1", 1)), c.more},
			}.answer}
			stream := watch(t, orders(t, s), nil, nil)
			expectIDs(t, stream, 1)
			_, err := stream.Next(within(t))
			failed, ok := errors.AsType[*sluice.Error](err)
			if !ok || failed.Code != c.code || failed.Op != c.op || failed.Name != "Scripted" || failed.Token != wireToken(t, "t1") {
				t.Fatalf("%v (%+v), want code %d of %s", err, failed, c.code, c.op)
			}
			for _, sentinel := range []error{sluice.ErrHistoryLost, sluice.ErrInvalidToken, sluice.ErrTooLarge} {
				if want := c.is != nil && errors.Is(c.is, sentinel); errors.Is(err, sentinel) != want {
					t.Errorf("%v: is it %v? want %v", err, sentinel, want)
				}
			}
			if _, ok, again := stream.TryNext(within(t)); ok || !errors.Is(again, err) {
				t.Errorf("later: %v, %v", ok, again)
			}
			if stream.Alive() || stream.ResumeToken() != wireToken(t, "t1") || !errors.Is(stream.Health().LastError, err) {
				t.Errorf("alive %v, token %v, health %v", stream.Alive(), stream.ResumeToken(), stream.Health().LastError)
			}
		})
	}
}

// TestOldServersAreRefused: servers before MongoDB 4.4, whose errors have no labels, are none that the driver talks to.
// contract: E7
func TestOldServersAreRefused(t *testing.T) {
	t.Parallel()
	s := &wireServer{hello: func(string) bson.D { return bson.D{{Key: "maxWireVersion", Value: 8}} }, answer: replies{}.answer}
	if _, err := sluice.Watch[order](within(t), orders(t, s), nil, nil); err == nil || !strings.Contains(err.Error(), "wire version") {
		t.Errorf("%v, want the wire version", err)
	}
}

// TestNetworkErrorIsNotTheEnd: a connection that breaks gives io.EOF, which from a stream means that it has ended.
// contract: E12, N3
func TestNetworkErrorIsNotTheEnd(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: replies{opens: []bson.D{cursorReply(1, 10, "t0"), nil, nil, nil, nil, nil, nil}, mores: []bson.D{nil}}.answer}
	stream := watch(t, orders(t, s), nil, &sluice.Options{Retry: sluice.Retry{MaxElapsed: 200 * time.Millisecond, MaxBackoff: 10 * time.Millisecond}})
	var yielded []error
	for _, err := range stream.All(within(t)) {
		yielded = append(yielded, err)
	}
	if len(yielded) != 1 {
		t.Fatalf("All yielded %v, want the failure", yielded)
	}
	err := yielded[0]
	for _, not := range []error{io.EOF, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, not) {
			t.Errorf("%v is %v", err, not)
		}
	}
	if _, ok := errors.AsType[*sluice.Error](err); !ok {
		t.Errorf("%v is no *Error", err)
	}
	if _, ok := errors.AsType[mongo.CommandError](err); !ok {
		t.Errorf("%v: the driver's error cannot be had", err)
	}
}

// TestMissingTokens: an event without a usable _id ends the stream wherever it stands in its batch, after the events before
// it, and never becomes the position.
// contract: E11, G9, P2
func TestMissingTokens(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]any{"missing": nil, "null": bson.Null{}, "a number": 7, "an empty document": bson.D{}} {
		for place := range 3 {
			t.Run(name+" "+string(rune('0'+place)), func(t *testing.T) {
				t.Parallel()
				events := []bson.D{change("t1", 1), change("t2", 2), change("t3", 3)}
				events[place] = events[place][1:]
				if id != nil {
					events[place] = append(bson.D{{Key: "_id", Value: id}}, events[place]...)
				}
				s := &wireServer{answer: replies{opens: []bson.D{cursorReply(1, 10, "t0")}, mores: []bson.D{cursorReply(1, 10, "t9", events...)}}.answer}
				stream := watch(t, orders(t, s), nil, nil)
				for want := 1; want <= place; want++ {
					expectIDs(t, stream, want)
				}
				_, err := stream.Next(within(t))
				failed, ok := errors.AsType[*sluice.Error](err)
				if !ok || !errors.Is(err, sluice.ErrInvalidToken) || failed.Op != "getMore" || !strings.Contains(err.Error(), "_id") {
					t.Errorf("%v, want a missing token of a getMore", err)
				}
				if want := wireToken(t, "t"+string(rune('0'+place))); stream.ResumeToken() != want {
					t.Errorf("the position is %v, want %v", stream.ResumeToken(), want)
				}
			})
		}
	}
}

// TestNoPositionToGoOnFrom: a server gave neither token nor time before its cursor was lost. The stream does not start anew
// in silence.
// contract: T4
func TestNoPositionToGoOnFrom(t *testing.T) {
	t.Parallel()
	bare := func(id int64) bson.D {
		reply := cursorReply(id, 10, "")
		return reply[:2]
	}
	s := &wireServer{answer: replies{opens: []bson.D{bare(1), bare(2), bare(3)}, mores: []bson.D{bare(1), failure(43)}}.answer}
	stream := watch(t, orders(t, s), nil, nil)
	stream.SetMaxAwaitTime(time.Second) // which does not give the cursor up
	if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
		t.Fatalf("TryNext: %v, %v", ok, err)
	}
	if _, err := stream.Next(within(t)); !errors.Is(err, sluice.ErrHistoryLost) {
		t.Errorf("%v, want ErrHistoryLost", err)
	}
}

// TestInvalidateEndsAtOnce: servers end the cursor with the invalidate event, or one getMore later. The stream ends with the
// event in both cases, and sends nothing more.
// contract: S7, S8, G11
func TestInvalidateEndsAtOnce(t *testing.T) {
	t.Parallel()
	last := change("t2", 2)
	last[1].Value = "invalidate"
	for name, id := range map[string]int64{"with the event": 0, "one getMore later": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wireServer{answer: replies{opens: []bson.D{cursorReply(1, 10, "t0")}, mores: []bson.D{cursorReply(id, 10, "t2", change("t1", 1), last)}}.answer}
			stream := watch(t, orders(t, s), nil, nil)
			expectIDs(t, stream, 1)
			if !stream.Alive() {
				t.Error("not alive with the event waiting")
			}
			expectIDs(t, stream, 2)
			if stream.Alive() {
				t.Error("alive after the end")
			}
			if _, err := stream.Next(within(t)); !errors.Is(err, io.EOF) {
				t.Errorf("%v, want io.EOF", err)
			}
			if _, ok, err := stream.TryNext(within(t)); ok || !errors.Is(err, io.EOF) {
				t.Errorf("TryNext: %v, %v, want io.EOF", ok, err)
			}
			if n := len(s.named("getMore")); n != 1 {
				t.Errorf("%d getMores, want 1", n)
			}
			if stream.ResumeToken() != wireToken(t, "t2") {
				t.Error("the token is not that of the invalidate event")
			}
		})
	}
}

// TestClosedStreamIsSilent: after Close nothing is handed out of the buffer, nothing is sent, the token stays.
// contract: S9, S10, G10, P8, E9
func TestClosedStreamIsSilent(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]bool{"before the first read": false, "with a buffer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wireServer{}
			s.answer = func(n int, name string, body bson.Raw) bson.D {
				if name == "killCursors" {
					return failure(13) // which Close does not report
				}
				return replies{opens: []bson.D{cursorReply(1, 10, "t0")}, mores: []bson.D{cursorReply(1, 10, "t9", change("t1", 1), change("t2", 2))}}.answer(n, name, body)
			}
			stream := watch(t, orders(t, s), nil, nil)
			want := "t0"
			if read {
				expectIDs(t, stream, 1)
				want = "t1"
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if err := stream.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
			}
			wg.Wait()
			if n := len(s.named("killCursors")); n != 1 {
				t.Errorf("%d killCursors, want 1", n)
			}
			before := len(s.named("getMore")) + len(s.named("aggregate"))
			if _, err := stream.Next(within(t)); !errors.Is(err, sluice.ErrClosed) {
				t.Errorf("Next: %v", err)
			}
			if _, ok, err := stream.TryNext(within(t)); ok || !errors.Is(err, sluice.ErrClosed) {
				t.Errorf("TryNext: %v, %v", ok, err)
			}
			for e, err := range stream.All(within(t)) {
				t.Errorf("All: %v, %v", e.Raw(), err)
			}
			if after := len(s.named("getMore")) + len(s.named("aggregate")); after != before {
				t.Errorf("%d commands after Close", after-before)
			}
			if stream.Alive() || stream.ResumeToken() != wireToken(t, want) {
				t.Errorf("alive %v, token %v", stream.Alive(), stream.ResumeToken())
			}
		})
	}
}

// TestDisconnectedClientIsFinal: no stream goes on after its client has ended.
// contract: E13
func TestDisconnectedClientIsFinal(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: replies{opens: []bson.D{cursorReply(1, 10, "t0")}, mores: []bson.D{cursorReply(1, 10, "t1", change("t1", 1))}}.answer}
	client := serve(t, s)
	stream := watch(t, client.Database("shop").Collection("orders"), nil, &sluice.Options{ReadAhead: sluice.ReadAhead{Off: true}})
	expectIDs(t, stream, 1)
	if err := client.Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Next(within(t)); !errors.Is(err, mongo.ErrClientDisconnected) {
		t.Errorf("%v, want ErrClientDisconnected", err)
	}
}

// TestSessionEndedEarly: whoever ends the session of a stream is told so.
// contract: L3
func TestSessionEndedEarly(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: replies{opens: []bson.D{cursorReply(1, 10, "t0")}, mores: []bson.D{cursorReply(1, 10, "t1", change("t1", 1))}}.answer}
	client := serve(t, s)
	session, err := client.StartSession()
	if err != nil {
		t.Fatal(err)
	}
	stream := watch(t, client.Database("shop").Collection("orders"), nil, &sluice.Options{Session: session, ReadAhead: sluice.ReadAhead{Off: true}})
	expectIDs(t, stream, 1)
	session.EndSession(t.Context())
	if _, err := stream.Next(within(t)); err == nil || !strings.Contains(err.Error(), "Options.Session") {
		t.Errorf("%v, want a hint at the session", err)
	}
	if stream.Alive() {
		t.Error("alive")
	}
}

// TestSessionOfTheContext: a session in Watch's context is used as Options.Session is; those of later contexts are not.
// contract: L4, G13
func TestSessionOfTheContext(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: replies{opens: []bson.D{cursorReply(1, 10, "t0"), cursorReply(2, 10, "", change("t1", 1))}, mores: []bson.D{failure(43)}}.answer}
	client := serve(t, s)
	var sessions [2]*mongo.Session
	for i := range sessions {
		session, err := client.StartSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.EndSession(context.Background())
		sessions[i] = session
	}
	stream, err := sluice.Watch[order](mongo.NewSessionContext(t.Context(), sessions[0]), client.Database("shop").Collection("orders"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Next(mongo.NewSessionContext(within(t), sessions[1])); err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aggregate", "getMore", "killCursors"} {
		for _, c := range s.named(name) {
			if got := c.body.Lookup("lsid").Document(); !bytes.Equal(got, sessions[0].ID()) {
				t.Errorf("%s runs in session %v", name, got)
			}
		}
	}
}

// TestArgumentsAreCopied: what the caller does to the arguments after Watch does not reach a cursor that is opened later.
// contract: V3
func TestArgumentsAreCopied(t *testing.T) {
	t.Parallel()
	s := &wireServer{answer: replies{opens: []bson.D{cursorReply(1, 10, "t0"), nil, nil, cursorReply(2, 10, "", change("t1", 1))}, mores: []bson.D{failure(43)}}.answer}
	match := bson.D{{Key: "a", Value: bson.A{1}}}
	pipeline := mongo.Pipeline{{{Key: "$match", Value: match}}}
	comment := bson.D{{Key: "who", Value: "me"}}
	collation := &options.Collation{Locale: "fr"}
	opts := &sluice.Options{Comment: comment, Collation: collation}
	stream := watch(t, orders(t, s), pipeline, opts)
	match[0].Value.(bson.A)[0] = 2
	match[0].Key, comment[0].Value, collation.Locale = "b", "you", "de"
	pipeline[0] = bson.D{{Key: "$project", Value: bson.D{}}}
	*opts = sluice.Options{}
	expectIDs(t, stream, 1)
	opened := s.named("aggregate")
	for _, c := range opened {
		if !c.body.Lookup("pipeline", "1").Equal(opened[0].body.Lookup("pipeline", "1")) || c.body.Lookup("comment", "who").StringValue() != "me" ||
			c.body.Lookup("collation", "locale").StringValue() != "fr" {
			t.Errorf("opened with %v", c.body)
		}
	}
}

// TestResumesKeepReadConcernAndPreference on every cursor.
// contract: O5, P6
func TestResumesKeepReadConcernAndPreference(t *testing.T) {
	t.Parallel()
	s := &wireServer{
		uri: "mongodb://primary:1,secondary:2/?replicaSet=rs",
		hello: func(host string) bson.D {
			secondary := strings.HasPrefix(host, "secondary")
			return bson.D{{Key: "hosts", Value: bson.A{"primary:1", "secondary:2"}}, {Key: "isWritablePrimary", Value: !secondary}, {Key: "secondary", Value: secondary}}
		},
		answer: replies{
			opens: []bson.D{cursorReply(1, 10, "t0"), failure(11600), failure(11600), cursorReply(2, 10, "", change("t1", 1))},
			mores: []bson.D{failure(43), cursorReply(2, 10, "t2", change("t2", 2))},
		}.answer,
	}
	client := serve(t, s, func(o *options.ClientOptions) { o.SetHeartbeatInterval(500 * time.Millisecond) })
	coll := client.Database("shop").Collection("orders", options.Collection().SetReadConcern(readconcern.Majority()).SetReadPreference(readpref.Secondary()))
	// Nothing is under way when the stream is closed: see TestForgottenCursorIsKilledOnItsServer.
	stream := watch(t, coll, nil, &sluice.Options{ReadAhead: sluice.ReadAhead{Off: true}})
	expectIDs(t, stream, 1, 2)
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"aggregate", "getMore", "killCursors"} {
		for _, c := range s.named(name) {
			if c.host != "secondary:2" {
				t.Errorf("%s went to %s", name, c.host)
			}
			if name == "aggregate" && (c.body.Lookup("readConcern", "level").StringValue() != "majority" || c.body.Lookup("$readPreference", "mode").StringValue() != "secondary") {
				t.Errorf("opened with %v", c.body)
			}
		}
	}
	if n := len(s.named("aggregate")); n != 4 {
		t.Errorf("%d aggregates, want 4", n)
	}
}

// TestForgottenCursorIsKilledOnItsServer: one whose getMore is under way at Close is forgotten by the driver, and then is
// killed wherever it is.
// contract: K1
func TestForgottenCursorIsKilledOnItsServer(t *testing.T) {
	t.Parallel()
	waiting := make(chan struct{})
	s := &wireServer{
		uri: "mongodb://primary:1,secondary:2/?replicaSet=rs",
		hello: func(host string) bson.D {
			secondary := host == "secondary:2"
			return bson.D{{Key: "hosts", Value: bson.A{"primary:1", "secondary:2"}}, {Key: "isWritablePrimary", Value: !secondary}, {Key: "secondary", Value: secondary}}
		},
	}
	s.answer = func(_ int, name string, body bson.Raw) bson.D {
		switch name {
		case "aggregate":
			return cursorReply(7, 10, "t0")
		case "getMore":
			close(waiting)
			return hang
		case "killSessions":
			return bson.D{{Key: "ok", Value: 1}}
		default:
			if kills := s.named("killCursors"); kills[len(kills)-1].host != "secondary:2" {
				return bson.D{{Key: "ok", Value: 1}, {Key: "cursorsKilled", Value: bson.A{}}}
			}
			return killed(body)
		}
	}
	client := serve(t, s, func(o *options.ClientOptions) { o.SetHeartbeatInterval(500 * time.Millisecond) })
	coll := client.Database("shop").Collection("orders", options.Collection().SetReadPreference(readpref.Secondary()))
	stream := watch(t, coll, nil, nil)
	closeWhileNext(t, stream, waiting)
	kills := s.named("killCursors")
	if len(kills) == 0 || kills[len(kills)-1].host != "secondary:2" || kills[len(kills)-1].body.Lookup("cursors", "0").AsInt64() != 7 {
		t.Errorf("killed %v, want cursor 7 on the secondary at last", kills)
	}
}

// TestCursorStaysOnItsRouter: with several mongos every command about a cursor goes to the one that has it.
// contract: K1
func TestCursorStaysOnItsRouter(t *testing.T) {
	t.Parallel()
	s := &wireServer{
		uri: "mongodb://one:1,two:2,three:3/",
		hello: func(string) bson.D {
			return bson.D{{Key: "setName"}, {Key: "hosts"}, {Key: "msg", Value: "isdbgrid"}}
		},
	}
	s.answer = func(n int, name string, body bson.Raw) bson.D {
		switch {
		case name == "killCursors":
			return killed(body)
		case name == "aggregate":
			return cursorReply(int64(n+1), 10, "t0")
		case n%4 == 3:
			return failure(43)
		default:
			return cursorReply(body.Lookup("getMore").AsInt64(), 10, "t1", change("t1", 1))
		}
	}
	client := serve(t, s)
	for range 4 {
		// Nothing is under way when a stream is closed: a cursor that the driver has given up is killed wherever one has it.
		stream := watch(t, client.Database("shop").Collection("orders"), nil, &sluice.Options{ReadAhead: sluice.ReadAhead{Off: true}})
		expectIDs(t, stream, 1, 1, 1, 1)
		if err := stream.Close(); err != nil {
			t.Fatal(err)
		}
	}
	at := map[int64]string{}
	for i, c := range s.named("aggregate") {
		at[int64(i+1)] = c.host
	}
	for _, c := range s.named("getMore") {
		if id := c.body.Lookup("getMore").AsInt64(); at[id] != c.host {
			t.Errorf("a getMore of cursor %d went to %s, not to %s", id, c.host, at[id])
		}
	}
	for _, c := range s.named("killCursors") {
		if id := c.body.Lookup("cursors", "0").AsInt64(); at[id] != c.host {
			t.Errorf("cursor %d was killed on %s, not on %s", id, c.host, at[id])
		}
	}
}

// TestCursorStaysOnItsConnection: behind a load balancer a cursor lives with the connection that opened it.
// contract: K2
func TestCursorStaysOnItsConnection(t *testing.T) {
	t.Parallel()
	s := &wireServer{
		uri: "mongodb://balancer:1/?loadBalanced=true",
		hello: func(string) bson.D {
			return bson.D{{Key: "setName"}, {Key: "hosts"}, {Key: "msg", Value: "isdbgrid"}, {Key: "serviceId", Value: bson.ObjectID{1}}}
		},
		answer: replies{
			opens: []bson.D{cursorReply(1, 10, "t0"), cursorReply(2, 10, "t2")},
			mores: []bson.D{cursorReply(1, 10, "t1", change("t1", 1)), nil, cursorReply(2, 10, "t3", change("t3", 3)), cursorReply(2, 10, "t4", change("t4", 4))},
		}.answer,
	}
	client := serve(t, s)
	stream := watch(t, client.Database("shop").Collection("orders"), nil, nil)
	expectIDs(t, stream, 1, 3, 4)
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	at := map[int64]int{}
	for i, c := range s.named("aggregate") {
		at[int64(i+1)] = c.conn
	}
	for _, c := range s.named("getMore") {
		if id := c.body.Lookup("getMore").AsInt64(); at[id] != c.conn {
			t.Errorf("a getMore of cursor %d came by connection %d, not %d", id, c.conn, at[id])
		}
	}
	if at[1] == at[2] {
		t.Error("the connection that broke is in use")
	}
}

// TestStartOfTheNextCursor: a cursor that replaces another asks for the same events, from the right place.
// contract: P3, P11, P7, P13, P14, P17, P18, R1, R4, R5, G6, G7
func TestStartOfTheNextCursor(t *testing.T) {
	t.Parallel()
	at := bson.Timestamp{T: 7, I: 1}
	cases := map[string]struct {
		opts *sluice.Options
		open bson.D
		more []bson.D
		want string
	}{
		"now, with a batch token":                 {nil, cursorReply(1, 10, "t0"), nil, "resumeAfter t0"},
		"now, without one":                        {nil, cursorReply(1, 10, ""), nil, `startAtOperationTime {"$timestamp":{"t":10,"i":0}}`},
		"now, without one, and idle replies":      {nil, cursorReply(1, 10, ""), []bson.D{cursorReply(1, 30, "")}, `startAtOperationTime {"$timestamp":{"t":10,"i":0}}`},
		"operation time":                          {&sluice.Options{StartAtOperationTime: at}, cursorReply(1, 10, ""), nil, `startAtOperationTime {"$timestamp":{"t":7,"i":1}}`},
		"operation time, with a batch token":      {&sluice.Options{StartAtOperationTime: at}, cursorReply(1, 10, "t0"), nil, "resumeAfter t0"},
		"resumeAfter":                             {&sluice.Options{ResumeAfter: wireToken(t, "r")}, cursorReply(1, 10, ""), nil, "resumeAfter r"},
		"startAfter":                              {&sluice.Options{StartAfter: wireToken(t, "s")}, cursorReply(1, 10, ""), nil, "startAfter s"},
		"startAfter, with a batch token":          {&sluice.Options{StartAfter: wireToken(t, "s")}, cursorReply(1, 10, "t0"), nil, "startAfter t0"},
		"startAfter, after an event":              {&sluice.Options{StartAfter: wireToken(t, "s")}, cursorReply(1, 10, ""), []bson.D{cursorReply(1, 10, "", change("t1", 1))}, "resumeAfter t1"},
		"drained batch with a token":              {nil, cursorReply(1, 10, "t0"), []bson.D{cursorReply(1, 10, "t5", change("t1", 1))}, "resumeAfter t5"},
		"drained batch without":                   {nil, cursorReply(1, 10, "t0"), []bson.D{cursorReply(1, 10, "", change("t1", 1))}, "resumeAfter t1"},
		"idle reply with a token":                 {nil, cursorReply(1, 10, "t0"), []bson.D{cursorReply(1, 10, "t6")}, "resumeAfter t6"},
		"idle reply without, after a drained one": {nil, cursorReply(1, 10, "t0"), []bson.D{cursorReply(1, 10, "t5", change("t1", 1)), cursorReply(1, 10, "")}, "resumeAfter t5"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wireServer{}
			s.answer = func(n int, name string, body bson.Raw) bson.D {
				list := replies{opens: []bson.D{c.open}, mores: append(c.more, failure(43))}
				if name == "aggregate" && n > 0 {
					stage := body.Lookup("pipeline", "0", "$changeStream").Document()
					if c.opts != nil && !c.opts.StartAfter.IsZero() && len(c.more) == 0 && stage.Lookup("resumeAfter").Type != 0 {
						return failure(260) // the driver's; what the stream itself sends is what counts
					}
					return cursorReply(int64(n+1), 50, "", change("t99", 99))
				}
				return list.answer(n, name, body)
			}
			stream := watch(t, orders(t, s), mongo.Pipeline{{{Key: "$match", Value: bson.D{}}}}, c.opts)
			for {
				e, err := stream.Next(within(t))
				if err != nil {
					t.Fatal(err)
				}
				if e.DocumentKey().Lookup("_id").AsInt64() == 99 {
					break
				}
			}
			opened := s.named("aggregate")
			if got := s.startOf(t, len(opened)-1); got != c.want {
				t.Errorf("went on at %s, want %s", got, c.want)
			}
			for _, c := range opened {
				if stages, _ := c.body.Lookup("pipeline").Array().Values(); len(stages) != 2 {
					t.Errorf("the pipeline of a resumed cursor is %v", stages)
				}
			}
			if err := stream.Health().LastError; err != nil {
				t.Errorf("health shows %v", err)
			}
		})
	}
}

// TestLogsTellNoContents: texts of the server may quote documents and tokens; addresses may hold passwords.
// contract: X1
func TestLogsTellNoContents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(lockedWriter{&mu, &log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	telling := func(code int) bson.D {
		reply := failure(code)
		reply[2].Value = "no document with _id 'confidential'"
		return reply
	}
	s := &wireServer{
		uri: "mongodb://scripted/?directConnection=true",
		answer: replies{
			opens: []bson.D{cursorReply(1, 10, "t0"), telling(11600), telling(11600), cursorReply(2, 10, "t1", change("confidential", 1)), telling(286), cursorReply(3, 10, "t3")},
			mores: []bson.D{telling(43), telling(43), telling(8)},
		}.answer,
	}
	stream := watch(t, orders(t, s), nil, &sluice.Options{Logger: logger, OnHistoryLost: sluice.RestartNow, Retry: sluice.Retry{MaxBackoff: time.Millisecond}})
	expectIDs(t, stream, 1)
	if _, err := stream.Next(within(t)); err == nil {
		t.Fatal("no error")
	}
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"sluice: resuming", "sluice: resumed", "history lost", "the stream ends", "error.code=11600", "error.name=Scripted", "namespace=shop.orders"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "confidential") {
		t.Errorf("the log tells contents:\n%s", log.String())
	}
}

type lockedWriter struct {
	mu *sync.Mutex
	to io.Writer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// TestOpeningIsNotResumed: an aggregate that fails when the stream is opened is the caller's to see, after the driver's one
// retry.
// contract: E6, S3, P4
func TestOpeningIsNotResumed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply bson.D
		sent  int
	}{"retryable": {failure(134), 2}, "final": {failure(40324), 1}, "connection": {nil, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wireServer{answer: replies{opens: []bson.D{c.reply, c.reply, cursorReply(1, 10, "t0")}}.answer}
			coll := orders(t, s)
			stream, err := sluice.Watch[order](t.Context(), coll, nil, nil) // a deadline would let the driver retry without count
			if failed, ok := errors.AsType[*sluice.Error](err); !ok || stream != nil || failed.Op != "open" {
				t.Errorf("%v, %v; want a failure to open", stream, err)
			}
			if n := len(s.named("aggregate")); n != c.sent {
				t.Errorf("%d aggregates, want %d", n, c.sent)
			}
		})
	}
}

// TestOpeningUnderADeadline: the context of Watch bounds the opening, and its error says so.
// contract: C6
func TestOpeningUnderADeadline(t *testing.T) {
	t.Parallel()
	for name, timeout := range map[string]time.Duration{"client without a Timeout": 0, "client with one": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &wireServer{answer: replies{}.answer} // which never answers
			coll := orders(t, s, func(o *options.ClientOptions) {
				if timeout > 0 {
					o.SetTimeout(timeout)
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := sluice.Watch[order](ctx, coll, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want the deadline", err)
			}
			ctx, cancel = context.WithCancel(t.Context())
			stop := time.AfterFunc(50*time.Millisecond, cancel)
			defer stop.Stop()
			if _, err := sluice.Watch[order](ctx, coll, nil, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want the cancellation", err)
			}
			if _, err := sluice.Watch[order](ctx, coll, nil, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want the cancellation that came before", err)
			}
			ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
			defer cancel()
			if _, err := sluice.Watch[order](ctx, coll, nil, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v, want the deadline that had passed", err)
			}
		})
	}
}

// TestRetriesArePaced: while cursors cannot be opened, attempts come with pauses between them, also when a limit is set.
// contract: B4, E4, G14
func TestRetriesArePaced(t *testing.T) {
	t.Parallel()
	s := &wireServer{}
	s.answer = func(n int, name string, body bson.Raw) bson.D {
		if name == "aggregate" && n > 0 {
			return failure(134)
		}
		return replies{opens: []bson.D{cursorReply(1, 10, "t0")}, mores: []bson.D{failure(43)}}.answer(n, name, body)
	}
	// Long enough for a second attempt on a machine that is busy with other things.
	retry := sluice.Retry{MaxElapsed: 3 * time.Second, MinBackoff: 500 * time.Millisecond, MaxBackoff: 500 * time.Millisecond}
	stream := watch(t, orders(t, s), nil, &sluice.Options{Retry: retry})
	if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
		t.Fatalf("while it can pass: %v, %v", ok, err)
	}
	_, err := stream.Next(within(t))
	if failed, ok := errors.AsType[*sluice.Error](err); !ok || failed.Op != "resume" || failed.Code != 134 {
		t.Errorf("%v, want the last failure", err)
	}
	// Each attempt is an aggregate and the driver's one retry; there are at most 3000/250 of them, and the driver's own.
	if n := len(s.named("aggregate")); n < 4 || n > 1+2*13 {
		t.Errorf("%d aggregates", n)
	}
}

// TestCloseWhileACursorIsOpened: nobody knows the id of the cursor that the server opens all the same, so the stream's session is
// killed, which nothing else runs in.
// contract: C5
func TestCloseWhileACursorIsOpened(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]bson.D{"by the stream": nil, "by the driver": failure(43)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opening := make(chan struct{})
			var once sync.Once
			s := &wireServer{}
			s.answer = func(n int, name string, body bson.Raw) bson.D {
				switch {
				case name == "killCursors":
					return killed(body)
				case name == "killSessions":
					return bson.D{{Key: "ok", Value: 1}}
				case name == "aggregate" && n == 0:
					return cursorReply(1, 10, "t0")
				case name == "aggregate":
					once.Do(func() { close(opening) })
					return hang
				default:
					return more
				}
			}
			stream := watch(t, orders(t, s), nil, nil)
			if more == nil {
				stream.SetMaxAwaitTime(time.Minute)
			}
			closeWhileNext(t, stream, opening)
			kills := s.named("killSessions")
			if len(kills) == 0 {
				t.Fatal("the session was not killed")
			}
			if a, b := s.named("aggregate")[0].body.Lookup("lsid"), kills[0].body.Lookup("killSessions", "0"); !a.Equal(b) {
				t.Errorf("killed %v, want %v", b, a)
			}
		})
	}
}
