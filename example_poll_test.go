package sluice_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
)

// A loop that polls: it takes the changes that are there, and does other work when there are none.
func Example_poll() {
	ctx := context.Background()
	db, err := engine.Open(ctx, engine.Config{})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	client, err := mongo.Connect(options.Client().ApplyURI(db.URI()).SetDialer(db))
	if err != nil {
		panic(err)
	}
	defer func() { _ = client.Disconnect(ctx) }()
	orders := client.Database("shop").Collection("orders")

	stream, err := sluice.Watch[bson.M](ctx, orders, nil, &sluice.Options{MaxAwaitTime: 100 * time.Millisecond})
	if err != nil {
		panic(err)
	}
	defer stream.Close()

	work := []func(){ // what there is to do beside the changes
		func() { insert(ctx, orders, 1) },
		func() { insert(ctx, orders, 2) },
		func() { _ = stream.Close() },
	}
	for stream.Alive() {
		event, ok, err := stream.TryNext(ctx)
		if err != nil {
			panic(err)
		}
		if ok {
			fmt.Println(event.OperationType(), event.DocumentKey().Lookup("_id").AsInt64())
		}
		// The event is dealt with: store the token now. Without one it may have moved too: a restart has less to look through then.
		if stream.ResumeToken().IsZero() {
			panic("no token")
		}
		if ok {
			continue // there may be more
		}
		fmt.Println("nothing now")
		work[0]() // a real program would sleep, so as not to flood the server with getMores
		work = work[1:]
	}

	// Output:
	// nothing now
	// insert 1
	// nothing now
	// insert 2
	// nothing now
}

// A poll that has little time: each has a deadline of its own, and what has not come by then is not lost but comes with
// the next. The deadline ends the call alone, neither the stream nor the request that it waited for.
func Example_pollWithDeadline() {
	ctx := context.Background()
	db, closeShop := openShop(ctx)
	defer closeShop()
	orders := db.Collection("orders")
	stream := must(sluice.Watch[bson.M](ctx, orders, nil, nil))
	defer stream.Close()

	// poll prints the changes that come within 50 ms, and returns how many there were.
	poll := func() (changes int, err error) {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond) // less than the server waits for one request, 1 s
		defer cancel()
		for {
			event, ok, err := stream.TryNext(ctx)
			switch {
			case errors.Is(err, context.DeadlineExceeded):
				return changes, nil // the next poll goes on here
			case err != nil:
				return changes, err // the stream has ended
			case !ok:
				return changes, nil // nothing now
			}
			fmt.Println(event.OperationType(), event.DocumentKey().Lookup("_id").AsInt64())
			changes++
		}
	}

	fmt.Println(must(poll()), "changes, alive:", stream.Alive())
	for id := 1; id <= 3; id++ {
		insert(ctx, orders, id) // nobody reads now
	}
	for seen := 0; seen < 3; {
		seen += must(poll()) // and other work
	}

	// Output:
	// 0 changes, alive: true
	// insert 1
	// insert 2
	// insert 3
}

func insert(ctx context.Context, coll *mongo.Collection, id int) {
	if _, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
		panic(err)
	}
}
