package command

import (
	"errors"
	"io"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/plan"
	"github.com/sluicestream/sluice/internal/store"
)

// dataSize {dataSize: "db.collection", estimate, maxSize, maxObjects} tells how many documents of how many bytes a collection
// has, until one of the limits is passed. keyPattern, min and max are not supported: a range of keys is what shards ask for.
// Other arguments are accepted and not used.
func dataSize(op *operation) error {
	started := time.Now()
	it := op.body.Iter()
	it.Next()
	if it.Value().Type != bsonraw.TypeString {
		return mongoerr.New(mongoerr.BadValue, "collection name has invalid type %s", it.Value().Type.Name())
	}
	db, name, ok := cutNamespace(it.Value().Str())
	if !ok {
		return mongoerr.New(mongoerr.InvalidNamespace, "Invalid namespace specified '%s'", it.Value().Str())
	}
	for _, name := range []string{"keyPattern", "min", "max"} {
		a := argument{op, name, op.body.Lookup(name)}
		if !a.IsMissing() && a.Type != bsonraw.TypeNull {
			if err := a.unsupportedUnlessEmpty(); err != nil {
				return err
			}
		}
	}
	if err := refuseView(op, db, name); err != nil {
		return err
	}
	var stats store.Stats
	if c := op.server.store.Catalog().Collection(db, name); c != nil {
		op.out = bsonraw.AppendBool(op.out, "estimate", op.body.Lookup("estimate").Truthy())
		var reached bool
		var err error
		if stats, reached, err = measure(op, c); err != nil {
			return err
		}
		if reached {
			op.out = bsonraw.AppendBool(op.out, "maxReached", true)
		}
	}
	op.out = bsonraw.AppendValue(op.out, "size", numberValue(stats.Bytes))
	op.out = bsonraw.AppendValue(op.out, "numObjects", numberValue(stats.Docs))
	op.out = bsonraw.AppendValue(op.out, "millis", numberValue(time.Since(started).Milliseconds()))
	return nil
}

// measure counts documents and bytes until a limit is passed.
func measure(op *operation, c *store.Collection) (sum store.Stats, reached bool, err error) {
	most, _ := op.body.Lookup("maxSize").AsInt64()
	docs, _ := op.body.Lookup("maxObjects").AsInt64()
	if most <= 0 && docs <= 0 {
		sum, err = op.server.store.Stats(op.ctx, c)
		return sum, false, err
	}
	every, err := filter.Compile(bsonraw.Empty, filter.Options{})
	if err != nil {
		return sum, false, err
	}
	walk := plan.Choose(c, plan.Query{Filter: every, Hint: plan.Hint{Natural: 1}}).Open(op.view)
	defer func() { err = errors.Join(err, walk.Close()) }()
	for {
		doc, err := walk.Next(op.ctx)
		if errors.Is(err, io.EOF) {
			return sum, false, nil
		}
		if err != nil {
			return sum, false, readError(op, err)
		}
		sum.Docs++
		sum.Bytes += int64(len(doc))
		if most > 0 && sum.Bytes > most || docs > 0 && sum.Docs > docs {
			return sum, true, nil
		}
	}
}
