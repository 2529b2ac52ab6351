package command

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// measurement brings what is inserted into the form in which it is stored: the time first and then what was measured, with its fields
// sorted, as MongoDB gives measurements out of its buckets. An _id is not needed, and may be anything.
func measurement(of *store.Series, d bsonraw.Doc) (bsonraw.Doc, error) {
	if err := checkSize(d); err != nil {
		return nil, err
	}
	if d.Lookup(of.Time).Type != bsonraw.TypeDate {
		return nil, mongoerr.New(mongoerr.BadValue, "'%s' must be present and contain a valid BSON UTC datetime value", of.Time)
	}
	return arrange(of, d, true), nil
}

// arrange puts the time and the meta field of a measurement first.
func arrange(of *store.Series, d bsonraw.Doc, sortMeta bool) bsonraw.Doc {
	out, at := bsonraw.BeginDoc(make([]byte, 0, len(d)))
	out = bsonraw.AppendValue(out, of.Time, d.Lookup(of.Time))
	if of.Meta != "" {
		meta := d.Lookup(of.Meta)
		if sortMeta && hasElements(meta) {
			meta.Data = sortFields(meta)
		}
		out = bsonraw.AppendValue(out, of.Meta, meta)
	}
	for it := d.Iter(); it.Next(); {
		if key := string(it.Key()); key != of.Time && (key != of.Meta || of.Meta == "") {
			out = append(out, it.Elem()...)
		}
	}
	return bsonraw.EndDoc(out, at)
}

func hasElements(v bsonraw.Value) bool {
	return v.Type == bsonraw.TypeDocument || v.Type == bsonraw.TypeArray
}

// sortFields sorts the fields of documents, at every depth, by name. Elements of arrays stay where they are.
func sortFields(v bsonraw.Value) bsonraw.Doc {
	type field struct {
		name  string
		value bsonraw.Value
	}
	var list []field
	for it := v.Doc().Iter(); it.Next(); {
		f := field{string(it.Key()), it.Value()}
		if hasElements(f.value) {
			f.value.Data = sortFields(f.value)
		}
		list = append(list, f)
	}
	if v.Type == bsonraw.TypeDocument {
		slices.SortStableFunc(list, func(a, b field) int { return strings.Compare(a.name, b.name) })
	}
	out, at := bsonraw.BeginDoc(make([]byte, 0, len(v.Data)))
	for _, f := range list {
		out = bsonraw.AppendValue(out, f.name, f.value)
	}
	return bsonraw.EndDoc(out, at)
}

// loggedID is what the oplog tells a document by: its _id, or of a measurement, whose _id others may have too, the key by which it
// is stored.
func loggedID(c *store.Collection, doc bsonraw.Doc, idKey []byte) bsonraw.Value {
	if c.Series == nil {
		return doc.Lookup("_id")
	}
	d := bsonraw.AppendBinary([]byte{0, 0, 0, 0}, "_id", 0, idKey)
	return bsonraw.Doc(append(d, 0)).Lookup("_id")
}

// errSeriesInTransaction is the error of changing measurements in a transaction.
func errSeriesInTransaction(op *operation, name string) error {
	return mongoerr.New(mongoerr.OperationNotSupportedInTransaction, "Cannot perform a multi-document transaction on a time-series collection: %s.%s", op.db, name)
}

// changesSeries finds what an update or delete is about: of a time-series collection the measurements, with of set.
func changesSeries(op *operation, name string) (coll string, of *store.Series, err error) {
	c := measurementsOf(op, name)
	switch {
	case c == nil:
		return name, nil, nil
	case op.transaction != nil:
		return name, nil, errSeriesInTransaction(op, name)
	}
	return c.Name, c.Series, nil
}

