package sluice

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// OperationType says what a change was; the values are those of MongoDB's operationType field. Servers may send more
// than are named here.
type OperationType string

// The operation types. Those from Create on come only with Options.ShowExpandedEvents.
const (
	Insert        OperationType = "insert"
	Update        OperationType = "update"
	Replace       OperationType = "replace"
	Delete        OperationType = "delete"
	Drop          OperationType = "drop"
	Rename        OperationType = "rename"
	DropDatabase  OperationType = "dropDatabase"
	Invalidate    OperationType = "invalidate" // the watched collection or database is gone; the stream ends
	Create        OperationType = "create"
	CreateIndexes OperationType = "createIndexes"
	DropIndexes   OperationType = "dropIndexes"
	Modify        OperationType = "modify"
)

// operationType reads the field without allocating for the types named above.
func operationType(event bson.Raw) OperationType {
	name, ok := stringBytes(event.Lookup("operationType"))
	if !ok {
		return ""
	}
	switch OperationType(name) {
	case Insert:
		return Insert
	case Update:
		return Update
	case Replace:
		return Replace
	case Delete:
		return Delete
	case Drop:
		return Drop
	case Rename:
		return Rename
	case DropDatabase:
		return DropDatabase
	case Invalidate:
		return Invalidate
	case Create:
		return Create
	case CreateIndexes:
		return CreateIndexes
	case DropIndexes:
		return DropIndexes
	case Modify:
		return Modify
	default:
		return OperationType(name)
	}
}

// Namespace names a collection, a database (Coll empty), or nothing (both empty: the whole cluster).
type Namespace struct{ DB, Coll string }

// String returns "db.coll", "db", or "" for the whole cluster.
func (n Namespace) String() string {
	if n.Coll == "" {
		return n.DB
	}
	return n.DB + "." + n.Coll
}

// UpdateDescription says what an update changed. Names of fields are dotted paths; the numbers in them may be array
// indexes or field names, which DisambiguatedPaths tells apart.
type UpdateDescription struct {
	UpdatedFields      bson.Raw         // path: new value
	RemovedFields      []string         // paths that are gone
	TruncatedArrays    []TruncatedArray // arrays that were cut at their end
	DisambiguatedPaths bson.Raw         // path: its components, for ambiguous paths; only with Options.ShowExpandedEvents on MongoDB 6.1 and later
}

// TruncatedArray is an array that an update cut to NewSize elements.
type TruncatedArray struct {
	Field   string // dotted path
	NewSize int32  // elements that remain
}

func parseUpdateDescription(raw bson.Raw) (UpdateDescription, error) {
	d := UpdateDescription{
		UpdatedFields:      document(raw.Lookup("updatedFields")),
		DisambiguatedPaths: document(raw.Lookup("disambiguatedPaths")),
	}
	removed, err := arrayValues(raw, "removedFields")
	if err != nil {
		return UpdateDescription{}, err
	}
	for _, value := range removed {
		path, ok := value.StringValueOK()
		if !ok {
			return UpdateDescription{}, fmt.Errorf("sluice: updateDescription.removedFields holds a %s, want strings", value.Type)
		}
		d.RemovedFields = append(d.RemovedFields, path)
	}
	truncated, err := arrayValues(raw, "truncatedArrays")
	if err != nil {
		return UpdateDescription{}, err
	}
	for _, value := range truncated {
		entry, ok := value.DocumentOK()
		if !ok {
			return UpdateDescription{}, fmt.Errorf("sluice: updateDescription.truncatedArrays holds a %s, want documents", value.Type)
		}
		field, isString := entry.Lookup("field").StringValueOK()
		size, isNumber := entry.Lookup("newSize").AsInt64OK()
		if !isString || !isNumber {
			return UpdateDescription{}, fmt.Errorf("sluice: updateDescription.truncatedArrays holds an entry without field or newSize")
		}
		d.TruncatedArrays = append(d.TruncatedArrays, TruncatedArray{Field: field, NewSize: int32(size)})
	}
	return d, nil
}

// arrayValues returns the elements of an array field; none if the field is absent.
func arrayValues(raw bson.Raw, field string) ([]bson.RawValue, error) {
	value := raw.Lookup(field)
	if value.Type == 0 {
		return nil, nil
	}
	array, ok := value.ArrayOK()
	if !ok {
		return nil, fmt.Errorf("sluice: updateDescription.%s is a %s, want an array", field, value.Type)
	}
	values, err := array.Values()
	if err != nil {
		return nil, fmt.Errorf("sluice: updateDescription.%s: %w", field, err)
	}
	return values, nil
}
