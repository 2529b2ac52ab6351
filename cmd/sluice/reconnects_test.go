package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/enginetest"
)

// TestWatchTellsOfReconnects cuts the connections of a running watch. Nothing is missed, and a line on stderr tells.
func TestWatchTellsOfReconnects(t *testing.T) {
	t.Parallel()
	s := enginetest.Start(t, engine.Config{TestCommands: true})
	orders := s.Database(t).Collection("orders")
	r := watching(t, nil, listening(t, s.Engine), "--db", orders.Database().Name(), "--stats")
	insert(t, orders, byID(1))
	r.stdout.awaitLines(t, 1)
	err := s.Client.Database("admin").RunCommand(t.Context(), bson.D{
		{Key: "configureFailPoint", Value: "failCommand"},
		{Key: "mode", Value: bson.D{{Key: "times", Value: 4}}},
		{Key: "data", Value: bson.D{
			{Key: "failCommands", Value: bson.A{"getMore", "aggregate"}}, {Key: "closeConnection", Value: true}, {Key: "appName", Value: programName},
		}},
	}).Err()
	if err != nil {
		t.Fatal(err)
	}
	insert(t, orders, byID(2))
	r.stderr.awaitText(t, "sluice: lost the server: ")
	r.stderr.awaitText(t, "sluice: reconnected after ")
	insert(t, orders, byID(3))
	if lines := r.stdout.awaitLines(t, 3); !strings.Contains(lines[1], "  2") || !strings.Contains(lines[2], "  3") {
		t.Errorf("lines %q", lines)
	}
	r.stopCleanly(t)
	text := r.stderr.String()
	if strings.Count(text, "lost the server") != 1 || strings.Contains(text, "level=") {
		t.Errorf("stderr:\n%s", text)
	}
	if !strings.Contains(text, "sluice: 3 events (insert 3), ") || !strings.Contains(text, " resumes, 0 waiting") {
		t.Errorf("no statistics at the end:\n%s", text)
	}
}

func TestReconnects(t *testing.T) {
	t.Parallel()
	now := time.Unix(100, 0)
	var lines []string
	r := &reconnects{now: func() time.Time { return now }, notef: func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }}
	down := errors.New("connection\nreset")
	for _, h := range []sluice.Health{
		{},
		{Buffered: 3},
		{LastError: down},
		{LastError: down},
		{Resumes: 1},
		{Resumes: 1}, // an outage
		{Resumes: 2}, // the driver's own resume
		{LastError: &sluice.Error{Op: "getMore", Err: down}, Resumes: 2}, // the end
	} {
		r.Observe(h)
		now = now.Add(1500 * time.Millisecond)
	}
	want := []string{
		"lost the server: connection reset; reconnecting",
		"reconnected after 3s; nothing was missed",
		"lost the server and reconnected; nothing was missed",
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	var lines []string
	health := sluice.Health{Lag: 3 * time.Second, Resumes: 1, Buffered: 2}
	s := newStatistics(func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }, func() sluice.Health { return health })
	begin := s.since
	s.tell(begin, false) // nothing yet
	coll := enginetest.Start(t).Database(t).Collection("orders")
	stream, err := sluice.Watch[bson.Raw](t.Context(), coll, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	insert(t, coll, byID(1), byID(2))
	if _, err := coll.DeleteOne(t.Context(), byID(1)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		e, err := stream.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		s.count(e)
	}
	s.tell(begin.Add(2*time.Second), false)
	s.tell(begin.Add(4*time.Second), false) // no news
	s.tell(begin.Add(6*time.Second), true)
	if len(lines) != 2 {
		t.Fatalf("lines %q", lines)
	}
	for i, parts := range [][]string{{"3 events (delete 1, insert 2), 1.5/s, ", " KB; lag 3s, 1 resumes, 2 waiting"}, {"3 events (delete 1, insert 2), 0.0/s, "}} {
		for _, part := range parts {
			if !strings.Contains(lines[i], part) {
				t.Errorf("line %q lacks %q", lines[i], part)
			}
		}
	}
}

// TestLagInTheLine: an event that is noticeably behind the server says so.
func TestLagInTheLine(t *testing.T) {
	t.Parallel()
	coll := enginetest.Start(t).Database(t).Collection("orders")
	stream, err := sluice.Watch[bson.Raw](t.Context(), coll, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	insert(t, coll, byID(1))
	e, err := stream.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	r := newTextRenderer(&strings.Builder{}, func(string) string { return "" })
	for _, c := range []struct {
		lag  time.Duration
		want string
	}{{0, ""}, {4 * time.Second, ""}, {5 * time.Second, " (5s behind)  insert"}, {2 * time.Hour, " (2h0m0s behind)  insert"}} {
		r.heard(sluice.Health{Position: e.ClusterTime(), Lag: c.lag})
		line, err := r.render(e)
		if err != nil || !strings.Contains(string(line), c.want) || c.want == "" && strings.Contains(string(line), "behind") {
			t.Errorf("a lag of %s: %q, %v", c.lag, line, err)
		}
	}
}
