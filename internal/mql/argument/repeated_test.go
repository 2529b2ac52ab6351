package argument_test

import (
	"slices"
	"testing"

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
