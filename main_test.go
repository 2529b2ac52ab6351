package sluice_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/internal/testmongo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// order is the document of most tests.
type order struct {
	ID   int    `bson:"_id"`
	Item string `bson:"item"`
}

// fixture is a collection on a server, and what was sent to it.
type fixture struct {
	server *testmongo.Server
	client *mongo.Client
	db     *mongo.Database
	coll   *mongo.Collection
	writer *mongo.Collection // through another client, so that its commands are not recorded
	wire   *recorder
	app    string // application name, for fail points
}

func newFixture(t testing.TB, server *testmongo.Server, configure ...func(*options.ClientOptions)) *fixture {
	t.Helper()
	f := &fixture{server: server, wire: &recorder{}}
	configure = append(configure, func(o *options.ClientOptions) {
		o.SetMonitor(f.wire.monitor())
		f.app = *o.AppName
	})
	f.client = server.Client(t, configure...)
	writer := server.Client(t)
	db := testmongo.Database(t, writer)
	f.db = f.client.Database(db.Name())
	f.coll = f.db.Collection("orders")
	f.writer = db.Collection("orders")
	if err := db.CreateCollection(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) insert(t testing.TB, ids ...int) {
	t.Helper()
	docs := make([]order, len(ids))
	for i, id := range ids {
		docs[i] = order{ID: id, Item: "tea"}
	}
	if _, err := f.writer.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
}

func watch(t testing.TB, target sluice.Target, pipeline any, opts *sluice.Options) *sluice.Stream[order] {
	t.Helper()
	stream, err := sluice.Watch[order](t.Context(), target, pipeline, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stream.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return stream
}

// within gives a context that a test that hangs does not outlive.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// expectIDs reads events of documents with these keys, in this order.
func expectIDs(t testing.TB, stream *sluice.Stream[order], ids ...int) {
	t.Helper()
	ctx := within(t)
	for _, want := range ids {
		e, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for the event of %d: %v", want, err)
		}
		if got := e.DocumentKey().Lookup("_id").AsInt64(); got != int64(want) {
			t.Fatalf("event of document %d, want %d", got, want)
		}
	}
}

// recorder keeps the commands of a client, and lets a test wait for one.
type recorder struct {
	mu       sync.Mutex
	commands []command
	changed  chan struct{}
}

type command struct {
	name string
	body bson.Raw
	ok   bool // the server has answered without an error
	host string
	conn int // the number of the connection
}

func (r *recorder) monitor() *event.CommandMonitor {
	ids := map[int64]int{}
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			r.mu.Lock()
			defer r.mu.Unlock()
			ids[e.RequestID] = len(r.commands)
			r.commands = append(r.commands, command{name: e.CommandName, body: append(bson.Raw(nil), e.Command...)})
			r.notify()
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.commands[ids[e.RequestID]].ok = true
			r.notify()
		},
	}
}

func (r *recorder) notify() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// named returns the commands of one name so far.
func (r *recorder) named(name string) []command {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []command
	for _, c := range r.commands {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// await waits until n commands of a name were started.
func (r *recorder) await(t testing.TB, name string, n int) []command {
	t.Helper()
	ctx := within(t)
	for {
		r.mu.Lock()
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		if got := r.named(name); len(got) >= n {
			return got
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%d %s commands, want %d", len(r.named(name)), name, n)
		}
	}
}
