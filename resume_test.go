package sluice_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/internal/testmongo"
)

// failCommand makes commands of the fixture's client fail.
func (f *fixture) failCommand(t *testing.T, mode any, data bson.D) (off func()) {
	t.Helper()
	return f.server.FailPoint(t, "failCommand", mode, append(data, bson.E{Key: "appName", Value: f.app}))
}

func commands(names ...string) bson.E { return bson.E{Key: "failCommands", Value: names} }

func code(n int32, labels ...string) bson.D {
	return bson.D{{Key: "errorCode", Value: n}, {Key: "errorLabels", Value: append([]string{}, labels...)}}
}

var (
	hangUp    = bson.D{{Key: "closeConnection", Value: true}}
	resumable = "ResumableChangeStreamError"
)

// quickHeartbeat shortens the driver's wait for news from a server that has said that it shuts down.
func quickHeartbeat(o *options.ClientOptions) { o.SetHeartbeatInterval(500 * time.Millisecond) }

func times(n int) bson.D { return bson.D{{Key: "times", Value: n}} }

// TestResume breaks the cursor in every way that a stream has to survive, with events before, during and after it.
// contract: E1, S5, M3, P3, X2
func TestResume(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		mode bson.D
		data bson.D
	}{
		"connection closed":              {times(1), append(bson.D{commands("getMore")}, hangUp...)},
		"labelled error":                 {times(1), append(bson.D{commands("getMore")}, code(91, resumable)...)},
		"cursor not found":               {times(1), append(bson.D{commands("getMore")}, code(43)...)},
		"time limit":                     {times(1), append(bson.D{commands("getMore")}, code(50)...)},
		"many in a row":                  {times(6), append(bson.D{commands("getMore")}, code(43)...)},
		"resume fails: connection":       {times(5), append(bson.D{commands("getMore", "aggregate")}, hangUp...)},
		"resume fails: node shuts down":  {times(5), append(bson.D{commands("getMore", "aggregate")}, code(11600, resumable)...)},
		"resume fails: cursor not found": {times(5), append(bson.D{commands("getMore", "aggregate")}, code(43)...)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
				f := newFixture(t, server, quickHeartbeat)
				stream := watch(t, f.coll, nil, &sluice.Options{Retry: sluice.Retry{MaxBackoff: 100 * time.Millisecond}})
				f.insert(t, 1, 2)
				expectIDs(t, stream, 1)
				off := f.failCommand(t, c.mode, c.data)
				f.insert(t, 3, 4)
				expectIDs(t, stream, 2, 3, 4)
				off()
				f.insert(t, 5)
				expectIDs(t, stream, 5)
				h := stream.Health()
				if h.Resumes == 0 || h.LastError != nil {
					t.Errorf("health %+v, want resumes and no error", h)
				}
			})
		})
	}
}

// contract: E2, S6, T9
func TestFinalErrorOfGetMore(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{ReadAhead: sluice.ReadAhead{Off: true}})
		f.insert(t, 1)
		expectIDs(t, stream, 1)
		off := f.failCommand(t, "alwaysOn", append(bson.D{commands("getMore")}, code(6)...)) // without the label: not resumable
		f.insert(t, 2)
		ctx := within(t)
		_, err := stream.Next(ctx)
		var failure *sluice.Error
		if !errors.As(err, &failure) || failure.Code != 6 || failure.Op != "getMore" {
			t.Fatalf("error %v, want code 6 of getMore", err)
		}
		if _, ok := errors.AsType[mongo.CommandError](err); !ok {
			t.Error("the driver's error cannot be had")
		}
		if failure.Token != stream.ResumeToken() {
			t.Error("the error's token is not the stream's")
		}
		off()
		if _, again := stream.Next(ctx); !errors.Is(again, err) {
			t.Errorf("a later Next: %v, want the same error", again)
		}
		if _, ok, again := stream.TryNext(ctx); ok || !errors.Is(again, err) {
			t.Errorf("a later TryNext: %v, %v, want the same error", ok, again)
		}
		if stream.Alive() {
			t.Error("alive after a final error")
		}
		if !errors.Is(stream.Health().LastError, err) {
			t.Errorf("health says %v", stream.Health().LastError)
		}
		if err := stream.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		expectIDs(t, watch(t, f.coll, nil, &sluice.Options{ResumeAfter: stream.ResumeToken()}), 2)
	})
}

