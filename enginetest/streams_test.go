//go:build !race

package enginetest_test

import (
	"runtime"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.uber.org/goleak"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
)

// Ten thousand streams of one process wait, see what is written while the oplog is trimmed behind them, and leave nothing when
// they are closed.
func TestTenThousandStreams(t *testing.T) { //nolint:paralleltest // it counts the goroutines of the process
	const streams, writes, atOnce, oplogBytes = 10_000, 20, 64, 64 << 10
	before, heap := goleak.IgnoreCurrent(), heapInUse()
	e, err := engine.Open(t.Context(), engine.Config{OplogMaxBytes: oplogBytes})
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(e.URI()).SetDialer(e).SetMaxPoolSize(0))
	if err != nil {
		t.Fatal(err)
	}
	coll := client.Database("shop").Collection("orders")
	if err := client.Database("shop").CreateCollection(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	open := make([]*sluice.Stream[bson.Raw], streams)
	each(atOnce, streams, func(i int) {
		if open[i], err = sluice.Watch[bson.Raw](t.Context(), coll, nil, nil); err != nil {
			t.Error(err)
		}
	})
	if t.Failed() {
		return
	}
	var watching sync.WaitGroup
	for _, s := range open {
		watching.Go(func() {
			for n := range writes {
				event, err := s.Next(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				if id := event.DocumentKey().Lookup("_id").Int32(); int(id) != n {
					t.Errorf("event %d is of document %d", n, id)
					return
				}
			}
		})
	}
	text := make([]byte, 8<<10)
	for n := range writes {
		if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "_id", Value: n}, {Key: "text", Value: text}}); err != nil {
			t.Fatal(err)
		}
	}
	watching.Wait()
	each(atOnce, streams, func(i int) {
		if err := open[i].Close(); err != nil {
			t.Error(err)
		}
	})
	clear(open)
	wantTrimmed(t, client.Database("local").Collection("oplog.rs"), coll, oplogBytes/len(text)+2)
	if err := client.Disconnect(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil { // it waits for all that it has started
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
	if now := heapInUse(); now > heap+64<<20 {
		t.Errorf("%d MB of memory before, %d MB after", heap>>20, now>>20)
	}
}

// wantTrimmed waits until the oplog has so few entries. Trimming is done behind the writers: each further write makes it due again.
func wantTrimmed(t *testing.T, oplog, coll *mongo.Collection, most int) {
	t.Helper()
	for n := range 1000 {
		count, err := oplog.CountDocuments(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		if count <= int64(most) {
			return
		}
		if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "_id", Value: -1 - n}, {Key: "text", Value: make([]byte, 8<<10)}}); err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("the oplog still has more than %d entries", most)
}

// each calls fn for all numbers below n, some at once.
func each(atOnce, n int, fn func(int)) {
	var group sync.WaitGroup
	next := make(chan int)
	for range atOnce {
		group.Go(func() {
			for i := range next {
				fn(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	group.Wait()
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
