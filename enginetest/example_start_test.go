package enginetest_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/enginetest"
)

// A test with a change stream needs nothing but this.
func ExampleStart() {
	TestOrders := func(t *testing.T) {
		server := enginetest.Start(t)
		orders := server.Database(t).Collection("orders")

		stream, err := sluice.Watch[bson.Raw](t.Context(), orders, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()

		if _, err := orders.InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
			t.Fatal(err)
		}
		event, err := stream.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if event.OperationType() != sluice.Insert {
			t.Errorf("%s, want an insert", event.OperationType())
		}
	}
	_ = TestOrders // which `go test` finds when it is a function of a test file
}
