package command

import (
	"math"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// collStats {collStats: <collection>, scale} tells how much a collection holds and takes; sizes are divided by scale. What it takes on
// disk is an estimate that leaves out what is not written to tables yet. Other arguments are accepted and not used.
func collStats(op *operation) error {
	name, err := namedCollection(op)
	if err != nil {
		return err
	}
	scale, err := statsScale(op)
	if err != nil {
		return err
	}
	c := measurementsOf(op, name)
	if c == nil {
		c = op.server.store.Catalog().Collection(op.db, name)
		if err := refuseView(op, op.db, name); err != nil {
			return err
		}
	}
	op.out = bsonraw.AppendString(op.out, "ns", op.db+"."+name)
	if c == nil {
		op.out = appendNoStats(op.out)
	} else if op.out, err = appendCollectionStats(op, c, scale, op.out); err != nil {
		return err
	}
	op.out = bsonraw.AppendInt32(op.out, "scaleFactor", int32(min(scale, math.MaxInt32)))
	return nil
}

// namedCollection reads the name that is the value of the command, for the commands that have InvalidNamespace for whatever is
// no name.
func namedCollection(op *operation) (string, error) {
	v := op.body.Lookup(op.cmd.name)
	if it := op.body.Iter(); it.Next() { // it may be spelt otherwise
		v = it.Value()
	}
	if v.Type != bsonraw.TypeString {
		return "", mongoerr.New(mongoerr.InvalidNamespace, "collection name has invalid type %s", v.Type.Name())
	}
	return v.Str(), checkCollectionName(op.db, v.Str())
}

// statsScale reads what sizes are divided by.
func statsScale(op *operation) (int64, error) {
	scale := int64(1)
	v := op.body.Lookup("scale")
	if v.IsMissing() || v.Type == bsonraw.TypeNull {
		return scale, nil
	}
	if err := (argument{op, "scale", v}).integer(&scale); err != nil {
		return 0, err
	}
	if scale < 1 {
		return 0, mongoerr.New(51024, "BSON field 'scale' value must be >= 1, actual value '%d'", scale)
	}
	return scale, nil
}

// appendCollectionStats appends what is told of a collection.
func appendCollectionStats(op *operation, c *store.Collection, scale int64, out []byte) ([]byte, error) {
	st := op.server.store
	stats, err := st.Stats(op.ctx, c)
	if err != nil {
		return nil, err
	}
	docs, err := st.DocsSize(c)
	if err != nil {
		return nil, err
	}
	number := func(name string, n int64) { out = bsonraw.AppendValue(out, name, numberValue(n)) }
	number("size", stats.Bytes/scale)
	if c.Series != nil {
		out = appendSeriesStats(out, c, stats)
	} else {
		number("count", stats.Docs)
		if stats.Docs > 0 {
			number("avgObjSize", stats.Bytes/stats.Docs)
		}
	}
	number("numOrphanDocs", 0)
	number("storageSize", docs/scale)
	number("freeStorageSize", 0)
	out = bsonraw.AppendBool(out, "capped", c.Cap != nil)
	if c.Cap != nil {
		number("max", c.Cap.Max)
		number("maxSize", c.Cap.Size/scale)
	}
	out = bsonraw.AppendInt32(out, "nindexes", int32(c.IndexCount()))
	out = bsonraw.AppendArray(out, "indexBuilds", bsonraw.Empty)
	sizes, at := bsonraw.BeginDoc(nil)
	total := int64(0)
	for _, x := range c.Indexes {
		n, err := st.IndexSize(x)
		if err != nil {
			return nil, err
		}
		total += n
		if !x.Clustered {
			sizes = bsonraw.AppendValue(sizes, x.Name, numberValue(n/scale))
		}
	}
	number("totalIndexSize", total/scale)
	number("totalSize", (docs+total)/scale)
	return bsonraw.AppendDoc(out, "indexSizes", bsonraw.EndDoc(sizes, at)), nil
}

// appendNoStats appends what is told of a collection that there is not.
func appendNoStats(out []byte) []byte {
	for _, name := range []string{"size", "count", "numOrphanDocs", "storageSize", "totalSize", "nindexes", "totalIndexSize"} {
		out = bsonraw.AppendInt32(out, name, 0)
	}
	return bsonraw.AppendDoc(out, "indexSizes", bsonraw.Empty)
}
