package sluiceprom_test

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/engine"
	"github.com/sluicestream/sluice/sluiceprom"
)

// A service that shows how far its stream of orders is. What is gathered here is what promhttp.Handler serves.
func Example() {
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

	registry := prometheus.NewRegistry()
	metrics := sluiceprom.New(prometheus.Labels{"stream": "orders"})
	registry.MustRegister(metrics)
	stream, err := sluice.Watch[bson.M](ctx, orders, nil, &sluice.Options{Metrics: metrics})
	if err != nil {
		panic(err)
	}
	if _, err := orders.InsertOne(ctx, bson.D{{Key: "item", Value: "tea"}}); err != nil {
		panic(err)
	}
	if _, err := stream.Next(ctx); err != nil {
		panic(err)
	}
	_ = stream.Close()

	families, err := registry.Gather()
	if err != nil {
		panic(err)
	}
	for _, family := range families {
		switch value := family.GetMetric()[0]; family.GetName() {
		case "sluice_up":
			fmt.Println(family.GetName(), value.GetGauge().GetValue())
		case "sluice_resumes_total":
			fmt.Println(family.GetName(), value.GetCounter().GetValue())
		default:
			fmt.Println(family.GetName())
		}
	}

	// Output:
	// sluice_buffered_events
	// sluice_lag_seconds
	// sluice_last_reply_timestamp_seconds
	// sluice_position_timestamp_seconds
	// sluice_resumes_total 0
	// sluice_token_age_seconds
	// sluice_up 1
}