// contract: B4, S5
func TestTryNextDuringOutage(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{MaxAwaitTime: 20 * time.Millisecond})
		off := f.failCommand(t, "alwaysOn", append(bson.D{commands("getMore", "aggregate")}, hangUp...))
		for range 3 {
			if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
				t.Fatalf("TryNext during an outage: %v, %v", ok, err)
			}
		}
		if h := stream.Health(); h.LastError == nil || !stream.Alive() {
			t.Errorf("health %+v, alive %v; want an error, and true", h, stream.Alive())
		}
		off()
		f.insert(t, 1)
		expectIDs(t, stream, 1)
	})
}

// contract: E4
func TestRetryMaxElapsed(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		retry := sluice.Retry{MaxElapsed: 200 * time.Millisecond, MinBackoff: 10 * time.Millisecond}
		for name, data := range map[string]bson.D{
			"resume fails":   append(bson.D{commands("getMore", "aggregate")}, code(234, resumable)...),
			"resume succeed": append(bson.D{commands("getMore")}, code(43)...),
		} {
			stream := watch(t, f.coll, nil, &sluice.Options{Retry: retry})
			off := f.failCommand(t, "alwaysOn", data)
			_, err := stream.Next(within(t))
			off()
			if _, ok := errors.AsType[*sluice.Error](err); !ok {
				t.Errorf("%s: %v, want a final error", name, err)
			}
		}
	})
}

// TestStartAfterUntilFirstEvent resumes a stream that started after an invalidate event and has received nothing: only
// startAfter takes that token, and the driver's own resume sends resumeAfter.
// contract: R1, R2, P17, G6
func TestStartAfterUntilFirstEvent(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		first := watch(t, f.coll, nil, nil)
		if err := f.writer.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		var last sluice.Token
		for e, err := range first.All(within(t)) {
			if err != nil {
				t.Fatal(err)
			}
			last = e.Token()
		}
		off := f.failCommand(t, times(1), append(bson.D{commands("getMore")}, hangUp...))
		stream := watch(t, f.coll, nil, &sluice.Options{StartAfter: last})
		f.insert(t, 1, 2)
		expectIDs(t, stream, 1)
		off()
		expectIDs(t, stream, 2)
	})
}

// contract: H1, H2
func TestHistoryLost(t *testing.T) {
	t.Parallel()
	lost := append(bson.D{commands("getMore")}, code(286, "NonResumableChangeStreamError")...)
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, nil)
		off := f.failCommand(t, times(1), lost)
		_, err := stream.Next(within(t))
		off()
		if !errors.Is(err, sluice.ErrHistoryLost) {
			t.Fatalf("by default: %v, want ErrHistoryLost", err)
		}
		f.insert(t, 1)
		before := stream.ResumeToken()

		for i, name := range []string{"now", "at"} {
			policy := []sluice.HistoryLostPolicy{sluice.RestartNow, sluice.RestartAtTime}[i]
			id := 10 * (i + 1)
			var mu sync.Mutex
			var gaps []sluice.Gap
			opts := &sluice.Options{ResumeAfter: before, OnHistoryLost: policy, OnGap: func(g sluice.Gap) {
				mu.Lock()
				defer mu.Unlock()
				gaps = append(gaps, g)
			}}
			if policy == sluice.RestartAtTime {
				opts.RestartAt = nowAt(t, f)
			}
			restarted := watch(t, f.coll, bson.A{bson.D{{Key: "$match", Value: bson.D{{Key: "documentKey._id", Value: bson.D{{Key: "$gte", Value: id}}}}}}}, opts)
			off := f.failCommand(t, times(1), lost)
			if _, ok, err := restarted.TryNext(within(t)); ok || err != nil {
				t.Fatalf("%s: %v, %v", name, ok, err)
			}
			off()
			if _, ok, err := restarted.TryNext(within(t)); ok || err != nil {
				t.Fatalf("%s: %v, %v", name, ok, err)
			}
			f.insert(t, id)
			e, err := restarted.Next(within(t))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			mu.Lock()
			if len(gaps) != 1 || !errors.Is(gaps[0].Err, sluice.ErrHistoryLost) || gaps[0].After.IsZero() {
				t.Fatalf("%s: gaps %+v", name, gaps)
			}
			if gaps[0].From.IsZero() || gaps[0].To.IsZero() || gaps[0].To.After(e.ClusterTime()) {
				t.Errorf("%s: gap from %v to %v, next event at %v", name, gaps[0].From, gaps[0].To, e.ClusterTime())
			}
			mu.Unlock()
		}
	})
}

