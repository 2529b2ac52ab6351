package main

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// start serves until the test ends, and connects the driver to it.
func start(t *testing.T) *mongo.Database {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, t.TempDir(), "127.0.0.1:0", time.Microsecond, write) }()
	uri, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(strings.TrimSpace(uri)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return client.Database("d")
}

func TestTheDriverIsAnswered(t *testing.T) {
	t.Parallel()
	db := start(t)
	c := db.Collection("c")
	if err := c.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	stream, err := c.Watch(t.Context(), mongo.Pipeline{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close(context.Background())
	if _, err := c.InsertMany(t.Context(), []any{bson.D{{Key: "_id", Value: 1}}, bson.D{{Key: "_id", Value: 2}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UpdateByID(t.Context(), 1, bson.D{{Key: "$inc", Value: bson.D{{Key: "v", Value: 1}}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int32{1, 2, 0} {
		if !stream.Next(t.Context()) {
			t.Fatal(stream.Err())
		}
		if got, _ := stream.Current.Lookup("fullDocument", "_id").AsInt64OK(); got != int64(want) {
			t.Errorf("an event is of document %d, want %d", got, want)
		}
	}
	if raw, err := c.FindOne(t.Context(), bson.D{{Key: "_id", Value: int64(7)}}).Raw(); err != nil || len(raw) != documentBytes {
		t.Errorf("found a document of %d bytes, %v", len(raw), err)
	}
	session, err := db.Client().StartSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.EndSession(context.Background())
	_, err = session.WithTransaction(t.Context(), func(ctx context.Context) (any, error) {
		return c.InsertOne(ctx, bson.D{{Key: "_id", Value: 3}})
	})
	if err != nil {
		t.Errorf("transaction: %v", err)
	}
}
