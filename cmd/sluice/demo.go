package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	demoInterval   = 400 * time.Millisecond // between two changes
	demoWriteLimit = 10 * time.Second       // for one of them
	demoOpenOrders = 6                      // orders in the book, about
)

// demo keeps a small order book lively. It changes and deletes only orders that it has placed itself.
type demo struct {
	coll *mongo.Collection
	pick *rand.Rand
	next int32 // number of the next order
	open []*demoOrder
}

// demoOrder is one order, as it is stored.
type demoOrder struct {
	ID       int32      `bson:"_id"`
	Customer string     `bson:"customer"`
	Status   string     `bson:"status"`
	Items    []demoItem `bson:"items"`
	Total    float64    `bson:"total"`
	Note     string     `bson:"note,omitempty"`
	Placed   time.Time  `bson:"placed"`
}

type demoItem struct {
	SKU   string  `bson:"sku"`
	Qty   int32   `bson:"qty"`
	Price float64 `bson:"price"`
}

var (
	demoCustomers = []string{"Ada", "Björn", "Chidi", "Dmitri", "Esther", "François", "Grace", "Hiroshi 博"}
	// Prices are sums of powers of two, so that totals show no rounding.
	demoItems = []demoItem{{"tea", 1, 4.5}, {"coffee", 1, 7.25}, {"rice", 1, 2}, {"olive oil", 1, 11.5}, {"salt", 1, 0.75}}
	demoNotes = []string{"ring twice", "leave at the door", "it is a gift"}
)

func newDemo(coll *mongo.Collection) *demo {
	return &demo{coll: coll, pick: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
}

// run makes changes until ctx ends, the first of them at once.
func (d *demo) run(ctx context.Context) error {
	ticker := time.NewTicker(demoInterval)
	defer ticker.Stop()
	err := d.begin(ctx)
	for err == nil {
		if err = d.step(ctx); err != nil {
			break
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("write the demo's orders: %w", err)
}

// begin finds the first free number: an earlier run may have left orders.
func (d *demo) begin(ctx context.Context) error {
	const first, last = 1001, 1 << 30
	d.next = first
	numbers := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: int32(first)}, {Key: "$lt", Value: int32(last)}}}}
	var highest struct {
		ID float64 `bson:"_id"`
	}
	opts := options.FindOne().SetSort(bson.D{{Key: "_id", Value: -1}}).SetProjection(bson.D{{Key: "_id", Value: 1}})
	switch err := d.coll.FindOne(ctx, numbers, opts).Decode(&highest); {
	case errors.Is(err, mongo.ErrNoDocuments):
		return nil
	case err != nil:
		return err
	}
	d.next = int32(highest.ID) + 1
	return nil
}

// step makes one change: mostly to the orders in the book, which fills up to its usual size and stays around that.
func (d *demo) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoWriteLimit)
	defer cancel()
	if len(d.open) < 2 || d.pick.IntN(demoOpenOrders+len(d.open)) < demoOpenOrders-len(d.open)/2 {
		return d.place(ctx)
	}
	o := d.open[d.pick.IntN(len(d.open))]
	switch o.Status {
	case "new":
		if d.pick.IntN(3) == 0 {
			return d.add(ctx, o)
		}
		return d.advance(ctx, o, "paid")
	case "paid":
		return d.advance(ctx, o, "shipped")
	default:
		return d.remove(ctx, o)
	}
}

// place inserts an order.
func (d *demo) place(ctx context.Context) error {
	o := &demoOrder{ID: d.next, Customer: demoCustomers[d.pick.IntN(len(demoCustomers))], Status: "new", Placed: time.Now()}
	for range 1 + d.pick.IntN(2) {
		item := d.item()
		o.Items = append(o.Items, item)
		o.Total += float64(item.Qty) * item.Price
	}
	if d.pick.IntN(3) == 0 {
		o.Note = demoNotes[d.pick.IntN(len(demoNotes))]
	}
	if _, err := d.coll.InsertOne(ctx, o); err != nil {
		return err
	}
	d.next++
	d.open = append(d.open, o)
	return nil
}

func (d *demo) item() demoItem {
	item := demoItems[d.pick.IntN(len(demoItems))]
	item.Qty = 1 + d.pick.Int32N(3)
	return item
}

// add updates an order with one more item.
func (d *demo) add(ctx context.Context, o *demoOrder) error {
	item := d.item()
	return d.update(ctx, o, bson.D{
		{Key: "$push", Value: bson.D{{Key: "items", Value: item}}},
		{Key: "$inc", Value: bson.D{{Key: "total", Value: float64(item.Qty) * item.Price}}},
	})
}

// advance updates an order's status. A note has done its duty when the order is shipped.
func (d *demo) advance(ctx context.Context, o *demoOrder, status string) error {
	change := bson.D{{Key: "$set", Value: bson.D{{Key: "status", Value: status}}}}
	if status == "shipped" && o.Note != "" {
		change = append(change, bson.E{Key: "$unset", Value: bson.D{{Key: "note", Value: ""}}})
	}
	if err := d.update(ctx, o, change); err != nil {
		return err
	}
	o.Status = status
	return nil
}

func (d *demo) update(ctx context.Context, o *demoOrder, change bson.D) error {
	_, err := d.coll.UpdateByID(ctx, o.ID, change)
	return err
}

// remove deletes an order that is done with.
func (d *demo) remove(ctx context.Context, o *demoOrder) error {
	if _, err := d.coll.DeleteOne(ctx, bson.D{{Key: "_id", Value: o.ID}}); err != nil {
		return err
	}
	d.open = slices.DeleteFunc(d.open, func(other *demoOrder) bool { return other == o })
	return nil
}