// nowAt returns the server's operation time.
func nowAt(t *testing.T, f *fixture) bson.Timestamp {
	t.Helper()
	var reply struct {
		OperationTime bson.Timestamp `bson:"operationTime"`
	}
	if err := f.writer.Database().RunCommand(t.Context(), bson.D{{Key: "ping", Value: 1}}).Decode(&reply); err != nil {
		t.Fatal(err)
	}
	return reply.OperationTime
}

// contract: S3, E8
func TestOpeningErrors(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		garbage, err := sluice.NewToken(mustRaw(t, bson.D{{Key: "_data", Value: "not a token"}}))
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			pipeline any
			opts     *sluice.Options
			code     int32
			is       error
		}{
			"stage not allowed": {mongo.Pipeline{{{Key: "$sort", Value: bson.D{{Key: "a", Value: 1}}}}}, nil, 20, nil},
			"unknown stage":     {mongo.Pipeline{{{Key: "$nonsense", Value: 1}}}, nil, 40324, nil},
			"unreadable token":  {nil, &sluice.Options{ResumeAfter: garbage}, 9, sluice.ErrInvalidToken},
		} {
			stream, err := sluice.Watch[order](t.Context(), f.coll, c.pipeline, c.opts)
			var failure *sluice.Error
			if stream != nil || !errors.As(err, &failure) || failure.Code != c.code || failure.Op != "open" {
				t.Errorf("%s: %v, %v; want code %d", name, stream, err, c.code)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%s: %v is not %v", name, err, c.is)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := sluice.Watch[order](ctx, f.coll, nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v", err)
		}
	})
}

// contract: E11, P2
func TestModifiedIDIsFinal(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, mongo.Pipeline{{{Key: "$project", Value: bson.D{{Key: "_id", Value: 0}}}}}, nil)
		f.insert(t, 1)
		_, err := stream.Next(within(t))
		if !errors.Is(err, sluice.ErrInvalidToken) {
			t.Errorf("error %v, want ErrInvalidToken", err)
		}
	})
}

