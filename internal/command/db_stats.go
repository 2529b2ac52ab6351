package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// dbStats {dbStats: 1, scale, freeStorage} tells how much a database holds and takes; sizes are divided by scale. What it takes
// on disk is an estimate. Other arguments are accepted and not used.
func dbStats(op *operation) error {
	if err := noName(op); err != nil {
		return err
	}
	s := databaseStats{scale: 1}
	if err := s.parseScale(op.body.Lookup("scale")); err != nil {
		return err
	}
	if err := s.add(op); err != nil {
		return err
	}
	s.append(op, op.body.Lookup("freeStorage").Truthy())
	return nil
}

// noName refuses a name where a command is about the whole database.
func noName(op *operation) error {
	if it := op.body.Iter(); it.Next() && it.Value().Type == bsonraw.TypeString && it.Value().Str() != "" {
		return mongoerr.New(mongoerr.InvalidNamespace, "Invalid db name: %s.%s", op.db, it.Value().Str())
	}
	return nil
}

// databaseStats are the sums over a database's collections.
type databaseStats struct {
	scale                       int64
	collections, views, indexes int64
	docs, data, stored, indexed int64
}

// parseScale reads what sizes are divided by. mongod has no code for what is wrong with it.
func (s *databaseStats) parseScale(v bsonraw.Value) error {
	if v.IsMissing() || v.Type == bsonraw.TypeNull {
		return nil
	}
	if !v.Type.IsNumber() {
		return mongoerr.New(mongoerr.OK, "scale has to be a number > 0")
	}
	n, ok := v.AsInt64()
	if f, _ := v.AsFloat64(); ok && n <= 0 || !ok && f < 1 {
		return mongoerr.New(mongoerr.OK, "scale has to be > 0")
	}
	s.scale = n
	return nil
}

func (s *databaseStats) add(op *operation) error {
	st := op.server.store
	catalog := st.Catalog()
	s.views = int64(len(catalog.ViewDefinitions(op.db)))
	for _, c := range catalog.Collections(op.db) {
		stats, err := st.Stats(op.ctx, c)
		if err != nil {
			return err
		}
		stored, err := st.DocsSize(c)
		if err != nil {
			return err
		}
		all, err := st.Size(c)
		if err != nil {
			return err
		}
		s.collections++
		s.indexes += int64(c.IndexCount())
		s.docs += stats.Docs
		s.data += stats.Bytes
		s.stored += stored
		s.indexed += all - stored
	}
	return nil
}

// append appends the sums, in mongod's types: those of a database that there is not are whole numbers.
func (s *databaseStats) append(op *operation, free bool) {
	exists := s.collections > 0
	number := func(name string, n float64) {
		if exists {
			op.out = bsonraw.AppendDouble(op.out, name, n)
		} else {
			op.out = bsonraw.AppendInt32(op.out, name, int32(n))
		}
	}
	size := func(name string, n int64) { number(name, float64(n)/float64(s.scale)) }
	average := 0.0
	if s.docs > 0 {
		average = float64(s.data) / float64(s.docs)
	}
	var used, total int64
	if exists {
		used, total = op.server.store.Filesystem()
	}
	op.out = bsonraw.AppendString(op.out, "db", op.db)
	op.out = bsonraw.AppendValue(op.out, "collections", numberValue(s.collections))
	op.out = bsonraw.AppendValue(op.out, "views", numberValue(s.views))
	op.out = bsonraw.AppendValue(op.out, "objects", numberValue(s.docs))
	number("avgObjSize", average)
	size("dataSize", s.data)
	size("storageSize", s.stored)
	if free {
		size("freeStorageSize", 0)
	}
	op.out = bsonraw.AppendValue(op.out, "indexes", numberValue(s.indexes))
	size("indexSize", s.indexed)
	if free {
		size("indexFreeStorageSize", 0)
	}
	size("totalSize", s.stored+s.indexed)
	if free {
		size("totalFreeStorageSize", 0)
	}
	number("scaleFactor", float64(s.scale))
	size("fsUsedSize", used)
	size("fsTotalSize", total)
}
