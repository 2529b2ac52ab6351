package command

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// A time-series collection is a view and the collection with its measurements: see internal/store/series.go. Reads go through the
// view, whose one stage does nothing here. Commands that change something ask for the measurements by the name of the view.

// measurementsOf returns the collection with the measurements of a time-series collection; nil where the name is of something else.
func measurementsOf(op *operation, name string) *store.Collection {
	return op.server.store.Catalog().Measurements(op.db, name)
}

// underneath is the name of the collection that has the documents and indexes: another one than the name given only for a time-series
// collection.
func underneath(op *operation, name string) string {
	if c := measurementsOf(op, name); c != nil {
		return c.Name
	}
	return name
}

// reachesBuckets are the commands that may name the collection beneath a time-series collection. An aggregate is refused when it reads.
var reachesBuckets = map[string]bool{"aggregate": true, "getMore": true, "killCursors": true}

// refuseBuckets is the error of a command on the collection beneath a time-series collection: there are no buckets that it could be
// about.
func refuseBuckets(catalog *store.Catalog, db, name string) error {
	if !strings.HasPrefix(name, store.BucketsPrefix) {
		return nil
	}
	if c := catalog.Collection(db, name); c == nil || c.Series == nil {
		return nil
	}
	return mongoerr.New(mongoerr.CommandNotSupported, "%s.%s: this server does not store measurements in buckets: use the time-series collection %s.%s",
		db, name, db, strings.TrimPrefix(name, store.BucketsPrefix))
}

// measurementsNamed is measurementsOf for a command that may name what is beneath, too.
func measurementsNamed(op *operation, name string) *store.Collection {
	if c := op.server.store.Catalog().Collection(op.db, name); c != nil && c.Series != nil {
		return c
	}
	return measurementsOf(op, name)
}

// hasSeries reports whether the database has time-series collections.
func hasSeries(op *operation) bool {
	return slices.ContainsFunc(op.server.store.Catalog().Collections(op.db), func(c *store.Collection) bool { return c.Series != nil })
}
