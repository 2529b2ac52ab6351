package command

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// createSeries {create: <collection>, timeseries: {timeField, metaField, granularity, bucketMaxSpanSeconds, bucketRoundingSeconds},
// expireAfterSeconds, collation, storageEngine, indexOptionDefaults} creates a time-series collection: the collection with its
// measurements, an index on the meta field and the time, and the view.
func createSeries(op *operation) error {
	if op.transaction != nil {
		return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot create a time-series collection in a multi-document transaction.")
	}
	c := newSeriesArgs(op)
	if err := op.arguments(apart(c.parse, newSeriesArgs(op).parse)); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	commit, err := c.create()
	if err != nil {
		return err
	}
	return op.acknowledge(commit)
}

// seriesArgs are the arguments of a create that is about a time-series collection.
type seriesArgs struct {
	createArgs
	series    seriesOptions
	misplaced []string // arguments that do not go with timeseries
}

func newSeriesArgs(op *operation) *seriesArgs {
	return &seriesArgs{createArgs: createArgs{op: op, options: bsonraw.Empty}}
}

// notWithSeries are the arguments that do not go with timeseries.
var notWithSeries = []string{
	"autoIndexId", "capped", "clusteredIndex", imagesOption, "flags", "idIndex", "recordPreImages", "validationAction", "validationLevel", "validator", "viewOn",
}

func (c *seriesArgs) parse(name string, a argument) error {
	if slices.Contains(notWithSeries, name) {
		c.misplaced = append(c.misplaced, name)
	}
	switch name {
	case "timeseries":
		return c.series.parse(a, true)
	case "viewOn":
		return a.str(new(string))
	case "recordPreImages":
		return a.flag(new(bool))
	}
	return c.createArgs.parse(name, a)
}

// check refuses what does not go together, in mongod's order, and completes the options.
func (c *seriesArgs) check() error {
	ns := c.op.db + "." + c.coll
	switch {
	case !c.capped && (c.size != nil || c.max != nil):
		return mongoerr.New(mongoerr.InvalidOptions, "the 'capped' field needs to be true when either the 'size' or 'max' fields are present")
	case c.temp:
		return mongoerr.New(mongoerr.InvalidOptions, "the 'temp' field is an invalid option")
	case c.piped:
		return mongoerr.New(mongoerr.InvalidOptions, "'pipeline' requires 'viewOn' to also be specified")
	case len(c.misplaced) > 0:
		return mongoerr.New(mongoerr.InvalidOptions, "%s: 'timeseries' is not allowed with '%s'", ns, c.misplaced[0])
	}
	if err := c.series.checkFields(ns); err != nil {
		return err
	}
	if err := checkNewCollection(c.op.db, c.coll); err != nil {
		return err
	}
	if err := c.series.settle(); err != nil {
		return err
	}
	if c.expire != nil {
		if err := checkExpiry(*c.expire); err != nil {
			return err
		}
		c.options = withOption(c.options, "expireAfterSeconds", bsonraw.Int64Value(*c.expire))
	}
	with := newCollection{idIndex: idIndexSpec}
	if err := c.checkCollation(&with); err != nil {
		return err
	}
	if err := c.checkStorage(&with); err != nil {
		return err
	}
	c.options = withOption(c.options, "clusteredIndex", bsonraw.BoolValue(true))
	c.options = withOption(c.options, "timeseries", documentValue(c.series.doc()))
	return nil
}

// create puts the collection into the catalog. One that is there already as it is asked for is no error.
func (c *seriesArgs) create() (commit store.Commit, err error) {
	st := c.op.server.store
	ch := st.Change()
	if there := st.Catalog().Measurements(c.op.db, c.coll); there != nil && sameOptions(there.Options, c.options) {
		ch.Discard()
		return commit, nil
	}
	if err = checkFree(st.Catalog(), c.op.db, c.coll); err == nil {
		err = c.put(ch)
	}
	if err != nil {
		ch.Discard()
		return commit, err
	}
	return ch.Commit()
}

func (c *seriesArgs) put(ch *store.Change) error {
	of := store.Series{Time: c.series.timeField, Meta: c.series.metaField}
	made, err := addCollection(c.op.server.store, ch, c.op.db, store.BucketsPrefix+c.coll, newCollection{options: c.options, idIndex: of.OrderSpec()})
	if err != nil {
		return err
	}
	if of.Meta != "" {
		x, err := ch.NewIndex(defaultSeriesIndex(of))
		if err != nil {
			return err
		}
		made.Indexes = append(made.Indexes, x)
		logIndexes(ch, made, made.Indexes[1:], [16]byte{}, false)
	}
	if err := ch.Put(made); err != nil {
		return err
	}
	view := store.NewSeriesView(c.op.db, c.coll, c.options)
	return putView(c.op, ch, view)
}

// defaultSeriesIndex is the index that a time-series collection with a meta field begins with, from MongoDB 6.3 on.
func defaultSeriesIndex(of store.Series) bsonraw.Doc {
	key, at := bsonraw.BeginDoc(nil)
	key = bsonraw.AppendInt32(key, of.Meta, 1)
	key = bsonraw.EndDoc(bsonraw.AppendInt32(key, of.Time, 1), at)
	spec, at := bsonraw.BeginDoc(nil)
	spec = bsonraw.AppendInt32(spec, "v", 2)
	spec = bsonraw.AppendDoc(spec, "key", key)
	return bsonraw.EndDoc(bsonraw.AppendString(spec, "name", strings.Join([]string{of.Meta, "1", of.Time, "1"}, "_")), at)
}

// seriesEntry describes a time-series collection as listCollections gives it out: with the options of the collection beneath, but
// for what MongoDB does not show.
func seriesEntry(v *store.ViewDefinition, of *store.Collection, nameOnly bool) bsonraw.Doc {
	entry, at := bsonraw.BeginDoc(nil)
	entry = bsonraw.AppendString(entry, "name", v.Name)
	entry = bsonraw.AppendString(entry, "type", "timeseries")
	if nameOnly {
		return bsonraw.EndDoc(entry, at)
	}
	entry = bsonraw.AppendDoc(entry, "options", withOption(of.Options, "clusteredIndex", bsonraw.Value{}))
	entry, info := bsonraw.BeginElem(entry, bsonraw.TypeDocument, "info")
	entry = bsonraw.EndDoc(bsonraw.AppendBool(entry, "readOnly", false), info)
	return bsonraw.EndDoc(entry, at)
}
