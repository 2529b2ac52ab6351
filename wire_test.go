package sluice_test

import (
	"errors"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
)

// TestStaleBatchToken: a reply without batch token leaves the driver with the one of an earlier reply, from which it
// resumes by itself and gets events again.
// contract: T6, R2, G8
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
// contract: T3, R3, G7
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

// contract: E11, G9
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
// contract: R2, G6
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
// contract: E10
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
	closeWhileNext(t, stream, waiting)
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

// contract: L5
func TestServerWithoutSessions(t *testing.T) {
	t.Parallel()
	noSessions := func(string) bson.D { return bson.D{{Key: "logicalSessionTimeoutMinutes"}} }
	s := &wireServer{hello: noSessions, answer: func(n int, name string, body bson.Raw) bson.D {
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
// contract: F5
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
// contract: L2
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
