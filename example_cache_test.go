package sluice_test

import (
	"context"
	"fmt"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
)

// priceCache answers from memory what it has read before.
type priceCache struct {
	products *mongo.Collection

	mu     sync.Mutex
	prices map[int64]float64
}

func (c *priceCache) price(ctx context.Context, id int64) float64 {
	c.mu.Lock()
	defer c.mu.Unlock() // also while reading, so that an older price is not put in after the event of the newer one
	if price, ok := c.prices[id]; ok {
		return price
	}
	var product struct {
		Price float64 `bson:"price"`
	}
	if err := c.products.FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Decode(&product); err != nil {
		panic(err)
	}
	c.prices[id] = product.Price
	return product.Price
}

func (c *priceCache) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.prices, id)
}

func (c *priceCache) forgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.prices)
}

// A cache that forgets what has changed. It needs keys alone, so the pipeline leaves the documents with the server; and
// where changes may have been missed it forgets everything, so it can go on whatever happens.
func Example_cacheInvalidation() {
	ctx := context.Background()
	db, closeShop := openShop(ctx)
	defer closeShop()
	products := db.Collection("products")
	cache := &priceCache{products: products, prices: map[int64]float64{}}

	keysOnly := mongo.Pipeline{{{Key: "$project", Value: bson.D{{Key: "operationType", Value: 1}, {Key: "documentKey", Value: 1}}}}}
	stream := must(sluice.Watch[bson.Raw](ctx, products, keysOnly, &sluice.Options{
		OnInvalidate:  sluice.ContinueOnInvalidate, // the collection may be dropped and made anew
		OnHistoryLost: sluice.RestartNow,
		OnGap:         func(sluice.Gap) { cache.forgetAll() },
	}))
	defer stream.Close()
	follow := func(events int) {
		for range events {
			event, err := stream.Next(ctx)
			if err != nil {
				panic(err)
			}
			if key := event.DocumentKey(); key != nil {
				cache.forget(key.Lookup("_id").AsInt64())
			} else { // drop, rename, invalidate
				cache.forgetAll()
			}
		}
	}

	must(products.InsertOne(ctx, bson.D{{Key: "_id", Value: 1}, {Key: "price", Value: 2.5}}))
	follow(1)
	fmt.Println(cache.price(ctx, 1))
	must(products.UpdateByID(ctx, 1, bson.D{{Key: "$set", Value: bson.D{{Key: "price", Value: 3}}}}))
	fmt.Println(cache.price(ctx, 1), "until the event has come")
	follow(1)
	fmt.Println(cache.price(ctx, 1))

	// Output:
	// 2.5
	// 2.5 until the event has come
	// 3
}
