package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

var errUniqueInSeries = mongoerr.New(mongoerr.InvalidOptions, "Unique indexes are not supported on time-series collections")

// checkSeriesIndex refuses what MongoDB does not index in time-series collections: it has the smallest and the largest values of a bucket
// where there are measurements, but for the meta field.
func checkSeriesIndex(s *indexSpec, of *store.Series) error {
	s.ofSeries = true
	switch {
	case s.unique || s.prepared || s.clustered:
		return errUniqueInSeries
	case !s.expires.IsMissing() && !expiresByMeta(s, of):
		return mongoerr.New(mongoerr.InvalidOptions, "TTL indexes are not supported on time-series collections")
	case s.kind == textKind:
		return mongoerr.New(mongoerr.InvalidOptions, "Text indexes are not supported on time-series collections")
	}
	for it := s.key.Iter(); it.Next(); {
		name := string(it.Key())
		measured := name != of.Time && !isMeta(of, name)
		switch {
		case !measured:
		case s.sparse:
			return mongoerr.New(mongoerr.InvalidOptions, "Sparse indexes are not supported on time-series measurements")
		case s.kind == wildcardKind, it.Value().Type == bsonraw.TypeString && it.Value().Str() != "2dsphere":
			return mongoerr.New(mongoerr.CannotCreateIndex, "Invalid index spec for time-series collection: %s. "+
				"Indexes on measurement fields must be ascending or descending (numbers only), or '2dsphere'", s.key.Shell())
		}
	}
	return nil
}

// expiresByMeta reports whether an index lets measurements expire by their time whose meta field satisfies a condition, which MongoDB
// has from 7.0 on.
func expiresByMeta(s *indexSpec, of *store.Series) bool {
	if s.fields != 1 || s.key.Lookup(of.Time).IsMissing() || s.partial == nil || of.Meta == "" {
		return false
	}
	return checkSeriesQuery(of, s.partial) == nil
}
