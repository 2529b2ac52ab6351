package sluice_test

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
)

// Several collections in one stream: one cursor, one position, and the order in which things happened. Their documents
// differ, so they stay bytes until it is known which they are.
func Example_severalCollections() {
	ctx := context.Background()
	db, closeShop := openShop(ctx)
	defer closeShop()
	orders, customers := db.Collection("orders"), db.Collection("customers")

	wanted := mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "ns.coll", Value: bson.D{{Key: "$in", Value: bson.A{"orders", "customers"}}}}}}}}
	stream := must(sluice.Watch[bson.Raw](ctx, db, wanted, nil))
	defer stream.Close()

	must(customers.InsertOne(ctx, bson.D{{Key: "_id", Value: "ann"}, {Key: "city", Value: "Bern"}}))
	must(db.Collection("log").InsertOne(ctx, bson.D{{Key: "_id", Value: 1}}))
	must(orders.InsertOne(ctx, Order{ID: 1, Status: "new"}))

	for range 2 {
		event := must(stream.Next(ctx))
		document := must(event.FullDocument())
		switch event.Namespace().Coll {
		case "orders":
			var order Order
			if err := bson.Unmarshal(document, &order); err != nil {
				panic(err)
			}
			fmt.Println("order", order.ID, order.Status)
		case "customers":
			fmt.Println("customer from", document.Lookup("city").StringValue())
		}
	}

	// Output:
	// customer from Bern
	// order 1 new
}
