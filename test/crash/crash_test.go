package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice/test/internal/environment"
	"github.com/sluicestream/sluice/test/internal/ledger"
)

const (
	writerCount = 4
	maxUptime   = 400 * time.Millisecond // from the first write after a start to the kill, at most
	minTimeout  = 2 * time.Minute        // for the whole test, and
	killTimeout = 15 * time.Second       // as much again for each kill
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// load is everything that runs against the server, and how it fares.
type load struct {
	server  server
	where   *endpoint
	random  *rand.Rand
	writers []*writer
	reader  *reader
	acked   chan struct{} // holds an element when a write was acknowledged since it was last emptied
	stop    chan struct{} // closed when the writers shall finish
	fail    context.CancelCauseFunc
	writing sync.WaitGroup
	reading sync.WaitGroup
}

func TestKillNineLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	kills, err := environment.Number("SLUICE_CRASH_KILLS", 20)
	if err != nil {
		t.Fatal(err)
	}
	seed, err := environment.Number("SLUICE_CRASH_SEED", rand.Uint64())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("SLUICE_CRASH_KILLS=%d SLUICE_CRASH_SEED=%d", kills, seed)

	ctx, cancel := context.WithTimeoutCause(t.Context(), minTimeout+time.Duration(kills)*killTimeout, errors.New("the test took too long"))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	l := &load{
		where: newEndpoint(), random: rand.New(rand.NewPCG(seed, 0)),
		acked: make(chan struct{}, 1), stop: make(chan struct{}), fail: fail,
	}
	if script := os.Getenv("SLUICE_CRASH_MONGOD"); script != "" {
		l.server = newMongodServer(t, script)
	} else {
		l.server = newSluiceServer(t)
	}
	defer func() { // whatever happens, nobody is left running
		fail(nil)
		l.writing.Wait()
		l.reading.Wait()
	}()

	start, err := l.begin(ctx, seed)
	if err != nil {
		t.Fatalf("begin: %v", err)
	}
	for n := range kills {
		if err := l.crash(ctx); err != nil {
			t.Fatalf("kill %d of %d: %v", n+1, kills, err)
		}
	}
	if err := l.finish(ctx); err != nil {
		t.Fatalf("after %d kills: %v", kills, err)
	}
	l.verify(ctx, t, start)
}

// begin starts the server, the stream and then the writers, and returns the time before all of it.
func (l *load) begin(ctx context.Context, seed uint64) (bson.Timestamp, error) {
	address, err := l.server.start(ctx)
	if err != nil {
		return bson.Timestamp{}, err
	}
	l.where.setUp(address)
	reply, err := l.ask(ctx, bson.D{{Key: "ping", Value: 1}, {Key: "$db", Value: "admin"}})
	if err != nil {
		return bson.Timestamp{}, err
	}
	seconds, increment, ok := reply.Lookup("operationTime").TimestampOK()
	if !ok {
		return bson.Timestamp{}, fmt.Errorf("no operationTime in %s", reply)
	}
	opened := make(chan struct{})
	l.reader = &reader{server: l.where, random: rand.New(rand.NewPCG(seed, 2)), opened: func() { close(opened) }, abrupt: true}
	l.reading.Go(func() {
		if err := l.reader.follow(ctx); err != nil {
			l.fail(err)
		}
	})
	select {
	case <-opened:
	case <-ctx.Done():
		return bson.Timestamp{}, context.Cause(ctx)
	}
	for i := range writerCount {
		w := newWriter(fmt.Sprintf("w%d", i), l.where, seed+uint64(i)+3, l.sawAck)
		l.writers = append(l.writers, w)
		l.writing.Go(func() {
			if err := w.work(ctx, l.stop); err != nil {
				l.fail(err)
			}
		})
	}
	return bson.Timestamp{T: seconds, I: increment}, nil
}

func (l *load) sawAck() {
	select {
	case l.acked <- struct{}{}:
	default:
	}
}

