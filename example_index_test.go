package sluice_test

import (
	"context"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
)

// searchIndex stands for a search engine, which takes many changes at once better than one after the other.
type searchIndex map[int64]string

type indexChange struct {
	id   int64
	text string // empty: the document is gone
}

func (x searchIndex) bulk(changes []indexChange) {
	for _, c := range changes {
		if c.text == "" {
			delete(x, c.id)
		} else {
			x[c.id] = c.text
		}
	}
}

// An index that follows a collection. Each batch of events, as the server sends them, becomes one bulk request, and the
// position is stored once a batch.
func Example_bulkIndex() {
	ctx := context.Background()
	db, closeShop := openShop(ctx)
	defer closeShop()
	products := db.Collection("products")

	type Product struct {
		Name string `bson:"name"`
		Text string `bson:"text"`
	}
	stream := must(sluice.Watch[Product](ctx, products, nil, &sluice.Options{
		FullDocument: sluice.UpdateLookup, // the current document, not only what was changed
		BatchSize:    500,
	}))
	defer stream.Close()

	must(products.InsertMany(ctx, []bson.D{
		{{Key: "_id", Value: 1}, {Key: "name", Value: "Tea"}, {Key: "text", Value: "from Assam"}},
		{{Key: "_id", Value: 2}, {Key: "name", Value: "Milk"}, {Key: "text", Value: "of today"}},
		{{Key: "_id", Value: 3}, {Key: "name", Value: "Salt"}, {Key: "text", Value: "of the sea"}},
	}))
	must(products.UpdateByID(ctx, 1, bson.D{{Key: "$set", Value: bson.D{{Key: "text", Value: "from Darjeeling"}}}}))
	must(products.DeleteOne(ctx, bson.D{{Key: "_id", Value: 2}}))

	index := searchIndex{}
	for seen := 0; seen < 5; {
		events, err := stream.NextBatch(ctx)
		if err != nil {
			panic(err)
		}
		changes := make([]indexChange, 0, len(events))
		for _, event := range events {
			change := indexChange{id: event.DocumentKey().Lookup("_id").AsInt64()}
			// Deletions carry no document, and that of an update may be gone by now; its deletion comes later.
			if product, err := event.FullDocument(); err == nil {
				change.text = strings.ToLower(product.Name + " " + product.Text)
			}
			changes = append(changes, change)
		}
		index.bulk(changes)
		// Here stream.ResumeToken() would be stored: everything before it is in the index.
		seen += len(events)
	}
	fmt.Println(index)

	// Output:
	// map[1:tea from darjeeling 3:salt of the sea]
}
