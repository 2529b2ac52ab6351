package enginetest_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice"
	"github.com/sluicestream/sluice/enginetest"
)

// TestWatchersSeeEveryWriteInOneOrder writes at full speed under 1, 10 and 100 streams. goleak finds what they leave behind.
func TestWatchersSeeEveryWriteInOneOrder(t *testing.T) {
	t.Parallel()
	for _, watchers := range []int{1, 10, 100} {
		t.Run(fmt.Sprint(watchers), func(t *testing.T) {
			t.Parallel()
			coll := enginetest.Start(t).Database(t).Collection("c")
			const writers, each = 8, 50
			streams := make([]*sluice.Stream[bson.Raw], watchers)
			for i := range streams {
				stream, err := sluice.Watch[bson.Raw](t.Context(), coll, nil, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer stream.Close()
				streams[i] = stream
			}
			orders := make([][]string, watchers)
			var tasks sync.WaitGroup
			for w := range writers {
				tasks.Go(func() { write(t, coll, w, each) })
			}
			for i, stream := range streams {
				tasks.Go(func() {
					for range writers * each {
						event, err := stream.Next(t.Context())
						if err != nil {
							t.Errorf("stream %d: %v", i, err)
							return
						}
						orders[i] = append(orders[i], event.DocumentKey().String())
					}
				})
			}
			tasks.Wait()
			for i, order := range orders {
				if !slices.Equal(order, orders[0]) {
					t.Fatalf("stream %d saw another order than stream 0", i)
				}
			}
			distinct := slices.Compact(slices.Sorted(slices.Values(orders[0])))
			if len(distinct) != writers*each {
				t.Fatalf("%d different documents were seen, %d were written", len(distinct), writers*each)
			}
		})
	}
}

func write(t *testing.T, coll *mongo.Collection, writer, n int) {
	for i := range n {
		if _, err := coll.InsertOne(t.Context(), bson.D{{Key: "_id", Value: writer*n + i}}); err != nil {
			t.Error(err)
			return
		}
	}
}
