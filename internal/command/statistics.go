package command

import (
	"math"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/aggregation"
	"github.com/sluicestream/sluice/internal/store"
)

// Statistics returns the documents of $collStats and $indexStats.
func (e *environment) Statistics(ns aggregation.Namespace, of *aggregation.Statistics) ([]bsonraw.Doc, error) {
	c := e.view.Catalog().Collection(ns.DB, ns.Coll)
	if of.Indexes {
		return e.indexStatistics(c), nil
	}
	doc, at := bsonraw.BeginDoc(nil)
	doc = bsonraw.AppendString(doc, "ns", ns.String())
	doc = bsonraw.AppendString(doc, "host", e.op.conn.info.Advertised)
	doc = bsonraw.AppendDate(doc, "localTime", time.Now().UnixMilli())
	used := e.op.server.usages.of([]byte(ns.DB), []byte(ns.Coll))
	if used == nil {
		used = &usage{}
	}
	if of.Latency {
		doc = used.append(doc, of.Histograms)
	}
	for _, section := range []struct {
		asked  bool
		name   string
		append func([]byte) ([]byte, error)
	}{
		{of.Storage, "storageStats", func(dst []byte) ([]byte, error) { return appendStorageStats(dst, e.op, c, of.Scale) }},
		{of.Count, "count", func(dst []byte) ([]byte, error) {
			n, err := e.view.Count(e.op.ctx, c)
			return bsonraw.AppendValue(dst, "count", numberValue(n)), err
		}},
		{of.QueryExec, "queryExecStats", func(dst []byte) ([]byte, error) { return used.appendScans(dst), nil }},
	} {
		if !section.asked {
			continue
		}
		if of := e.view.Catalog().Measurements(ns.DB, ns.Coll); of != nil && section.name == "storageStats" {
			c = of
		} else {
			c = e.view.Catalog().Collection(ns.DB, ns.Coll)
		}
		if c == nil {
			if err := refuseView(e.op, ns.DB, ns.Coll); err != nil {
				return nil, err
			}
			return nil, mongoerr.New(mongoerr.NamespaceNotFound, "Unable to retrieve %s in $collStats stage :: caused by :: Collection [%s] not found.",
				section.name, ns)
		}
		var err error
		if doc, err = section.append(doc); err != nil {
			return nil, err
		}
	}
	return []bsonraw.Doc{bsonraw.EndDoc(doc, at)}, nil
}

// appendScans appends what $collStats shows as queryExecStats.
func (u *usage) appendScans(dst []byte) []byte {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "queryExecStats")
	dst, inner := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "collectionScans")
	others := u.scans.Load()
	dst = bsonraw.AppendInt64(dst, "total", others+u.tailableScans.Load())
	dst = bsonraw.AppendInt64(dst, "nonTailable", others)
	return bsonraw.EndDoc(bsonraw.EndDoc(dst, inner), at)
}

// appendStorageStats appends the element storageStats.
func appendStorageStats(dst []byte, op *operation, c *store.Collection, scale int64) ([]byte, error) {
	dst, at := bsonraw.BeginElem(dst, bsonraw.TypeDocument, "storageStats")
	dst, err := appendCollectionStats(op, c, scale, dst)
	if err != nil {
		return nil, err
	}
	dst = bsonraw.AppendInt32(dst, "scaleFactor", int32(min(scale, math.MaxInt32)))
	return bsonraw.EndDoc(dst, at), nil
}

func (e *environment) indexStatistics(c *store.Collection) []bsonraw.Doc {
	if c == nil {
		return nil
	}
	var list []bsonraw.Doc
	for _, x := range c.Listed() {
		doc, at := bsonraw.BeginDoc(nil)
		doc = bsonraw.AppendString(doc, "name", x.Name)
		doc = bsonraw.AppendDoc(doc, "key", x.Key)
		doc = bsonraw.AppendString(doc, "host", e.op.conn.info.Advertised)
		doc, accesses := bsonraw.BeginElem(doc, bsonraw.TypeDocument, "accesses")
		doc = bsonraw.AppendInt64(doc, "ops", x.Uses.Load())
		doc = bsonraw.EndDoc(bsonraw.AppendDate(doc, "since", x.Since.UnixMilli()), accesses)
		doc = bsonraw.AppendDoc(doc, "spec", x.Spec)
		list = append(list, bsonraw.EndDoc(doc, at))
	}
	return list
}
