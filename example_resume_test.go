package sluice_test

import (
	"context"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
)

// A stream resumes by itself after everything that can pass. After a failure for good, which is provoked here, the token
// that was remembered lets another stream go on, and no insert is missed.
func Example_resume() {
	ctx := context.Background()
	db, err := engine.Open(ctx, engine.Config{TestCommands: true})
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

	type Order struct {
		ID   int    `bson:"_id"`
		Item string `bson:"item"`
	}
	inserts := mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "operationType", Value: "insert"}}}}}

	// What happens meanwhile: orders come in, and after the second one the server breaks the stream and more come in.
	begin := sync.OnceFunc(func() { put(ctx, orders, Order{1, "tea"}, Order{2, "milk"}, Order{3, "salt"}) })
	disturb := sync.OnceFunc(func() {
		failNextRead(ctx, client)
		put(ctx, orders, Order{4, "rice"}, Order{5, "wine"})
	})

	var token sluice.Token // after the last insert that was printed
	printInserts := func(opts *sluice.Options) error {
		stream, err := sluice.Watch[Order](ctx, orders, inserts, opts)
		if err != nil {
			return err
		}
		defer stream.Close()
		token = stream.ResumeToken()
		begin()
		for event, err := range stream.All(ctx) {
			if err != nil {
				return err
			}
			order, err := event.FullDocument()
			if err != nil {
				return err
			}
			fmt.Println("order", order.ID, order.Item)
			token = stream.ResumeToken()
			switch order.ID {
			case 2:
				disturb()
			case 5:
				return nil // enough for an example
			}
		}
		return nil
	}

	err = printInserts(nil)
	for err != nil {
		if token.IsZero() {
			panic(err) // the stream could not be opened: there is nothing to resume from
		}
		fmt.Println("failed; resuming")
		err = printInserts(&sluice.Options{ResumeAfter: token})
	}

	// Output:
	// order 1 tea
	// order 2 milk
	// order 3 salt
	// failed; resuming
	// order 4 rice
	// order 5 wine
}

func put(ctx context.Context, coll *mongo.Collection, docs ...any) {
	if _, err := coll.InsertMany(ctx, docs); err != nil {
		panic(err)
	}
}

// failNextRead makes the server fail the next getMore with an error that no stream may resume from by itself.
func failNextRead(ctx context.Context, client *mongo.Client) {
	err := client.Database("admin").RunCommand(ctx, bson.D{
		{Key: "configureFailPoint", Value: "failCommand"},
		{Key: "mode", Value: bson.D{{Key: "times", Value: 1}}},
		{Key: "data", Value: bson.D{{Key: "failCommands", Value: bson.A{"getMore"}}, {Key: "errorCode", Value: 8}}},
	}).Err()
	if err != nil {
		panic(err)
	}
}
