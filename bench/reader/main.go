// Command reader reads a collection's backlog through one change stream and prints how long that took, as one line of JSON. The bench
// runs it as a process of its own for each sample, as it does the readers in other languages beside it.
//
//	reader -library driver|sluice|floor -uri URI|embedded -collection DB.COLL -events N -start SECONDS,INCREMENT -handler empty|struct|map|wait [-wait D] [-batch N]
//
// The library "floor" sends the getMores one after the other and looks at no event: what it takes is what the server and the connection leave.
// With the URI "embedded" it opens an engine in this process, in memory, and writes the backlog itself first.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/internal/bsonraw"
)

// document is what the backlog holds.
type document struct {
	ID   int64 `bson:"_id"`
	V    int64
	Sent int64
	Pad  string
}

const (
	waitEvents = 100 // the waiting handler waits once for so many
	timeout    = 5 * time.Minute
)

type arguments struct {
	library, uri, handler string
	db, coll              string
	events                int
	batch                 int32
	wait                  time.Duration
	start                 bson.Timestamp
}

// result is what is printed.
type result struct {
	Events  int     `json:"events"`
	Seconds float64 `json:"seconds"`
	Mallocs float64 `json:"mallocs_per_event"`
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	a, err := parse()
	if err == nil {
		err = run(ctx, a)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "reader:", err)
		os.Exit(1)
	}
}

func parse() (a arguments, err error) {
	flag.StringVar(&a.library, "library", "sluice", "driver, sluice or floor")
	flag.StringVar(&a.uri, "uri", "embedded", "the server")
	flag.StringVar(&a.handler, "handler", "empty", "empty, struct, map or wait")
	flag.IntVar(&a.events, "events", 100_000, "how many events there are")
	batch := flag.Int("batch", 0, "events in a batch; 0: the server's choice")
	flag.DurationVar(&a.wait, "wait", 10*time.Microsecond, "how long the handler that waits takes for each event")
	collection := flag.String("collection", "reader.backlog", "DB.COLL")
	start := flag.String("start", "0,0", "cluster time from which to read")
	flag.Parse()
	a.batch = int32(*batch)
	var ok bool
	if a.db, a.coll, ok = strings.Cut(*collection, "."); !ok {
		return a, errors.New("-collection is DB.COLL")
	}
	if _, err := fmt.Sscanf(*start, "%d,%d", &a.start.T, &a.start.I); err != nil {
		return a, fmt.Errorf("-start: %w", err)
	}
	return a, nil
}

func run(ctx context.Context, a arguments) (err error) {
	opts := options.Client()
	if a.uri == "embedded" {
		e, err := engine.Open(ctx, engine.Config{})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.Close()) }()
		opts.ApplyURI(e.URI()).SetDialer(e)
	} else {
		opts.ApplyURI(a.uri)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Disconnect(ctx)) }()
	collection := client.Database(a.db).Collection(a.coll)
	if a.uri == "embedded" {
		if a.start, err = write(ctx, collection, a.events); err != nil {
			return err
		}
	}
	read := map[string]func(context.Context, *mongo.Collection, arguments) error{"driver": readDriver, "sluice": readSluice, "floor": readFloor}[a.library]
	if read == nil {
		return fmt.Errorf("no library %q", a.library)
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	if err := read(ctx, collection, a); err != nil {
		return err
	}
	took := time.Since(begin)
	runtime.ReadMemStats(&after)
	return json.NewEncoder(os.Stdout).Encode(result{Events: a.events, Seconds: took.Seconds(), Mallocs: float64(after.Mallocs-before.Mallocs) / float64(a.events)})
}

