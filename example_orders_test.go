package sluice_test

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
)

// Order is a document of the collection; events decode into it when they are asked to.
type Order struct {
	ID     int      `bson:"_id"`
	Status string   `bson:"status"`
	Items  []string `bson:"items,omitempty"`
}

// What happened to orders, in the types of the program. The pipeline keeps away what nobody wants to see.
func Example_typedOrders() {
	ctx := context.Background()
	db, closeShop := openShop(ctx)
	defer closeShop()
	// To have documents as they were before a change, a collection has to keep them.
	images := bson.D{{Key: "create", Value: "orders"}, {Key: "changeStreamPreAndPostImages", Value: bson.D{{Key: "enabled", Value: true}}}}
	if err := db.RunCommand(ctx, images).Err(); err != nil {
		panic(err)
	}
	orders := db.Collection("orders")

	wanted := mongo.Pipeline{{{Key: "$match", Value: bson.D{
		{Key: "operationType", Value: bson.D{{Key: "$in", Value: bson.A{sluice.Insert, sluice.Update, sluice.Delete}}}},
	}}}}
	stream := must(sluice.Watch[Order](ctx, orders, wanted, &sluice.Options{FullDocumentBeforeChange: sluice.BeforeWhenAvailable}))
	defer stream.Close()

	must(orders.InsertOne(ctx, Order{ID: 1, Status: "new", Items: []string{"tea", "milk", "salt"}}))
	must(orders.UpdateByID(ctx, 1, bson.D{{Key: "$set", Value: bson.D{{Key: "status", Value: "paid"}}}, {Key: "$unset", Value: bson.D{{Key: "note", Value: 1}}}}))
	must(orders.UpdateByID(ctx, 1, bson.D{{Key: "$unset", Value: bson.D{{Key: "status", Value: 1}}}}))
	must(orders.DeleteOne(ctx, bson.D{{Key: "_id", Value: 1}}))

	for event, err := range stream.All(ctx) {
		if err != nil {
			panic(err)
		}
		id := event.DocumentKey().Lookup("_id").AsInt64()
		switch event.OperationType() {
		case sluice.Insert:
			order := must(event.FullDocument())
			fmt.Println("order", id, "of", order.Items)
		case sluice.Update:
			change := must(event.UpdateDescription())
			if status, ok := change.UpdatedFields.Lookup("status").StringValueOK(); ok {
				fmt.Println("order", id, "is now", status)
			}
			if slices.Contains(change.RemovedFields, "status") {
				before := must(event.FullDocumentBeforeChange())
				fmt.Println("order", id, "is no longer", before.Status)
			}
		case sluice.Delete:
			fmt.Println("order", id, "is gone")
			return
		}
	}

	// Output:
	// order 1 of [tea milk salt]
	// order 1 is now paid
	// order 1 is no longer paid
	// order 1 is gone
}
