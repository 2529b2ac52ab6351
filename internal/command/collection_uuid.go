package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// parseCollectionUUID reads the argument by which a client says which collection it believes to have the name.
func parseCollectionUUID(a argument) error {
	want := new([16]byte)
	if err := parseUUID(a, want); err != nil {
		return err // also of one without a value, which asks for nothing
	}
	a.op.wantUUID = want
	return nil
}

// parseUUID reads a UUID.
func parseUUID(a argument, to *[16]byte) error {
	subtype, id := a.Binary()
	switch {
	case a.Type != bsonraw.TypeBinary:
		return a.op.wrongType(a.name, a.Value, "binData")
	case subtype != bsonraw.SubtypeUUID:
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong binData type, expected type 'UUID'", a.op.command, a.name)
	case len(id) != 16:
		return mongoerr.New(mongoerr.InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype")
	}
	copy(to[:], id)
	return nil
}

// checkUUID refuses a collection that is not the one that the client means. c is nil where there is none of the name, or a view.
func checkUUID(op *operation, db, name string, c *store.Collection) error {
	if op.wantUUID == nil {
		return nil
	}
	return matchUUID(op, db, name, c, *op.wantUUID)
}

// matchUUID is checkUUID for the UUID that is given.
func matchUUID(op *operation, db, name string, c *store.Collection, want [16]byte) error {
	if c != nil && c.UUID == want {
		return nil
	}
	actual := bsonraw.NullValue
	if is := op.view.Catalog().ByUUID(want); is != nil && is.DB == db {
		actual = bsonraw.StringValue(is.Name)
	}
	extra := bsonraw.AppendString(nil, "db", db)
	extra = bsonraw.AppendBinary(extra, "collectionUUID", bsonraw.SubtypeUUID, want[:])
	extra = bsonraw.AppendString(extra, "expectedCollection", name)
	extra = bsonraw.AppendValue(extra, "actualCollection", actual)
	return mongoerr.New(mongoerr.CollectionUUIDMismatch, "Collection UUID does not match that specified").WithExtra(extra)
}
