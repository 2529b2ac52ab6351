package differential

import "go.mongodb.org/mongo-driver/v2/bson"

// transaction draws some operations in a transaction, which is committed or aborted. Nothing else is between them: what would
// have to wait for it cannot, in lock step.
func (g *generator) transaction() []step {
	g.transactions++
	in := func(command bson.D, more ...bson.E) bson.D {
		command = append(command, bson.E{Key: "lsid", Value: bson.D{{Key: "id", Value: bson.D{{Key: "$var", Value: "session"}}}}},
			bson.E{Key: "txnNumber", Value: g.transactions}, bson.E{Key: "autocommit", Value: false})
		return append(command, more...)
	}
	steps := []step{{verb: "run", command: in(g.operation(), bson.E{Key: "startTransaction", Value: true})}}
	for range g.random.IntN(5) {
		steps = append(steps, step{verb: "run", command: in(g.operation())})
	}
	end := g.oneOf("commitTransaction", "commitTransaction", "commitTransaction", "abortTransaction").(string)
	return append(steps, step{verb: "admin", database: "admin", command: in(bson.D{{Key: end, Value: 1}})})
}