// progress waits for a write that is acknowledged after now.
func (l *load) progress(ctx context.Context) error {
	for range 2 { // the first may have been there before
		select {
		case <-l.acked:
		case <-l.server.exited():
			return errors.New("the server ended by itself")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// crash lets the writers work for a moment, kills the server, sometimes once more while it recovers, and starts it again.
func (l *load) crash(ctx context.Context) error {
	if err := l.progress(ctx); err != nil {
		return err
	}
	moment := time.NewTimer(time.Duration(l.random.Int64N(int64(maxUptime))))
	defer moment.Stop()
	select {
	case <-moment.C:
	case <-l.server.exited():
		return errors.New("the server ended by itself")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.where.setDown()
	if err := l.server.kill(); err != nil {
		return err
	}
	if l.random.IntN(4) == 0 {
		if err := l.server.interrupt(ctx, time.Duration(l.random.Int64N(int64(40*time.Millisecond)))); err != nil {
			return err
		}
	}
	address, err := l.server.start(ctx)
	if err != nil {
		return err
	}
	l.where.setUp(address)
	return nil
}

// finish ends the writers, writes the last document and waits until the stream has seen it.
func (l *load) finish(ctx context.Context) error {
	if err := l.progress(ctx); err != nil {
		return err
	}
	close(l.stop)
	l.writing.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if _, err := l.ask(ctx, bson.D{
		{Key: "insert", Value: journal},
		{Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: lastID}, {Key: "n", Value: int64(0)}}}},
		{Key: "$db", Value: database},
	}); err != nil {
		return err
	}
	l.reading.Wait()
	return context.Cause(ctx)
}

// ask runs one command on a connection of its own.
func (l *load) ask(ctx context.Context, command bson.D) (bson.Raw, error) {
	c, err := l.where.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	reply, err := c.run(ctx, document(command))
	if err != nil {
		return nil, err
	}
	return reply, replyError(reply)
}

// verify compares the collections and the stream with what the writers know, and a new stream from the beginning with the old one.
func (l *load) verify(ctx context.Context, t *testing.T, start bson.Timestamp) {
	t.Helper()
	done := map[string][]ledger.Change{"end": {{Op: "insert", ID: lastID}}}
	content := map[string]int64{lastID: 0}
	writes, resent := 0, 0
	for _, w := range l.writers {
		done[w.id] = w.changes
		maps.Copy(content, w.content())
		writes += len(w.changes)
		resent += w.resent
	}
	t.Logf("%d writes, %d operations sent again, %d documents left; the stream resumed %d times", writes, resent, len(content), l.reader.resume)
	if resent == 0 && os.Getenv("SLUICE_CRASH_KILLS") == "" {
		t.Errorf("no operation was cut off by a kill, so no retry was tested")
	}

	got := map[string]int64{}
	for collection, field := range map[string]string{journal: "n", counters: "v"} {
		if err := l.read(ctx, collection, field, got); err != nil {
			t.Fatalf("read %s: %v", collection, err)
		}
	}
	for _, problem := range checkContent(got, content) {
		t.Error(problem)
	}
	for _, problem := range ledger.Check(l.reader.events, done, ledger.Writer) {
		t.Errorf("the stream that resumed: %s", problem)
	}

	whole := &reader{server: l.where, random: l.random, start: bson.E{Key: "startAtOperationTime", Value: start}}
	if err := whole.follow(ctx); err != nil {
		t.Fatalf("read everything again: %v", err)
	}
	if err := ledger.Same(l.reader.events, whole.events); err != nil {
		t.Errorf("the stream that resumed, and one from the beginning: %v", err)
	}
}

// read adds the documents of a collection to into, by _id.
func (l *load) read(ctx context.Context, collection, field string, into map[string]int64) error {
	c, err := l.where.dial(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	command := bson.D{{Key: "find", Value: collection}, {Key: "$db", Value: database}}
	for batch := "firstBatch"; ; batch = "nextBatch" {
		reply, err := c.run(ctx, document(command))
		if err == nil {
			err = replyError(reply)
		}
		if err != nil {
			return err
		}
		list, _ := reply.Lookup("cursor", batch).ArrayOK()
		values, err := list.Values()
		if err != nil {
			return err
		}
		for _, value := range values {
			found := value.Document()
			id := found.Lookup("_id").StringValue()
			if _, twice := into[id]; twice {
				return fmt.Errorf("two documents with _id %s", id)
			}
			into[id] = found.Lookup(field).AsInt64()
		}
		cursor, _ := reply.Lookup("cursor", "id").AsInt64OK()
		if cursor == 0 {
			return nil
		}
		command = bson.D{{Key: "getMore", Value: cursor}, {Key: "collection", Value: collection}, {Key: "$db", Value: database}}
	}
}