// checkSeries refuses updates that MongoDB does not make in time-series collections: of the meta field alone, in all measurements whose
// meta field the query is about.
func (s *updateStatement) checkSeries() error {
	of := s.series
	invalid := func(format string, args ...any) error { return mongoerr.New(mongoerr.InvalidOptions, format, args...) }
	switch {
	case of.Meta == "":
		return invalid("Cannot perform an update on a time-series collection that does not have a metaField")
	case !s.multi:
		return invalid("Cannot perform a non-multi update on a time-series collection")
	case s.upsert:
		return invalid("Cannot perform an upsert on a time-series collection")
	}
	if err := checkSeriesQuery(of, s.q); err != nil {
		return err
	}
	switch {
	case s.u.Type == bsonraw.TypeArray:
		return invalid("Cannot perform an update on a time-series collection using a pipeline update")
	case !isModifiers(s.u.Doc()):
		return invalid("Cannot perform an update on a time-series collection using a replacement document")
	}
	for ops := s.u.Doc().Iter(); ops.Next(); {
		if ops.Value().Type != bsonraw.TypeDocument {
			continue // the compiler tells
		}
		for it := ops.Value().Doc().Iter(); it.Next(); {
			renames := string(ops.Key()) == "$rename"
			if !isMeta(of, string(it.Key())) || renames && !isMeta(of, it.Value().Str()) {
				return invalid("Cannot perform an update on a time-series collection which updates a field that is not the metaField '%s'", of.Meta)
			}
		}
	}
	return nil
}

// isModifiers reports whether an update is one of operators.
func isModifiers(u bsonraw.Doc) bool {
	it := u.Iter()
	return it.Next() && strings.HasPrefix(string(it.Key()), "$")
}

// isMeta reports whether a path begins at the meta field.
func isMeta(of *store.Series, path string) bool {
	first, _, _ := strings.Cut(path, ".")
	return first == of.Meta
}

// checkSeriesQuery refuses the query of an update that asks for anything but the meta field. What is no query at all is for the
// compiler to refuse.
func checkSeriesQuery(of *store.Series, q bsonraw.Doc) error {
	other := func(path string) error {
		if isMeta(of, path) {
			return nil
		}
		return mongoerr.New(mongoerr.InvalidOptions,
			"Cannot perform an update or delete on a time-series collection when querying on a field that is not the metaField '%s'", of.Meta)
	}
	for it := q.Iter(); it.Next(); {
		var err error
		switch name := string(it.Key()); name {
		case "$and", "$or", "$nor":
			err = eachDoc(it.Value(), func(d bsonraw.Doc) error { return checkSeriesQuery(of, d) })
		case "$expr", "$where":
			err = mongoerr.New(mongoerr.InvalidOptions, "Cannot use %s when performing an update or delete on a time-series collection", name)
		case "$jsonSchema":
			err = eachSchemaField(it.Value(), other)
		default:
			if !strings.HasPrefix(name, "$") {
				err = other(name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func eachDoc(list bsonraw.Value, fn func(bsonraw.Doc) error) error {
	if list.Type != bsonraw.TypeArray {
		return nil
	}
	for it := list.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			continue
		}
		if err := fn(it.Value().Doc()); err != nil {
			return err
		}
	}
	return nil
}

// eachSchemaField calls fn with the fields that a schema, or one of those that it is made of, asks for.
func eachSchemaField(schema bsonraw.Value, fn func(string) error) error {
	if schema.Type != bsonraw.TypeDocument {
		return nil
	}
	for it := schema.Doc().Iter(); it.Next(); {
		var err error
		switch name, v := string(it.Key()), it.Value(); {
		case name == "required":
			for _, field := range stringsOf(v) {
				if err == nil {
					err = fn(field)
				}
			}
		case (name == "properties" || name == "dependencies" || name == "patternProperties") && v.Type == bsonraw.TypeDocument:
			for fields := v.Doc().Iter(); fields.Next() && err == nil; {
				err = fn(string(fields.Key()))
			}
		case name == "allOf" || name == "anyOf" || name == "oneOf":
			err = eachDoc(v, func(d bsonraw.Doc) error { return eachSchemaField(d.Value(), fn) })
		case name == "not":
			err = eachSchemaField(v, fn)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
