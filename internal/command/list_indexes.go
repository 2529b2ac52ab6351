package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// listIndexes {listIndexes: <collection>, cursor: {batchSize}} lists a collection's indexes.
func listIndexes(op *operation) error {
	var coll string
	limit := wholeList
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "listIndexes":
			return a.collection(&coll)
		case "cursor":
			return a.listBatch(&limit)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	c := op.view.Catalog().Measurements(op.db, coll)
	if c == nil {
		c = op.view.Catalog().Collection(op.db, coll)
		if err := refuseView(op, op.db, coll); err != nil {
			return err
		}
	}
	if c == nil {
		return mongoerr.New(mongoerr.NamespaceNotFound, "ns does not exist: %s.%s", op.db, coll)
	}
	var docs []bsonraw.Doc
	for _, x := range c.Listed() {
		docs = append(docs, indexEntry(x))
	}
	return openListing(op, op.db+"."+coll, docs, limit)
}

// indexEntry is an index's specification in the order and with the types of a listing, which are not those of the oplog.
func indexEntry(x *store.Index) bsonraw.Doc {
	entry, at := bsonraw.BeginDoc(nil)
	for _, name := range []string{"v", "key", "name"} {
		entry = bsonraw.AppendValue(entry, name, x.Spec.Lookup(name))
	}
	for _, name := range indexOptions {
		switch v := x.Spec.Lookup(name); {
		case v.IsMissing():
		case name == "background" || name == "unique" || name == "sparse":
			entry = bsonraw.AppendBool(entry, name, v.Truthy())
		case name == "expireAfterSeconds":
			entry = bsonraw.AppendInt32(entry, name, expiryOf(x))
		case (name == "min" || name == "max") && v.Type.IsNumber():
			f, _ := v.AsFloat64()
			entry = bsonraw.AppendDouble(entry, name, f)
		default:
			entry = bsonraw.AppendValue(entry, name, v)
		}
	}
	return bsonraw.EndDoc(entry, at)
}
