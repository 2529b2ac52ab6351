package sluice_test

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
)

// When a program was away for longer than the server's oplog reaches back, the events in between are gone. By default the
// stream ends with ErrHistoryLost. Here it starts over, and the program is told what it has missed, so that it can read
// the collection once as a whole. (The loss is made by a fail point.)
func Example_lostHistory() {
	ctx := context.Background()
	db, closeShop := openShop(ctx)
	defer closeShop()
	orders := db.Collection("orders")

	missed := make(chan sluice.Gap, 1)
	stream := must(sluice.Watch[bson.M](ctx, orders, nil, &sluice.Options{
		OnHistoryLost: sluice.RestartNow,
		OnGap:         func(gap sluice.Gap) { missed <- gap }, // called within Next, before the first event after the gap
		ReadAhead:     sluice.ReadAhead{Off: true},            // so that the fail point strikes where this example wants it
	}))
	defer stream.Close()

	insert(ctx, orders, 1)
	fmt.Println("order", must(stream.Next(ctx)).DocumentKey().Lookup("_id").AsInt64())

	failNextGetMore(ctx, db, 286)
	insert(ctx, orders, 2)
	for len(missed) == 0 {
		if _, ok, err := stream.TryNext(ctx); ok || err != nil {
			panic(fmt.Sprint(ok, err))
		}
	}
	gap := <-missed
	fmt.Println("history lost:", errors.Is(gap.Err, sluice.ErrHistoryLost), "- from", !gap.From.IsZero(), "to", !gap.To.IsZero())
	fmt.Println("reading all", must(orders.CountDocuments(ctx, bson.D{})), "orders instead")

	insert(ctx, orders, 3)
	fmt.Println("order", must(stream.Next(ctx)).DocumentKey().Lookup("_id").AsInt64())

	// Output:
	// order 1
	// history lost: true - from true to true
	// reading all 2 orders instead
	// order 3
}
