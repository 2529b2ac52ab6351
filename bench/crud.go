package main

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

const (
	insertCollection = "inserts"
	findCollection   = "finds"
	updateCollection = "updates"
	insertManyCount  = 1000
	findDocuments    = 10_000
	updateDocuments  = 1000
)

func insertWorkloads() []workload {
	one := func(writers int, rows ...row) workload {
		return workload{
			name: fmt.Sprintf("insert-%d", writers), about: fmt.Sprintf("insertOne, %d at once", writers), clean: []string{insertCollection}, rows: rows,
			measure: func(ctx context.Context, p *peer, r round) (sample, error) {
				m, err := p.run(ctx, writers, r.duration, r.seed, func(ctx context.Context, _ *worker) (int, error) { return 1, p.insertOne(ctx, insertCollection) })
				return m.sample(), err
			},
		}
	}
	many := workload{
		name: "insertmany", about: fmt.Sprintf("insertMany of %d documents, one at a time", insertManyCount), clean: []string{insertCollection},
		rows: []row{{"rate", "docs/s", higher, goal{advantage: 4}}, {"cpu", "us server CPU/doc", lower, goal{}}},
		measure: func(ctx context.Context, p *peer, r round) (sample, error) {
			collection := p.collection(insertCollection)
			m, err := p.run(ctx, 1, r.duration, r.seed, func(ctx context.Context, _ *worker) (int, error) {
				documents := make([]bson.Raw, insertManyCount)
				for i := range documents {
					documents[i] = newDocument(p.nextID.Add(1))
				}
				_, err := collection.InsertMany(ctx, documents)
				return insertManyCount, err
			})
			return m.sample(), err
		},
	}
	return []workload{
		one(1, row{"rate", "docs/s", higher, goal{advantage: 4}}, row{"p50", "ms", lower, goal{limit: 0.45}}, row{"cpu", "us server CPU/doc", lower, goal{}}),
		one(8, row{"rate", "docs/s", higher, goal{advantage: 6}}, row{"p99", "ms", lower, goal{}}, row{"cpu", "us server CPU/doc", lower, goal{}}),
		one(64, row{"rate", "docs/s", higher, goal{advantage: 8}}, row{"p99", "ms", lower, goal{}}, row{"cpu", "us server CPU/doc", lower, goal{}}),
		many,
	}
}

// insertOne inserts a new document that holds the time at which it was sent.
func (p *peer) insertOne(ctx context.Context, collection string) error {
	doc := newDocument(p.nextID.Add(1))
	stamp(doc, time.Now())
	_, err := p.collection(collection).InsertOne(ctx, doc)
	return err
}

func findWorkloads() []workload {
	by := func(clients int, advantage float64) workload {
		return workload{
			name: fmt.Sprintf("find-%d", clients), about: fmt.Sprintf("find by _id among %d documents, %d at once", findDocuments, clients), clean: []string{findCollection},
			rows:    []row{{"rate", "finds/s", higher, goal{advantage: advantage}}, {"p50", "ms", lower, goal{}}, {"cpu", "us server CPU/find", lower, goal{}}},
			prepare: func(ctx context.Context, p *peer) error { return p.fill(ctx, findCollection, findDocuments) },
			measure: func(ctx context.Context, p *peer, r round) (sample, error) {
				m, err := p.run(ctx, clients, r.duration, r.seed, func(ctx context.Context, w *worker) (int, error) {
					return 1, p.findOne(ctx, findCollection, w.random.Int64N(findDocuments))
				})
				return m.sample(), err
			},
		}
	}
	return []workload{by(1, 4), by(16, 5)}
}

// crudClients is how many clients update, or do all kinds of things, at once.
const crudClients = 8

func updateWorkloads() []workload {
	return []workload{{
		name: "inc-8", about: fmt.Sprintf("$inc by _id among %d documents, %d at once", updateDocuments, crudClients), clean: []string{updateCollection},
		rows:    []row{{"rate", "updates/s", higher, goal{advantage: 5}}, {"p99", "ms", lower, goal{}}, {"cpu", "us server CPU/update", lower, goal{}}},
		prepare: func(ctx context.Context, p *peer) error { return p.fill(ctx, updateCollection, updateDocuments) },
		measure: func(ctx context.Context, p *peer, r round) (sample, error) {
			m, err := p.run(ctx, crudClients, r.duration, r.seed, func(ctx context.Context, w *worker) (int, error) { return 1, p.increment(ctx, updateCollection, w) })
			return m.sample(), err
		},
	}, {
		name: "mixed-8", about: fmt.Sprintf("of four operations two find by _id, one $inc, one insertOne, %d at once", crudClients), clean: []string{updateCollection, insertCollection},
		rows:    []row{{"rate", "operations/s", higher, goal{advantage: 4}}, {"p99", "ms", lower, goal{}}, {"cpu", "us server CPU/operation", lower, goal{}}},
		prepare: func(ctx context.Context, p *peer) error { return p.fill(ctx, updateCollection, updateDocuments) },
		measure: func(ctx context.Context, p *peer, r round) (sample, error) {
			m, err := p.run(ctx, crudClients, r.duration, r.seed, func(ctx context.Context, w *worker) (int, error) {
				switch w.random.IntN(4) {
				case 0:
					return 1, p.insertOne(ctx, insertCollection)
				case 1:
					return 1, p.increment(ctx, updateCollection, w)
				default:
					return 1, p.findOne(ctx, updateCollection, w.random.Int64N(updateDocuments))
				}
			})
			return m.sample(), err
		},
	}}
}

// increment adds one to the v of one of updateDocuments documents.
func (p *peer) increment(ctx context.Context, collection string, w *worker) error {
	result, err := p.collection(collection).UpdateOne(ctx, bson.D{{Key: "_id", Value: w.random.Int64N(updateDocuments)}},
		bson.D{{Key: "$inc", Value: bson.D{{Key: "v", Value: int64(1)}}}})
	if err == nil && result.ModifiedCount != 1 {
		err = fmt.Errorf("$inc by _id modified %d documents", result.ModifiedCount)
	}
	return err
}

// findOne finds a document by its _id.
func (p *peer) findOne(ctx context.Context, collection string, id int64) error {
	doc, err := p.collection(collection).FindOne(ctx, bson.D{{Key: "_id", Value: id}}).Raw()
	if err == nil && len(doc) != documentBytes {
		err = fmt.Errorf("find by _id returned %d bytes", len(doc))
	}
	return err
}
