package argument_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/mql/argument"
)

// TestUsualNamesAreNotTakenForEachOther keeps commands as drivers send them from being looked at twice.
func TestUsualNamesAreNotTakenForEachOther(t *testing.T) {
	t.Parallel()
	everywhere := []string{"lsid", "$clusterTime", "$db", "txnNumber", "autocommit", "startTransaction", "readConcern", "writeConcern", "$readPreference", "apiVersion"}
	for _, own := range [][]string{
		{"find", "filter", "limit", "singleBatch", "batchSize", "projection", "sort", "skip"},
		{"insert", "documents", "ordered", "bypassDocumentValidation"},
		{"update", "updates", "ordered", "bypassDocumentValidation", "let"},
		{"delete", "deletes", "ordered", "let"},
		{"findAndModify", "query", "update", "new", "upsert", "fields", "sort", "remove", "arrayFilters"},
		{"aggregate", "pipeline", "cursor", "allowDiskUse", "let", "collation", "hint"},
		{"getMore", "collection", "batchSize", "maxTimeMS"},
		{"commitTransaction", "recoveryToken", "maxTimeMS"},
	} {
		list := slices.Concat(own, everywhere)
		var names argument.Names
		for _, name := range list {
			if names.Add([]byte(name)) {
				t.Errorf("%s has the place of another: %v", name, list)
			}
		}
	}
}

// TestOnceFindsWhatIsThereTwice reads documents with more fields than a set of names can tell apart, with and without a field twice.
func TestOnceFindsWhatIsThereTwice(t *testing.T) {
	t.Parallel()
	for _, fields := range []int{1, 2, 3, 10, 64, 65, 300} {
		for again := range fields + 1 { // the field that comes again at the end; none in the last round
			d, at := bsonraw.BeginDoc(nil)
			for i := range fields {
				d = bsonraw.AppendInt32(d, fmt.Sprint("f", i), 1)
			}
			if again < fields {
				d = bsonraw.AppendInt32(d, fmt.Sprint("f", again), 1)
			}
			doc := bsonraw.Doc(bsonraw.EndDoc(d, at))
			once := argument.NewOnce("x", doc)
			read := 0
			var err error
			for it := doc.Iter(); err == nil && it.Next(); {
				err = once.Check(it.Key())
				read++
			}
			switch {
			case again == fields && err != nil:
				t.Errorf("%d fields: %v", fields, err)
			case again < fields && (!mongoerr.Is(err, mongoerr.IDLDuplicateField) || read != fields+1):
				t.Errorf("%d fields, field %d again: %v after %d", fields, again, err, read)
			}
		}
	}
}
