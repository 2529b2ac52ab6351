package torture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/enginetest"
	"github.com/sluicestream/sluice/test/internal/badnet"
	"github.com/sluicestream/sluice/test/internal/environment"
	"github.com/sluicestream/sluice/test/internal/ledger"
	"github.com/sluicestream/sluice/test/internal/mongods"
	"github.com/sluicestream/sluice/test/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is what the streams run on.
type server struct {
	uri    string
	dialer badnet.Dialer
	splits bool // it can split large events
}

// tally counts faults until there are enough.
type tally struct {
	enough chan struct{}

	mu     sync.Mutex
	target uint64
	total  uint64
	kinds  map[string]int
}

func (t *tally) count(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kinds[kind]++
	t.total++
	if t.total == t.target {
		close(t.enough)
	}
}

func (t *tally) sum() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(t.kinds)) {
		parts = append(parts, fmt.Sprintf("%s %d", kind, t.kinds[kind]))
	}
	return fmt.Sprintf("%d faults (%s)", t.total, strings.Join(parts, ", "))
}

// torture is one run on one server.
type torture struct {
	server  server
	seed    uint64
	calm    *mongo.Client // to which nothing happens
	faults  *tally
	writers []*writer
	readers []*reader
	start   bson.Timestamp
}

func TestStreamsUnderTorture(t *testing.T) {
	t.Parallel()
	faults, err := environment.Number("SLUICE_TORTURE_FAULTS", 200)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := environment.Number("SLUICE_TORTURE_SEED", rand.Uint64())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("SLUICE_TORTURE_FAULTS=%d SLUICE_TORTURE_SEED=%d", faults, seed)
	t.Run("engine", func(t *testing.T) {
		t.Parallel()
		s := enginetest.Start(t, engine.Config{TestCommands: true})
		run(t, server{uri: s.URI, dialer: s.Engine, splits: true}, seed, faults)
	})
	t.Run("mongod", func(t *testing.T) {
		t.Parallel()
		run(t, startMongod(t), seed, faults)
	})
}

// startMongod starts one that nobody else uses, because fail points are the whole server's.
func startMongod(t *testing.T) server {
	t.Helper()
	if os.Getenv(mongods.EnvURI) == "" {
		t.Skipf("no mongod to test on: %s is not set, and where it is, the test starts one of its own", mongods.EnvURI)
	}
	set, err := mongods.New(filepath.Join("..", "tools", "mongod.sh"), 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop mongod: %v", err)
		}
	})
	uri, err := set.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return server{uri: uri, dialer: &net.Dialer{}}
}

func run(t *testing.T, s server, seed, faults uint64) {
	t.Helper()
	limit := 2*time.Minute + time.Duration(faults)*300*time.Millisecond
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the test took too long"))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	to := &torture{server: s, seed: seed, faults: &tally{enough: make(chan struct{}), target: faults, kinds: map[string]int{}}}
	to.calm = to.connect(t, options.Client().SetDialer(s.dialer))
	if err := to.prepare(ctx); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	var reading, writing, failing sync.WaitGroup
	defer func() { // whatever happens, nobody is left running
		fail(nil)
		reading.Wait()
		writing.Wait()
		failing.Wait()
	}()
	nets := to.addReaders(t)
	for _, r := range to.readers {
		reading.Go(func() {
			if err := r.follow(ctx); err != nil {
				fail(fmt.Errorf("reader %s after %d events: %w", r.name, len(r.events), err))
			}
		})
	}
	stop := make(chan struct{})
	for _, w := range to.writers {
		writing.Go(func() {
			if err := w.work(ctx, stop); err != nil {
				fail(fmt.Errorf("writer %s: %w", w.id, err))
			}
		})
	}
	failing.Go(func() {
		if err := to.injectErrors(ctx, stop); err != nil {
			fail(fmt.Errorf("fail points: %w", err))
		}
	})

	select {
	case <-to.faults.enough:
	case <-ctx.Done():
		t.Fatalf("%v; %v", context.Cause(ctx), to)
	}
	close(stop)
	writing.Wait()
	failing.Wait()
	if err := to.writeEnds(ctx); err != nil {
		t.Fatal(err)
	}
	reading.Wait() // the network stays as bad as it is
	for _, n := range nets {
		n.Calm()
	}
	if ctx.Err() != nil {
		t.Fatalf("%v; %v", context.Cause(ctx), to)
	}
	t.Logf("%v", to)
	to.verify(ctx, t)
}

// connect connects a client to the server.
func (to *torture) connect(t *testing.T, opts *options.ClientOptions) *mongo.Client {
	t.Helper()
	return workload.Connect(t, options.Client().ApplyURI(to.server.uri), opts)
}

// String says what has happened so far.
func (to *torture) String() string {
	var all actions
	events, writes := 0, 0
	for _, r := range to.readers {
		all.add(&r.did)
		events += int(r.did.events.Load())
	}
	for _, w := range to.writers {
		writes += int(w.done.Load())
	}
	return fmt.Sprintf("%v; %d readers had %d events of %d writes; %v", to.faults, len(to.readers), events, writes, &all)
}

// verify compares each stream with what was written, and with a plain stream of the driver that nothing happens to.
func (to *torture) verify(ctx context.Context, t *testing.T) {
	t.Helper()
	plain := map[scope][]ledger.Observed{}
	for _, r := range to.readers {
		for _, problem := range ledger.Check(r.events, to.truth(r.scope), ledger.Writer) {
			t.Errorf("%s: %s", r.name, problem)
		}
		if r.scope == ofDropped || r.scope == ofLarge { // a plain one ends, or has other tokens; the one writer knows the whole order
			continue
		}
		if _, known := plain[r.scope]; !known {
			var err error
			if plain[r.scope], err = to.readPlainly(ctx, r.scope); err != nil {
				t.Fatalf("read %s plainly: %v", r.scope, err)
			}
		}
		if err := ledger.Same(r.events, plain[r.scope]); err != nil {
			t.Errorf("%s, compared with a stream that nothing happened to: %v", r.name, err)
		}
	}
}

// truth is what a stream must bring: each writer's changes in the collections that it watches.
func (to *torture) truth(s scope) map[string][]ledger.Change {
	done := map[string][]ledger.Change{}
	for _, collection := range s.collections() {
		done["end"] = append(done["end"], ledger.Change{Op: "insert", ID: endOf(collection)})
	}
	for _, w := range to.writers {
		if list := w.in(s); len(list) > 0 {
			done[w.id] = list
		}
	}
	return done
}

// readPlainly reads a scope from the beginning with the driver's own change stream.
func (to *torture) readPlainly(ctx context.Context, s scope) ([]ledger.Observed, error) {
	opts := options.ChangeStream().SetStartAtOperationTime(&to.start)
	target, pipeline := s.target(to.calm)
	stream, err := target.Watch(ctx, pipeline, opts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close(context.WithoutCancel(ctx)) }()
	var events []ledger.Observed
	for stream.Next(ctx) {
		seen, err := ledger.Read(stream.Current)
		if err != nil {
			return nil, err
		}
		events = append(events, seen)
		if seen.ID == s.last() {
			return events, nil
		}
	}
	return events, stream.Err()
}
