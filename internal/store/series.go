package store

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
)

// A time-series collection is two things, as in MongoDB: a collection that holds what was measured, and a view upon it that has the
// name by which clients know it. There it holds buckets, many measurements to a document; here it holds each measurement by itself.
// They are stored in the order of their times: the key of a measurement is that of its time, followed by a number of its own, since
// neither times nor _ids need be unique. The first index of such a collection is that order. It has no entries, as that on _id of
// other collections, and is not listed.

// BucketsPrefix is what the names of the collections begin with that hold measurements; the rest is the name of the view.
const BucketsPrefix = "system.buckets."

// unpackStage is the one stage of the views on them: it takes measurements out of buckets, of which there are none.
const unpackStage = "$_internalUnpackBucket"

// Series is what makes a collection one of measurements.
type Series struct {
	Time string // the field that has the time
	Meta string // the field that says what was measured; empty: none
}

// parseSeries reads the option of a collection of measurements; nil for other collections.
func parseSeries(options bsonraw.Doc) *Series {
	v := options.Lookup("timeseries")
	if v.Type != bsonraw.TypeDocument {
		return nil
	}
	return &Series{Time: v.Doc().Lookup("timeField").Str(), Meta: v.Doc().Lookup("metaField").Str()}
}

// OrderSpec is the specification of the order of measurements, the first index of their collection.
func (s *Series) OrderSpec() bsonraw.Doc {
	key, at := bsonraw.BeginDoc(nil)
	key = bsonraw.EndDoc(bsonraw.AppendInt32(key, s.Time, 1), at)
	spec, at := bsonraw.BeginDoc(nil)
	spec = bsonraw.AppendInt32(spec, "v", 2)
	spec = bsonraw.AppendDoc(spec, "key", key)
	spec = bsonraw.AppendString(spec, "name", "_id_")
	return bsonraw.EndDoc(bsonraw.AppendBool(spec, "clustered", true), at)
}

// AppendNewKey appends a key for a measurement that is about to be inserted. While the store is open no two calls give the same one.
// The numbers follow the timestamps, which do not go back, so that those of an earlier run are hardly met again; who inserts looks all
// the same, as in other collections.
func AppendNewKey(dst []byte, s *Store, c *Collection, doc bsonraw.Doc) []byte {
	dst = c.Indexes[0].AppendKey(dst, []bsonraw.Value{doc.Lookup(c.Series.Time)})
	for {
		last := c.measured.Load()
		if next := max(last, uint64(s.Applied())) + 1; c.measured.CompareAndSwap(last, next) {
			return binary.BigEndian.AppendUint64(dst, next)
		}
	}
}

// holdsTime reports whether a key is one that the measurement can be stored by.
func (c *Collection) holdsTime(key []byte, doc bsonraw.Doc) bool {
	at := c.Indexes[0].AppendKey(nil, []bsonraw.Value{doc.Lookup(c.Series.Time)})
	return len(key) == len(at)+8 && bytes.HasPrefix(key, at)
}

// Listed returns the indexes that clients see: all but the order of measurements.
func (c *Collection) Listed() []*Index {
	if c.Series != nil {
		return c.Indexes[1:]
	}
	return c.Indexes
}

// IsSeries reports whether this is the view of a time-series collection: the one that has its name, with nothing beside the one stage.
func (v *ViewDefinition) IsSeries() bool {
	if on, ok := strings.CutPrefix(v.On, BucketsPrefix); !ok || on != v.Name || v.Pipeline.Len() != 1 {
		return false
	}
	stage := v.Pipeline.Lookup("0")
	return stage.Type == bsonraw.TypeDocument && stage.Doc().Len() == 1 && !stage.Doc().Lookup(unpackStage).IsMissing()
}

// NewSeriesView makes the view of a time-series collection from the options of the collection with its measurements.
func NewSeriesView(db, name string, options bsonraw.Doc) *ViewDefinition {
	of := options.Lookup("timeseries").Doc()
	list := bsonraw.BeginArray(nil)
	stage, outer := list.Begin(bsonraw.TypeDocument)
	stage, inner := bsonraw.BeginElem(stage, bsonraw.TypeDocument, unpackStage)
	for _, field := range []string{"timeField", "metaField", "bucketMaxSpanSeconds"} {
		stage = bsonraw.AppendValue(stage, field, of.Lookup(field))
	}
	list.Resume(bsonraw.EndDoc(bsonraw.EndDoc(stage, inner), outer))
	v := &ViewDefinition{DB: db, Name: name, On: BucketsPrefix + name, Pipeline: list.End()}
	if by := options.Lookup("collation"); !by.IsMissing() {
		v.Collation = by.Doc().Clone()
	}
	return v
}

// Measurements returns the collection that holds the measurements of the time-series collection of that name; nil where there is none.
func (c *Catalog) Measurements(db, name string) *Collection {
	if len(c.views) == 0 {
		return nil // most writes come by here
	}
	v := c.ViewDefinition(db, name)
	if v == nil || !v.IsSeries() {
		return nil
	}
	if of := c.Collection(db, v.On); of != nil && of.Series != nil {
		return of
	}
	return nil
}
