package command

import (
	"maps"
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mql/filter"
	"github.com/sluicestream/sluice/internal/store"
)

// listDatabases {listDatabases: 1, filter, nameOnly, authorizedDatabases} lists the databases: those that have a collection, and those
// that every member of a replica set has, admin, config and local. sizeOnDisk is an estimate that leaves out what is not written to
// tables yet. authorizedDatabases changes nothing while there is no authentication.
func listDatabases(op *operation) error {
	var pattern bsonraw.Doc
	var nameOnly, authorized bool
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "listDatabases":
			return nil
		case "filter":
			return a.doc(&pattern)
		case "nameOnly":
			return a.flag(&nameOnly)
		case "authorizedDatabases":
			return a.strictFlag(&authorized)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	match, err := compileListFilter(pattern)
	if err != nil {
		return err
	}
	return appendDatabases(op, match, nameOnly)
}

func appendDatabases(op *operation, match *filter.Filter, nameOnly bool) error {
	catalog := op.server.store.Catalog()
	op.out = bsonraw.AppendHeader(op.out, bsonraw.TypeArray, "databases")
	list := bsonraw.BeginArray(op.out)
	var total int64
	for _, db := range listedDatabases(catalog) {
		entry, at := bsonraw.BeginDoc(nil)
		entry = bsonraw.AppendString(entry, "name", db)
		var size int64
		if !nameOnly {
			collections := catalog.Collections(db)
			var err error
			if size, err = databaseSize(op.server.store, collections); err != nil {
				return err
			}
			entry = bsonraw.AppendInt64(entry, "sizeOnDisk", size)
			entry = bsonraw.AppendBool(entry, "empty", len(collections) == 0)
		}
		entry = bsonraw.EndDoc(entry, at)
		ok, err := match.Match(entry)
		if err != nil {
			return err
		}
		if ok {
			list.AppendDoc(entry)
			total += size
		}
	}
	op.out = list.End()
	if !nameOnly {
		op.out = bsonraw.AppendInt64(op.out, "totalSize", total)
		op.out = bsonraw.AppendInt64(op.out, "totalSizeMb", total>>20)
	}
	return nil
}

// listedDatabases are the names of the databases that a client is told of, sorted.
func listedDatabases(catalog *store.Catalog) []string {
	names := slices.AppendSeq(catalog.Databases(), maps.Keys(internalDatabases))
	slices.Sort(names)
	return slices.Compact(names)
}

func databaseSize(st *store.Store, collections []*store.Collection) (int64, error) {
	var size int64
	for _, c := range collections {
		n, err := st.Size(c)
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// compileListFilter compiles the filter of a listing; nil takes everything.
func compileListFilter(pattern bsonraw.Doc) (*filter.Filter, error) {
	if pattern == nil {
		pattern = bsonraw.Empty
	}
	return filter.Compile(pattern, filter.Options{})
}
