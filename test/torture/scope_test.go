package torture

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluicestream/sluice"
)

const (
	database  = "torture"
	largeOnes = "torture_large" // in a database of their own, for they are only to be in the way of those who want them
	large     = "large"
	droppedDB = "torture_dropped" // as well
	dropped   = "dropped"
)

var small = []string{"a", "b"}

// scope is what a stream watches.
type scope string

const (
	ofA        scope = "collection a"
	ofB        scope = "collection b"
	ofDatabase scope = "database"
	ofCluster  scope = "cluster"
	ofLarge    scope = "large events"
	ofDropped  scope = "collection that is dropped"
)

func (s scope) collections() []string {
	switch s {
	case ofA:
		return small[:1]
	case ofB:
		return small[1:]
	case ofLarge:
		return []string{large}
	case ofDropped:
		return []string{dropped}
	default:
		return small
	}
}

// last is the document after which nothing comes.
func (s scope) last() string {
	all := s.collections()
	return endOf(all[len(all)-1])
}

func endOf(collection string) string { return "end/" + collection }

// collection returns the one that a document lives in.
func collection(client *mongo.Client, id string) *mongo.Collection {
	switch name := collectionOf(id); name {
	case large:
		return client.Database(largeOnes).Collection(name)
	case dropped:
		return client.Database(droppedDB).Collection(name)
	default:
		return client.Database(database).Collection(name)
	}
}

func (s scope) target(client *mongo.Client) (sluice.Target, mongo.Pipeline) {
	switch s {
	case ofA, ofB, ofLarge, ofDropped:
		return collection(client, s.last()), nil
	case ofDatabase:
		return client.Database(database), nil
	default:
		return client, mongo.Pipeline{{{Key: "$match", Value: bson.D{{Key: "ns.db", Value: database}}}}}
	}
}

// prepare makes the collections and remembers a time before all writes.
func (to *torture) prepare(ctx context.Context) error {
	for _, name := range small {
		if err := to.calm.Database(database).CreateCollection(ctx, name); err != nil {
			return err
		}
	}
	if to.server.splits {
		images := options.CreateCollection().SetChangeStreamPreAndPostImages(bson.D{{Key: "enabled", Value: true}})
		if err := to.calm.Database(largeOnes).CreateCollection(ctx, large, images); err != nil {
			return err
		}
	}
	for range 3 {
		to.addWriter(small...)
	}
	to.addWriter(dropped)
	if to.server.splits {
		to.addWriter(large)
	}
	var reply struct {
		Time bson.Timestamp `bson:"operationTime"`
	}
	err := to.calm.Database("admin").RunCommand(ctx, bson.D{{Key: "ping", Value: 1}}).Decode(&reply)
	to.start = bson.Timestamp{T: reply.Time.T, I: reply.Time.I + 1}
	return err
}

// writeEnds writes the last documents.
func (to *torture) writeEnds(ctx context.Context) error {
	all := append([]string{dropped}, small...)
	if to.server.splits {
		all = append(all, large)
	}
	for _, name := range all {
		id := endOf(name)
		if _, err := collection(to.calm, id).InsertOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "n", Value: int64(0)}}); err != nil {
			return err
		}
	}
	return nil
}
