package sluice_test

import (
	"context"
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
		// The token may have moved although nothing came: store it, so that a restart has less to look through.
		if stream.ResumeToken().IsZero() {
			panic("no token")
		}
		if ok {
			fmt.Println(event.OperationType(), event.DocumentKey().Lookup("_id").AsInt64())
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

func insert(ctx context.Context, coll *mongo.Collection, id int) {
	if _, err := coll.InsertOne(ctx, bson.D{{Key: "_id", Value: id}}); err != nil {
		panic(err)
	}
}
