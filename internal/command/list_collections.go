package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/store"
)

// listCollections {listCollections: 1, filter, nameOnly, authorizedCollections, cursor: {batchSize}} lists a database's
// collections and views. The filter looks at the entries as they are given out, so with nameOnly at name and type only.
// authorizedCollections changes nothing while there is no authentication.
func listCollections(op *operation) error {
	var pattern bsonraw.Doc
	var nameOnly, authorized bool
	limit := wholeList
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "listCollections":
			return nil
		case "filter":
			return a.doc(&pattern)
		case "nameOnly":
			return a.strictFlag(&nameOnly)
		case "authorizedCollections":
			return a.strictFlag(&authorized)
		case "cursor":
			return a.listBatch(&limit)
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
	var entries, docs []bsonraw.Doc
	for _, c := range op.view.Catalog().Collections(op.db) {
		entries = append(entries, collectionEntry(c, nameOnly))
	}
	for _, v := range op.view.Catalog().ViewDefinitions(op.db) {
		if of := op.view.Catalog().Measurements(op.db, v.Name); of != nil {
			entries = append(entries, seriesEntry(v, of, nameOnly))
		} else {
			entries = append(entries, viewEntry(v, nameOnly))
		}
	}
	for _, entry := range entries {
		ok, err := match.Match(entry)
		if err != nil {
			return err
		}
		if ok {
			docs = append(docs, entry)
		}
	}
	return openListing(op, op.db+".$cmd.listCollections", docs, limit)
}

// collectionEntry describes a collection as listCollections gives it out.
func collectionEntry(c *store.Collection, nameOnly bool) bsonraw.Doc {
	entry, at := bsonraw.BeginDoc(nil)
	entry = bsonraw.AppendString(entry, "name", c.Name)
	entry = bsonraw.AppendString(entry, "type", "collection")
	if nameOnly {
		return bsonraw.EndDoc(entry, at)
	}
	entry = bsonraw.AppendDoc(entry, "options", c.Options)
	entry, info := bsonraw.BeginElem(entry, bsonraw.TypeDocument, "info")
	entry = bsonraw.AppendBool(entry, "readOnly", false)
	entry = bsonraw.AppendBinary(entry, "uuid", bsonraw.SubtypeUUID, c.UUID[:])
	entry = bsonraw.EndDoc(entry, info)
	if len(c.Indexes) > 0 && !c.Indexes[0].Clustered {
		entry = bsonraw.AppendDoc(entry, "idIndex", c.Indexes[0].Spec)
	}
	return bsonraw.EndDoc(entry, at)
}
