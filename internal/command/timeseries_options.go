package command

import (
	"math"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
)

// seriesOptions is the argument timeseries of create or collMod. What it says of buckets is checked, kept and shown, and has no
// effect: there are none.
type seriesOptions struct {
	timeField, metaField string
	granularity          string // empty: not given
	span, rounding       int64  // bucketMaxSpanSeconds and bucketRoundingSeconds; 0: not given
}

// A bucket of each granularity has measurements of so many seconds, and begins at a multiple of so many.
var granularities = map[string]struct{ span, rounding int64 }{
	"seconds": {3600, 60},
	"minutes": {86400, 3600},
	"hours":   {2592000, 86400},
}

// defaultGranularity holds where nothing is said of buckets.
const defaultGranularity = "seconds"

// maxBucketSpan is how many seconds a bucket may have: a year.
const maxBucketSpan = 31536000

// parse reads the argument. That of collMod has no fields.
func (s *seriesOptions) parse(a argument, fields bool) error {
	var d bsonraw.Doc
	if err := a.doc(&d); err != nil {
		return err
	}
	once := mqlargument.NewOnce(a.op.cmd.name+"."+a.name, d)
	for it := d.Iter(); it.Next(); {
		if err := once.Check(it.Key()); err != nil {
			return err
		}
		if it.Value().Type == bsonraw.TypeNull {
			continue
		}
		if err := s.parseField(string(it.Key()), argument{a.op, a.name + "." + string(it.Key()), it.Value()}, fields); err != nil {
			return err
		}
	}
	if v := d.Lookup("timeField"); fields && (v.IsMissing() || v.Type == bsonraw.TypeNull) {
		return required(a.op, a.name+".timeField")
	}
	return nil
}

func (s *seriesOptions) parseField(name string, a argument, fields bool) error {
	switch {
	case name == "timeField" && fields:
		return a.str(&s.timeField)
	case name == "metaField" && fields:
		if err := a.str(&s.metaField); err != nil || s.metaField != "" {
			return err
		}
		return mongoerr.New(mongoerr.CommandNotSupported, "create: a metaField without a name is not supported by this server")
	case name == "granularity":
		if err := a.str(&s.granularity); err != nil {
			return err
		}
		if _, ok := granularities[s.granularity]; !ok {
			return mongoerr.New(mongoerr.BadValue, "Enumeration value '%s' for field '%s.%s' is not a valid value.", s.granularity, a.op.cmd.name, a.name)
		}
		return nil
	case name == "bucketMaxSpanSeconds":
		return parseBucketSeconds(name, a, &s.span)
	case name == "bucketRoundingSeconds":
		return parseBucketSeconds(name, a, &s.rounding)
	}
	return a.unknown()
}

func parseBucketSeconds(name string, a argument, to *int64) error {
	if err := a.integer(to); err != nil {
		return err
	}
	switch {
	case *to < 1:
		return mongoerr.New(51024, "BSON field '%s' value must be >= 1, actual value '%d'", name, max(*to, math.MinInt32))
	case *to > maxBucketSpan:
		return mongoerr.New(51024, "BSON field '%s' value must be <= %d, actual value '%d'", name, maxBucketSpan, min(*to, math.MaxInt32))
	}
	return nil
}

// checkFields refuses fields that no time-series collection can have.
func (s *seriesOptions) checkFields(ns string) error {
	invalid := func(format string, args ...any) error { return mongoerr.New(mongoerr.InvalidOptions, format, args...) }
	switch {
	case strings.Contains(s.timeField, "."):
		return invalid("%s: 'timeField' must be a top-level field and not contain a '.'", ns)
	case strings.Contains(s.metaField, "."):
		return invalid("%s: 'metaField' must be a top-level field and not contain a '.'", ns)
	case s.metaField == "_id":
		return invalid("'metaField' cannot be \"_id\"")
	case s.metaField == s.timeField && s.metaField != "":
		return invalid("'metaField' cannot be the same as 'timeField'")
	case s.timeField == "" || s.timeField == "_id" || s.timeField[0] == '$' || strings.HasPrefix(s.metaField, "$"):
		return mongoerr.New(mongoerr.CommandNotSupported, "%s: the fields '%s' and '%s' are not supported by this server for the time and the meta field",
			ns, s.timeField, s.metaField)
	}
	return nil
}

