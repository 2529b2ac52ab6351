package sluice_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/sluicestream/sluice/internal/testmongo"
)

type account struct {
	ID      int `bson:"_id"`
	Balance int
}

// Transfers between accounts by several clients at once: no reader ever sees a part of one, the sum stays, and the stream shows
// each transfer's two updates one behind the other, under one time and one transaction number.
// contract: M3
func TestTransactionsAndTheirEvents(t *testing.T) {
	t.Parallel()
	testmongo.Run(t, func(t *testing.T, server *testmongo.Server) {
		const accounts, clients, transfers = 4, 4, 15
		f := newFixture(t, server)
		coll := f.db.Collection("accounts")
		for i := range accounts {
			if _, err := coll.InsertOne(t.Context(), account{i, 100}); err != nil {
				t.Fatal(err)
			}
		}
		stream := watch(t, coll, nil, nil)
		var group sync.WaitGroup
		for c := range clients {
			group.Go(func() {
				for i := range transfers {
					if err := transfer(t.Context(), f.client, coll, (c+i)%accounts, (c+i+1)%accounts); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		if sum, err := total(t.Context(), coll); err != nil || sum != accounts*100 {
			t.Errorf("the sum is %d, %v", sum, err)
		}
		seen := map[string]bool{}
		for range clients * transfers {
			var of [2]string
			for i := range of {
				e, err := stream.Next(within(t))
				if err != nil {
					t.Fatal(err)
				}
				lsid, number, ok := e.Transaction()
				if !ok {
					t.Fatalf("an event without its transaction: %v", e.Raw())
				}
				of[i] = fmt.Sprint(lsid, number, e.ClusterTime())
			}
			if of[0] != of[1] || seen[of[0]] {
				t.Fatalf("a transaction's events stand apart: %s and %s", of[0], of[1])
			}
			seen[of[0]] = true
		}
	})
}

func transfer(ctx context.Context, client *mongo.Client, coll *mongo.Collection, from, to int) error {
	session, err := client.StartSession()
	if err != nil {
		return err
	}
	defer session.EndSession(ctx)
	_, err = session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		sum, err := total(ctx, coll)
		if err != nil {
			return nil, err
		}
		if sum != 400 {
			return nil, fmt.Errorf("a transaction sees a sum of %d", sum)
		}
		for id, by := range map[int]int{from: -1, to: 1} {
			if _, err := coll.UpdateByID(ctx, id, bson.M{"$inc": bson.M{"balance": by}}); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return err
}

func total(ctx context.Context, coll *mongo.Collection) (sum int, err error) {
	cursor, err := coll.Find(ctx, bson.M{})
	if err != nil {
		return 0, err
	}
	var all []account
	if err := cursor.All(ctx, &all); err != nil {
		return 0, err
	}
	for _, a := range all {
		sum += a.Balance
	}
	return sum, nil
}
