package failover

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/test/internal/badnet"
	"github.com/sluicestream/sluice/test/internal/environment"
	"github.com/sluicestream/sluice/test/internal/ledger"
	"github.com/sluicestream/sluice/test/internal/mongods"
	"github.com/sluicestream/sluice/test/internal/workload"
)

const (
	database   = "failover"
	minTimeout = 3 * time.Minute
	perFault   = time.Minute
)

var collections = []string{"a", "b"}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// failover is one run.
type failover struct {
	set     *mongods.Set
	uri     string
	admin   *mongo.Client // which is never cut off
	nets    []*badnet.Network
	random  *rand.Rand
	writers []*writer
	readers []*reader
	start   bson.Timestamp
}

func TestFailoverLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	if os.Getenv(mongods.EnvURI) == "" {
		t.Skipf("no replica set to test on: %s is not set, and where it is, the test starts one of its own", mongods.EnvURI)
	}
	faults, err := environment.Number("SLUICE_FAILOVER_FAULTS", 4)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := environment.Number("SLUICE_FAILOVER_SEED", rand.Uint64())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("SLUICE_FAILOVER_FAULTS=%d SLUICE_FAILOVER_SEED=%d", faults, seed)
	ctx, cancel := context.WithTimeoutCause(t.Context(), minTimeout+time.Duration(faults)*perFault, errors.New("the test took too long"))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	f := &failover{random: rand.New(rand.NewPCG(seed, 0))}
	if err := f.begin(ctx, t); err != nil {
		t.Fatalf("begin: %v", err)
	}
	var reading, writing sync.WaitGroup
	defer func() { // whatever happens, nobody is left running
		fail(nil)
		writing.Wait()
		reading.Wait()
		f.closeStreams()
	}()
	if err := f.openStreams(ctx, t); err != nil {
		t.Fatalf("open: %v", err)
	}
	for _, r := range f.readers {
		reading.Go(func() {
			if err := r.follow(ctx); err != nil {
				fail(fmt.Errorf("%s after %d events: %w", r.name, len(r.events), err))
			}
		})
	}
	stop := make(chan struct{})
	for i := range 3 {
		w := newWriter(fmt.Sprintf("w%d", i), f.connect(t), rand.New(rand.NewPCG(seed, uint64(i)+1)))
		f.writers = append(f.writers, w)
		writing.Go(func() {
			if err := w.work(ctx, stop); err != nil {
				fail(fmt.Errorf("writer %s: %w", w.id, err))
			}
		})
	}

	var order []fault
	for n := range faults {
		if len(order) == 0 {
			order = f.kinds()
		}
		report, err := f.strike(ctx, order[0])
		if err != nil {
			t.Fatalf("fault %d of %d, the primary %s: %v", n+1, faults, order[0].name, err)
		}
		t.Log(report)
		order = order[1:]
	}
	close(stop)
	writing.Wait()
	if err := f.writeEnds(ctx); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	if ctx.Err() != nil {
		t.Fatal(context.Cause(ctx))
	}
	f.verify(ctx, t)
}

// begin starts the set and makes what the streams watch.
func (f *failover) begin(ctx context.Context, t *testing.T) error {
	var err error
	if f.set, err = mongods.New(filepath.Join("..", "tools", "mongod.sh"), 3); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := f.set.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop the mongods: %v", err)
		}
	})
	if f.uri, err = f.set.Start(ctx); err != nil {
		return err
	}
	f.admin = f.connect(t)
	f.nets = nil
	for _, name := range collections {
		if err := f.admin.Database(database).CreateCollection(ctx, name); err != nil {
			return err
		}
	}
	var reply struct {
		Time bson.Timestamp `bson:"operationTime"`
	}
	err = f.admin.Database("admin").RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Decode(&reply)
	f.start = bson.Timestamp{T: reply.Time.T, I: reply.Time.I + 1}
	return err
}

// connect connects a client with a network of its own, and disconnects it at the end.
func (f *failover) connect(t *testing.T, more ...*options.ClientOptions) *mongo.Client {
	t.Helper()
	n := badnet.New(&net.Dialer{}, 0, badnet.Rates{}, nil)
	f.nets = append(f.nets, n)
	opts := options.Client().ApplyURI(f.uri).SetDialer(n).SetHeartbeatInterval(500 * time.Millisecond).SetConnectTimeout(2 * time.Second)
	return workload.Connect(t, append([]*options.ClientOptions{opts}, more...)...)
}