// settle checks what is said of buckets and completes it, as MongoDB does from 6.3 on.
func (s *seriesOptions) settle() error {
	if s.granularity == "" && s.span == 0 && s.rounding == 0 {
		s.granularity = defaultGranularity
	}
	if s.granularity == "" {
		if s.span != s.rounding {
			return mongoerr.New(mongoerr.InvalidOptions, "Timeseries 'bucketMaxSpanSeconds' and 'bucketRoundingSeconds' need to be set alongside each other, and be equal")
		}
		return nil
	}
	usual := granularities[s.granularity]
	if s.span != 0 && s.span != usual.span {
		return mongoerr.New(mongoerr.InvalidOptions, "Timeseries 'bucketMaxSpanSeconds' is not configurable to a value other than the default of %d for the provided granularity", usual.span)
	}
	if s.rounding != 0 && s.rounding != usual.rounding {
		return mongoerr.New(mongoerr.InvalidOptions, "Timeseries 'bucketRoundingSeconds' is not configurable to a value other than the default of %d for the provided granularity",
			usual.rounding)
	}
	s.span, s.rounding = usual.span, 0
	return nil
}

// doc is what is kept and shown.
func (s *seriesOptions) doc() bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	out = bsonraw.AppendString(out, "timeField", s.timeField)
	if s.metaField != "" {
		out = bsonraw.AppendString(out, "metaField", s.metaField)
	}
	if s.granularity != "" {
		out = bsonraw.AppendString(out, "granularity", s.granularity)
	}
	for _, seconds := range []struct {
		name string
		n    int64
	}{{"bucketMaxSpanSeconds", s.span}, {"bucketRoundingSeconds", s.rounding}} {
		if seconds.n != 0 {
			out = bsonraw.AppendInt32(out, seconds.name, int32(seconds.n))
		}
	}
	return bsonraw.EndDoc(out, at)
}

// readSeriesOptions reads what doc has made.
func readSeriesOptions(d bsonraw.Doc) seriesOptions {
	s := seriesOptions{timeField: d.Lookup("timeField").Str(), metaField: d.Lookup("metaField").Str(), granularity: d.Lookup("granularity").Str()}
	s.span, _ = d.Lookup("bucketMaxSpanSeconds").AsInt64()
	s.rounding, _ = d.Lookup("bucketRoundingSeconds").AsInt64()
	return s
}

// became returns the options as a collMod changes them: buckets may become longer, never shorter.
func (s seriesOptions) became(asked seriesOptions) (seriesOptions, error) {
	if asked == (seriesOptions{}) || asked.granularity != "" && asked.granularity == s.granularity && asked.span == 0 {
		return s, nil
	}
	next := asked
	next.timeField, next.metaField = s.timeField, s.metaField
	if err := next.settle(); err != nil {
		return s, err
	}
	rounding := func(o seriesOptions) int64 {
		if o.granularity != "" {
			return granularities[o.granularity].rounding
		}
		return o.rounding
	}
	switch {
	case next.span >= s.span && rounding(next) >= rounding(s):
		return next, nil
	case next.granularity != "" && s.granularity != "":
		return s, mongoerr.New(mongoerr.InvalidOptions, "Invalid transition for timeseries.granularity. Can only transition from 'seconds' to 'minutes' or 'minutes' to 'hours'.")
	case next.span < s.span:
		return s, mongoerr.New(mongoerr.InvalidOptions, "Timeseries 'bucketMaxSpanSeconds' needs to be equal or greater to transition")
	}
	return s, mongoerr.New(mongoerr.InvalidOptions, "Timeseries 'bucketRoundingSeconds' needs to be equal or greater to transition")
}
