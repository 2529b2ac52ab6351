package main

import (
	"context"
	"fmt"
)

const (
	insertCollection      = "inserts"
	findCollection        = "finds"
	updateCollection      = "updates"
	transactionCollection = "transactions"
	insertManyCount       = 1000
	findDocuments         = 10_000
	updateDocuments       = 1000
	transactionInserts    = 10
	crudClients           = 8 // of updates, and of the load of all kinds
)

// repeated measures a task that a number of clients repeat.
func repeated(clients int, t func(p *peer) task) func(context.Context, *peer, round) (sample, error) {
	return func(ctx context.Context, p *peer, r round) (sample, error) {
		m, err := p.run(ctx, clients, r.duration, r.seed, t(p))
		return m.sample(), err
	}
}

func insertWorkloads() []workload {
	one := func(writers int, rows ...row) workload {
		return workload{
			name: fmt.Sprintf("insert-%d", writers), about: fmt.Sprintf("one document an insert, %d at once", writers), clean: []string{insertCollection}, rows: rows,
			measure: repeated(writers, func(p *peer) task { return p.inserting(insertCollection, 1) }),
		}
	}
	return []workload{
		one(1, row{"rate", "docs/s", higher, goal{advantage: 4}}, row{"p50", "ms", lower, goal{limit: 0.45}}, row{"cpu", "us server CPU/doc", lower, goal{}}),
		one(8, row{"rate", "docs/s", higher, goal{advantage: 6}}, row{"p99", "ms", lower, goal{}}, row{"cpu", "us server CPU/doc", lower, goal{}}),
		one(64, row{"rate", "docs/s", higher, goal{advantage: 8}}, row{"p99", "ms", lower, goal{}}, row{"cpu", "us server CPU/doc", lower, goal{}}),
		{
			name: "insertmany", about: fmt.Sprintf("%d documents an insert, one at a time", insertManyCount), clean: []string{insertCollection},
			rows:    []row{{"rate", "docs/s", higher, goal{advantage: 4}}, {"cpu", "us server CPU/doc", lower, goal{}}},
			measure: repeated(1, func(p *peer) task { return p.inserting(insertCollection, insertManyCount) }),
		},
	}
}

func findWorkloads() []workload {
	by := func(clients int, advantage float64) workload {
		return workload{
			name: fmt.Sprintf("find-%d", clients), about: fmt.Sprintf("find by _id among %d documents, %d at once", findDocuments, clients), clean: []string{findCollection},
			rows:    []row{{"rate", "finds/s", higher, goal{advantage: advantage}}, {"p50", "ms", lower, goal{}}, {"cpu", "us server CPU/find", lower, goal{}}},
			prepare: func(ctx context.Context, p *peer) error { return p.fill(ctx, findCollection, findDocuments) },
			measure: repeated(clients, func(*peer) task { return finding(findCollection, findDocuments) }),
		}
	}
	return []workload{by(1, 4), by(16, 5)}
}

func updateWorkloads() []workload {
	prepare := func(ctx context.Context, p *peer) error { return p.fill(ctx, updateCollection, updateDocuments) }
	return []workload{
		{
			name: "inc-8", about: fmt.Sprintf("$inc by _id among %d documents, %d at once", updateDocuments, crudClients), clean: []string{updateCollection},
			rows:    []row{{"rate", "updates/s", higher, goal{advantage: 5}}, {"p99", "ms", lower, goal{}}, {"cpu", "us server CPU/update", lower, goal{}}},
			prepare: prepare,
			measure: repeated(crudClients, func(*peer) task { return incrementing(updateCollection, updateDocuments) }),
		},
		{
			name: "mixed-8", about: fmt.Sprintf("of four operations two find by _id, one $inc, one insert, %d at once", crudClients), clean: []string{updateCollection, insertCollection},
			rows:    []row{{"rate", "operations/s", higher, goal{advantage: 4}}, {"p99", "ms", lower, goal{}}, {"cpu", "us server CPU/operation", lower, goal{}}},
			prepare: prepare,
			measure: repeated(crudClients, func(p *peer) task {
				find := finding(updateCollection, updateDocuments)
				return mixing(find, find, incrementing(updateCollection, updateDocuments), p.inserting(insertCollection, 1))
			}),
		},
	}
}

func transactionWorkloads() []workload {
	by := func(clients int, advantage float64) workload {
		return workload{
			name: fmt.Sprintf("transaction-%d", clients), about: fmt.Sprintf("a transaction of %d inserts, %d at once", transactionInserts, clients),
			clean:   []string{transactionCollection},
			rows:    []row{{"rate", "transactions/s", higher, goal{advantage: advantage}}, {"p99", "ms", lower, goal{}}, {"cpu", "us server CPU/transaction", lower, goal{}}},
			prepare: func(ctx context.Context, p *peer) error { return p.fill(ctx, transactionCollection, 1) },
			measure: repeated(clients, func(p *peer) task { return p.transacting(transactionCollection, transactionInserts) }),
		}
	}
	return []workload{by(1, 3), by(8, 4)}
}
