package engine

import (
	"context"
	"crypto/tls"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestOpenRefusesWhatItWouldHaveToIgnore(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"Auth": {Auth: true},
		"TLS":  {TLS: &tls.Config{MinVersion: tls.VersionTLS13}},
	} {
		if e, err := Open(t.Context(), cfg); err == nil {
			t.Errorf("%s: accepted", name)
			e.Close()
		}
	}
}

// TestDocumentsComeBack writes by the driver and reads after the engine was opened again.
func TestDocumentsComeBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	withClient := func(use func(coll *mongo.Collection)) {
		t.Helper()
		e, err := Open(t.Context(), Config{Dir: dir})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer func() {
			if err := e.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}()
		client, err := mongo.Connect(options.Client().ApplyURI(e.URI()).SetDialer(e))
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		defer func() {
			if err := client.Disconnect(context.Background()); err != nil {
				t.Errorf("disconnect: %v", err)
			}
		}()
		use(client.Database("shop").Collection("orders"))
	}
	withClient(func(coll *mongo.Collection) {
		if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "item", Value: "lamp"}}); err != nil {
			t.Fatalf("insert: %v", err)
		}
		if e, err := Open(t.Context(), Config{Dir: dir}); err == nil {
			t.Error("a folder in use was opened again")
			e.Close()
		}
	})
	withClient(func(coll *mongo.Collection) {
		var order struct{ Item string }
		if err := coll.FindOne(t.Context(), bson.D{{Key: "_id", Value: 1}}).Decode(&order); err != nil || order.Item != "lamp" {
			t.Errorf("found %+v, %v", order, err)
		}
	})
}
