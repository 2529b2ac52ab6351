package command

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// dropSeries drops a time-series collection: its view and its measurements, in one commit.
func dropSeries(op *operation, of *store.Collection) error {
	c, unlock, err := lockedAlone(op, of.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if c == nil || c.ID != of.ID {
		return op.acknowledge(store.Commit{}) // others have dropped it
	}
	n, err := op.server.store.Count(op.ctx, c)
	if err != nil {
		return err
	}
	name := strings.TrimPrefix(c.Name, store.BucketsPrefix)
	ch := op.server.store.Change()
	catalog := op.server.store.Catalog()
	if view := catalog.ViewDefinition(op.db, name); view != nil && view.IsSeries() {
		err = ch.DropViewDefinition(catalog.Collection(op.db, store.ViewsCollection), view)
	}
	if err == nil {
		err = logDrop(ch, c, n)
	}
	if err != nil {
		ch.Discard()
		return err
	}
	commit, err := ch.Commit()
	if err != nil {
		return err
	}
	op.server.usages.forget(c.NS())
	op.out = bsonraw.AppendInt32(op.out, "nIndexesWas", int32(c.IndexCount()))
	op.out = bsonraw.AppendString(op.out, "ns", op.db+"."+name)
	return op.acknowledge(commit)
}

// checkSeries refuses what no time-series collection can become.
func (m *collectionChange) checkSeries() error {
	switch {
	case m.images != nil:
		return errNotOnSeries(imagesOption)
	case slices.Contains(m.misplaced, "recordPreImages"):
		return errNotOnSeries("recordPreImages")
	}
	for _, option := range []struct {
		name  string
		given bool
	}{
		{validatorOption, m.validation.validator != nil}, {validationLevelOption, m.validation.level != ""}, {validationActionOption, m.validation.action != ""},
	} {
		if option.given {
			return errNotOnSeries(option.name)
		}
	}
	return nil
}

func errNotOnSeries(option string) error {
	return mongoerr.New(mongoerr.InvalidOptions, "option not supported on a time-series collection: %s", option)
}

// changeSeries changes what a time-series collection says of its buckets, in its measurements' collection and in its view, and appends
// what was asked for.
func (m *collectionChange) changeSeries(op *operation, ch *store.Change, next *store.Collection, o []byte) ([]byte, error) {
	before := readSeriesOptions(next.Options.Lookup("timeseries").Doc())
	after, err := before.became(m.series)
	if err != nil {
		return o, err
	}
	if after != before {
		next.SetOptions(withOption(next.Options, "timeseries", documentValue(after.doc())))
		view := store.NewSeriesView(next.DB, strings.TrimPrefix(next.Name, store.BucketsPrefix), next.Options)
		if err := putView(op, ch, view); err != nil {
			return o, err
		}
	}
	o, at := bsonraw.BeginElem(o, bsonraw.TypeDocument, "timeseries")
	if m.series.granularity != "" {
		o = bsonraw.AppendString(o, "granularity", m.series.granularity)
	}
	if m.series.span != 0 {
		o = bsonraw.AppendInt64(o, "bucketMaxSpanSeconds", m.series.span)
	}
	if m.series.rounding != 0 {
		o = bsonraw.AppendInt64(o, "bucketRoundingSeconds", m.series.rounding)
	}
	return bsonraw.EndDoc(o, at), nil
}

// appendSeriesStats appends what collStats tells of buckets: each measurement is one by itself.
func appendSeriesStats(out []byte, c *store.Collection, stats store.Stats) []byte {
	out, at := bsonraw.BeginElem(out, bsonraw.TypeDocument, "timeseries")
	out = bsonraw.AppendString(out, "bucketsNs", c.NS())
	out = bsonraw.AppendValue(out, "bucketCount", numberValue(stats.Docs))
	if stats.Docs > 0 {
		out = bsonraw.AppendValue(out, "avgBucketSize", numberValue(stats.Bytes/stats.Docs))
	}
	return bsonraw.EndDoc(out, at)
}