// TestOptionsReachTheServer compares what is sent at opening, in getMores and when resuming.
// contract: O1, O2, O3, R5, L1
func TestOptionsReachTheServer(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		session, err := f.client.StartSession()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { session.EndSession(context.Background()) }) // after the stream's own, which still uses it
		stream := watch(t, f.coll, mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "operationType", Value: "insert"}}}}}, &sluice.Options{
			FullDocument:             sluice.UpdateLookup,
			FullDocumentBeforeChange: sluice.BeforeWhenAvailable,
			StartAtOperationTime:     nowAt(t, f),
			MaxAwaitTime:             1500 * time.Microsecond,
			BatchSize:                1,
			Collation:                &options.Collation{Locale: "fr"},
			Comment:                  bson.D{{Key: "who", Value: "test"}},
			Session:                  session,
			ShowExpandedEvents:       true,
		})
		f.insert(t, 1, 2)
		expectIDs(t, stream, 1)
		off := f.failCommand(t, times(3), append(bson.D{commands("getMore", "aggregate")}, hangUp...))
		f.insert(t, 3)
		expectIDs(t, stream, 2, 3)
		off()
		expect := func(c command, values map[string]string, absent ...string) {
			t.Helper()
			for path, want := range values {
				if got := lookup(c.body, path).String(); got != want {
					t.Errorf("%s: %s is %s, want %s", c.name, path, got, want)
				}
			}
			for _, path := range absent {
				if got := lookup(c.body, path); got.Type != 0 {
					t.Errorf("%s: %s is %s, want none", c.name, path, got)
				}
			}
		}
		lsid := session.ID().String()
		opened := f.wire.named("aggregate")
		for i, c := range opened {
			expect(c, map[string]string{
				"pipeline/0/$changeStream/fullDocument":             `"updateLookup"`,
				"pipeline/0/$changeStream/fullDocumentBeforeChange": `"whenAvailable"`,
				"pipeline/0/$changeStream/showExpandedEvents":       `true`,
				"pipeline/1/$match/operationType":                   `"insert"`,
				"collation/locale":                                  `"fr"`,
				"comment/who":                                       `"test"`,
				"cursor/batchSize":                                  `{"$numberInt":"1"}`,
				"lsid":                                              lsid,
			}, "maxTimeMS")
			start := "pipeline/0/$changeStream/startAtOperationTime"
			if i > 0 {
				start = "pipeline/0/$changeStream/resumeAfter"
			}
			if lookup(c.body, start).Type == 0 {
				t.Errorf("aggregate %d has no %s", i, start)
			}
		}
		if len(opened) < 2 {
			t.Error("the stream did not resume")
		}
		for _, c := range f.wire.named("getMore") {
			expect(c, map[string]string{
				"batchSize": `{"$numberInt":"1"}`, "maxTimeMS": `{"$numberLong":"2"}`, "comment/who": `"test"`, "lsid": lsid,
			})
		}
	})
}

// contract: O4
func TestSettingsChangeLive(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		f := newFixture(t, server)
		stream := watch(t, f.coll, nil, &sluice.Options{MaxAwaitTime: 20 * time.Millisecond})
		stream.SetBatchSize(1)
		if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
			t.Fatal(ok, err)
		}
		if got := f.wire.named("getMore")[0].body.Lookup("batchSize").Int32(); got != 1 {
			t.Errorf("batchSize %d, want 1", got)
		}
		if n := len(f.wire.named("aggregate")); n != 1 {
			t.Errorf("%d aggregates: the batch size needs no new cursor", n)
		}
		stream.SetMaxAwaitTime(30 * time.Millisecond)
		f.insert(t, 1)
		expectIDs(t, stream, 1)
		if _, ok, err := stream.TryNext(within(t)); ok || err != nil {
			t.Fatal(ok, err)
		}
		gets := f.wire.named("getMore")
		last := gets[len(gets)-1].body
		if last.Lookup("maxTimeMS").Int64() != 30 || last.Lookup("batchSize").Int32() != 1 {
			t.Errorf("getMore %v, want maxTimeMS 30 and batchSize 1", last)
		}
		if n := len(f.wire.named("aggregate")); n != 2 {
			t.Errorf("%d aggregates, want 2", n)
		}
		if n := stream.Health().Resumes; n != 0 {
			t.Errorf("%d resumes counted for a change of settings", n)
		}
	})
}

func mustRaw(t testing.TB, v any) bson.Raw {
	t.Helper()
	raw, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// lookup finds a value by a path of names.
func lookup(raw bson.Raw, path string) bson.RawValue {
	return raw.Lookup(strings.Split(path, "/")...)
}
