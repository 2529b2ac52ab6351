package command

import (
	"slices"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// optionNames are the options that a collection may have, in the order in which listings and events show them, whatever the
// order in which they were given.
var optionNames = []string{
	"capped", "size", "max", "autoIndexId", "temp", imagesOption, "recordPreImages", "storageEngine", "indexOptionDefaults",
	"validator", "validationLevel", "validationAction", "collation", "viewOn", "pipeline", "clusteredIndex", "expireAfterSeconds",
	"timeseries",
}

// withOption returns a collection's options with one of them set, or taken out when v is missing.
func withOption(options bsonraw.Doc, name string, v bsonraw.Value) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(nil)
	for _, n := range optionNames {
		if n == name {
			out = bsonraw.AppendValue(out, n, v)
		} else {
			out = bsonraw.AppendValue(out, n, options.Lookup(n))
		}
	}
	return bsonraw.EndDoc(out, at)
}

// sameOptions reports whether two collections were created alike. What the deprecated autoIndexId says makes no difference.
func sameOptions(a, b bsonraw.Doc) bool {
	return slices.Equal(withOption(a, "autoIndexId", bsonraw.Value{}), withOption(b, "autoIndexId", bsonraw.Value{}))
}

// numberValue is a number in the type that MongoDB shows it in: an int where it fits.
func numberValue(n int64) bsonraw.Value {
	if n == int64(int32(n)) {
		return bsonraw.Int32Value(int32(n))
	}
	return bsonraw.Int64Value(n)
}

func documentValue(d bsonraw.Doc) bsonraw.Value {
	return bsonraw.Value{Type: bsonraw.TypeDocument, Data: d}
}

// The bounds of a capped collection.
const (
	maxCappedSize = 1 << 50
	maxCappedDocs = 1<<31 - 1
	cappedGrain   = 256 // its size is a multiple of this
)

// parseCappedSize reads the size of a capped collection as it was given. roundedSize is what it becomes.
func parseCappedSize(a argument, to *int64) error {
	if err := a.integer(to); err != nil {
		return err
	}
	switch {
	case *to < 1:
		return mongoerr.New(51024, "BSON field '%s' value must be >= 1, actual value '%d'", a.name, *to)
	case *to > maxCappedSize:
		return mongoerr.New(51024, "BSON field '%s' value must be <= %d, actual value '%d'", a.name, int64(maxCappedSize), *to)
	}
	return nil
}

func roundedSize(size int64) int64 { return (size + cappedGrain - 1) / cappedGrain * cappedGrain }

// parseCappedMax reads how many documents a capped collection may have. knownMax is what it becomes.
func parseCappedMax(a argument, to *int64) error {
	if err := a.integer(to); err != nil {
		return err
	}
	if *to > maxCappedDocs {
		return mongoerr.New(51024, "BSON field '%s' value must be < %d, actual value '%d'", a.name, int64(maxCappedDocs)+1, *to)
	}
	return nil
}

func knownMax(docs int64) int64 {
	if docs <= 0 {
		return maxCappedDocs
	}
	return docs
}

// parseSeconds reads a number of seconds, which is 0 where it is none.
func parseSeconds(a argument, to *int64) error {
	err := a.integer(to)
	if f, _ := a.AsFloat64(); f != f {
		*to = 0
	}
	return err
}

// checkExpiry checks the seconds after which the documents of a clustered collection expire.
func checkExpiry(seconds int64) error {
	switch {
	case seconds < 0:
		return mongoerr.New(mongoerr.InvalidOptions, "TTL index 'expireAfterSeconds' option cannot be less than 0")
	case seconds > time.Now().Unix(): // there were no documents then
		return mongoerr.New(mongoerr.InvalidOptions, "TTL index 'expireAfterSeconds' option must be within an acceptable range, try a lower number")
	}
	return nil
}

// maxExpiry is the longest time that an index may let documents live, in seconds.
const maxExpiry = 1<<31 - 1