func endOf(collection string) string { return "end/" + collection }

// writeEnds writes the last documents. Where the result is not known it tries again.
func (f *failover) writeEnds(ctx context.Context) error {
	for _, name := range collections {
		for {
			attempt, cancel := context.WithTimeout(ctx, opTimeout)
			_, err := f.admin.Database(database).Collection(name).InsertOne(attempt, bson.D{{Key: "_id", Value: endOf(name)}, {Key: "n", Value: int64(0)}})
			cancel()
			if err == nil || mongo.IsDuplicateKeyError(err) {
				break
			}
			if ctx.Err() != nil {
				return fmt.Errorf("write the end: %w", err)
			}
		}
	}
	return nil
}

// verify compares each stream with what happened, and with a plain stream of the driver from the beginning.
func (f *failover) verify(ctx context.Context, t *testing.T) {
	t.Helper()
	content, err := f.content(ctx)
	if err != nil {
		t.Fatalf("read the collections: %v", err)
	}
	plain, err := f.readPlainly(ctx)
	if err != nil {
		t.Fatalf("read everything again: %v", err)
	}
	writes, unknown := 0, 0
	for _, w := range f.writers {
		writes += len(w.changes)
		unknown += len(w.unknown)
	}
	t.Logf("%d writes acknowledged, the results of %d more unknown", writes, unknown)
	for _, r := range f.readers {
		done, owner := f.truth(r.collections, content)
		for _, problem := range ledger.Check(r.events, done, owner) {
			t.Errorf("%s: %s", r.name, problem)
		}
		var same []ledger.Observed
		for _, event := range plain {
			if r.watches(collectionOf(event.ID)) {
				same = append(same, event)
			}
		}
		if err := ledger.Same(r.events, same); err != nil {
			t.Errorf("%s, compared with a stream from the beginning: %v", r.name, err)
		}
		t.Logf("%-60s %d events, resumed %d times, stood still %v at most", r.name, len(r.events), r.stream.Health().Resumes, r.pulse.worst())
	}
}

// truth returns what happened in some collections, by writer, and who counts as the writer of a document: for one with a
// write of unknown result the document itself, since nobody knows when that came.
func (f *failover) truth(watched []string, content map[string]int64) (map[string][]ledger.Change, func(string) string) {
	done := map[string][]ledger.Change{}
	in := func(id string) bool {
		for _, name := range watched {
			if collectionOf(id) == name {
				return true
			}
		}
		return false
	}
	unknown := map[string]bool{}
	for _, w := range f.writers {
		for _, change := range w.unknown {
			unknown[change.ID] = true
		}
	}
	owner := func(id string) string {
		if unknown[id] {
			return id
		}
		return ledger.Writer(id)
	}
	add := func(change ledger.Change) {
		if in(change.ID) {
			done[owner(change.ID)] = append(done[owner(change.ID)], change)
		}
	}
	for _, w := range f.writers {
		for _, change := range w.changes {
			add(change)
		}
		for _, change := range w.unknown {
			n, there := content[change.ID]
			if there == (change.Op != "delete") && n == change.N {
				add(change)
			}
		}
	}
	for _, name := range watched {
		add(ledger.Change{Op: "insert", ID: endOf(name)})
	}
	return done, owner
}

func collectionOf(id string) string { return strings.Split(id, "/")[1] }

// content reads all documents that a majority has: n by id.
func (f *failover) content(ctx context.Context) (map[string]int64, error) {
	all := map[string]int64{}
	for _, name := range collections {
		coll := f.admin.Database(database).Collection(name, options.Collection().SetReadConcern(readconcern.Majority()))
		cursor, err := coll.Find(ctx, bson.D{})
		if err != nil {
			return nil, err
		}
		var found []struct {
			ID string `bson:"_id"`
			N  int64  `bson:"n"`
		}
		if err := cursor.All(ctx, &found); err != nil {
			return nil, err
		}
		for _, one := range found {
			all[one.ID] = one.N
		}
	}
	return all, nil
}

// readPlainly reads the database from the beginning with the driver's own change stream.
func (f *failover) readPlainly(ctx context.Context) ([]ledger.Observed, error) {
	stream, err := f.admin.Database(database).Watch(ctx, mongo.Pipeline{}, options.ChangeStream().SetStartAtOperationTime(&f.start))
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
		if seen.ID == endOf(collections[len(collections)-1]) {
			return events, nil
		}
	}
	return events, stream.Err()
}
