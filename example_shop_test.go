package sluice_test

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice/engine"
)

// openShop is where the examples get their database from: an engine in memory. A program would connect to its server,
// and change nothing else.
func openShop(ctx context.Context) (db *mongo.Database, closeShop func()) {
	e, err := engine.Open(ctx, engine.Config{TestCommands: true})
	if err != nil {
		panic(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(e.URI()).SetDialer(e))
	if err != nil {
		panic(err)
	}
	return client.Database("shop"), func() {
		_ = client.Disconnect(ctx)
		_ = e.Close()
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// failNextGetMore makes the server answer the next getMore with an error.
func failNextGetMore(ctx context.Context, db *mongo.Database, code int) {
	err := db.Client().Database("admin").RunCommand(ctx, bson.D{
		{Key: "configureFailPoint", Value: "failCommand"},
		{Key: "mode", Value: bson.D{{Key: "times", Value: 1}}},
		{Key: "data", Value: bson.D{{Key: "failCommands", Value: bson.A{"getMore"}}, {Key: "errorCode", Value: code}}},
	}).Err()
	if err != nil {
		panic(err)
	}
}
