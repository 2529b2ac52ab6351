package enginetest_test

import (
	"context"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/enginetest"
)

// watchStock is the service: it tells whenever something has run out. ready is called when no later change is missed.
func watchStock(ctx context.Context, products *mongo.Collection, ready func(), tell func(string)) error {
	ranOut := mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "updateDescription.updatedFields.stock", Value: 0}}}}}
	stream, err := sluice.Watch[bson.Raw](ctx, products, ranOut, nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	ready()
	for event, err := range stream.All(ctx) {
		if err != nil {
			return err
		}
		tell(event.DocumentKey().Lookup("_id").StringValue())
	}
	return nil
}

// testStock is its test, called TestStock in a program: a database of its own, real changes, the real service, and an end that waits for it.
func testStock(t *testing.T) {
	products := enginetest.Start(t).Database(t).Collection("products")
	ctx, stop := context.WithCancel(t.Context())
	ready, told, ended := make(chan struct{}), make(chan string), make(chan error, 1)
	go func() {
		ended <- watchStock(ctx, products, func() { close(ready) }, func(product string) { told <- product })
	}()
	<-ready

	for _, product := range []string{"tea", "milk"} {
		if _, err := products.InsertOne(ctx, bson.D{{Key: "_id", Value: product}, {Key: "stock", Value: 2}}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			take := bson.D{{Key: "$inc", Value: bson.D{{Key: "stock", Value: -1}}}}
			if _, err := products.UpdateByID(ctx, product, take); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-told; got != product {
			t.Errorf("told of %s, want %s", got, product)
		}
	}
	stop()
	if err := <-ended; ctx.Err() == nil || err == nil {
		t.Errorf("ended with %v, want the context's error", err)
	}
}

// A service that reacts to changes, and its test, with nothing installed and no port opened.
func Example_service() {
	_ = testStock // which `go test` finds when it is called TestStock
}
