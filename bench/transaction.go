package main

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

const (
	transactionCollection = "transactions"
	transactionInserts    = 10
)

func transactionWorkloads() []workload {
	by := func(clients int, advantage float64) workload {
		return workload{
			name: fmt.Sprintf("transaction-%d", clients), about: fmt.Sprintf("a transaction of %d insertOne, %d at once", transactionInserts, clients),
			clean:   []string{transactionCollection},
			rows:    []row{{"rate", "transactions/s", higher, goal{advantage: advantage}}, {"p99", "ms", lower, goal{}}, {"cpu", "us server CPU/transaction", lower, goal{}}},
			prepare: func(ctx context.Context, p *peer) error { return p.fill(ctx, transactionCollection, 1) },
			measure: func(ctx context.Context, p *peer, r round) (sample, error) {
				sessions := make([]*mongo.Session, clients)
				for i := range sessions {
					s, err := p.client.StartSession()
					if err != nil {
						return nil, err
					}
					defer s.EndSession(ctx)
					sessions[i] = s
				}
				m, err := p.run(ctx, clients, r.duration, r.seed, func(ctx context.Context, w *worker) (int, error) { return 1, p.transaction(ctx, sessions[w.number]) })
				return m.sample(), err
			},
		}
	}
	return []workload{by(1, 3), by(8, 4)}
}

// transaction inserts documents one by one and commits them together.
func (p *peer) transaction(ctx context.Context, session *mongo.Session) error {
	collection := p.collection(transactionCollection)
	_, err := session.WithTransaction(ctx, func(ctx context.Context) (any, error) {
		for range transactionInserts {
			if _, err := collection.InsertOne(ctx, newDocument(p.nextID.Add(1))); err != nil {
				return nil, err
			}
		}
		return bson.D{}, nil
	})
	return err
}