// write makes a backlog, and returns the time before it.
func write(ctx context.Context, collection *mongo.Collection, events int) (bson.Timestamp, error) {
	var reply struct {
		OperationTime bson.Timestamp `bson:"operationTime"`
	}
	if err := collection.Database().RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Decode(&reply); err != nil {
		return reply.OperationTime, err
	}
	pad := strings.Repeat("x", 247)
	for id := 0; id < events; {
		var documents []document
		for ; id < events && len(documents) < 1000; id++ {
			documents = append(documents, document{ID: int64(id), Pad: pad})
		}
		if _, err := collection.InsertMany(ctx, documents); err != nil {
			return reply.OperationTime, err
		}
	}
	return reply.OperationTime, nil
}

// waiter is the handler that takes its time, as one does that waits for a disk or a network.
type waiter struct {
	each   time.Duration
	events int
	until  time.Time // when the handler is done with what it was given
}

// wait waits for waitEvents at once. What the clock gave too much is taken off the next wait.
func (w *waiter) wait(ctx context.Context) error {
	if w.events++; w.events < waitEvents {
		return nil
	}
	w.events = 0
	if now := time.Now(); now.Sub(w.until) > 2*waitEvents*w.each { // it had nothing to do
		w.until = now
	}
	w.until = w.until.Add(waitEvents * w.each)
	timer := time.NewTimer(time.Until(w.until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func readDriver(ctx context.Context, collection *mongo.Collection, a arguments) error {
	stream, err := collection.Watch(ctx, mongo.Pipeline{}, options.ChangeStream().SetStartAtOperationTime(&a.start).SetBatchSize(a.batch))
	if err != nil {
		return err
	}
	defer stream.Close(ctx)
	w := waiter{each: a.wait}
	for range a.events {
		if !stream.Next(ctx) {
			return fmt.Errorf("the stream ended: %w", stream.Err())
		}
		switch a.handler {
		case "struct":
			var event struct {
				OperationType string   `bson:"operationType"`
				FullDocument  document `bson:"fullDocument"`
			}
			err = stream.Decode(&event)
		case "map":
			var event bson.M
			err = stream.Decode(&event)
		case "wait":
			err = w.wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readSluice(ctx context.Context, collection *mongo.Collection, a arguments) error {
	stream, err := sluice.Watch[document](ctx, collection, nil, &sluice.Options{StartAtOperationTime: a.start, BatchSize: a.batch})
	if err != nil {
		return err
	}
	defer stream.Close()
	w := waiter{each: a.wait}
	for range a.events {
		event, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		switch a.handler {
		case "struct":
			_ = event.OperationType()
			_, err = event.FullDocument()
		case "map":
			var m bson.M
			err = event.Decode(&m)
		case "wait":
			err = w.wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readFloor(ctx context.Context, collection *mongo.Collection, a arguments) error {
	session, err := collection.Database().Client().StartSession() // a cursor is that of one session
	if err != nil {
		return err
	}
	defer session.EndSession(ctx)
	ctx = mongo.NewSessionContext(ctx, session)
	cursor := bson.D{}
	if a.batch > 0 {
		cursor = bson.D{{Key: "batchSize", Value: a.batch}}
	}
	reply, err := collection.Database().RunCommand(ctx, bson.D{
		{Key: "aggregate", Value: collection.Name()},
		{Key: "pipeline", Value: bson.A{bson.D{{Key: "$changeStream", Value: bson.D{{Key: "startAtOperationTime", Value: a.start}}}}}},
		{Key: "cursor", Value: cursor},
	}).Raw()
	batch := "firstBatch"
	for read := 0; err == nil; batch = "nextBatch" {
		read += countEvents(reply.Lookup("cursor", batch).Array())
		if read >= a.events {
			return nil
		}
		more := bson.D{{Key: "getMore", Value: reply.Lookup("cursor", "id").Int64()}, {Key: "collection", Value: collection.Name()}}
		if a.batch > 0 {
			more = append(more, bson.E{Key: "batchSize", Value: a.batch})
		}
		reply, err = collection.Database().RunCommand(ctx, more).Raw()
	}
	return err
}

// countEvents counts the documents of an array without a look at them.
func countEvents(array bson.RawArray) (n int) {
	for events := bsonraw.Doc(array).Iter(); events.Next(); {
		n++
	}
	return n
}
