package command

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
	"github.com/sluicestream/sluice/internal/store"
)

// argument is one argument of a command, with checked conversions. One that is null or undefined counts as absent, as in MongoDB nearly
// always: its value is missing, and only that the command does not know it is an error.
type argument struct {
	op   *operation
	name string // within the command, for messages
	bsonraw.Value
}

// arguments calls fn for each argument of the command that is not generic, beginning with the command's own, which has the name of the
// command whatever its spelling.
func (op *operation) arguments(fn func(name string, a argument) error) error {
	for i, it := 0, op.body.Iter(); it.Next(); i++ {
		if isGeneric(it.Key()) {
			continue
		}
		name, v := op.cmd.name, it.Value()
		if i > 0 {
			name = argumentName(it.Key())
		}
		absent := i > 0 && isNullish(v) && !notAbsent[op.cmd.name+"."+name]
		if absent {
			v = bsonraw.Value{}
		}
		err := fn(name, argument{op, name, v})
		if err != nil && (!absent || mongoerr.Is(err, mongoerr.IDLUnknownField)) {
			return err
		}
	}
	return nil
}

// argumentName is a name as a string, for the names that most commands have without memory of its own.
func argumentName(key []byte) string {
	for _, name := range [...]string{"filter", "limit", "singleBatch", "batchSize", "ordered", "collection", "sort", "projection"} {
		if string(key) == name {
			return name
		}
	}
	return string(key)
}

// apart gives the arguments without a value to a parser of their own, of which nothing is used but that it knows them.
func apart(given, absent func(name string, a argument) error) func(name string, a argument) error {
	return func(name string, a argument) error {
		if a.IsMissing() {
			return absent(name, a)
		}
		return given(name, a)
	}
}

// notAbsent are the arguments that cannot be null or undefined.
var notAbsent = map[string]bool{
	"aggregate.allowDiskUse": true, "aggregate.hint": true, "count.hint": true, "count.limit": true, "findAndModify.hint": true,
	"find.allowDiskUse": true, "find.allowPartialResults": true, "find.awaitData": true, "find.collation": true, "find.filter": true,
	"find.hint": true, "find.max": true, "find.min": true, "find.noCursorTimeout": true, "find.oplogReplay": true, "find.projection": true,
	"find.readOnce": true, "find.returnKey": true, "find.showRecordId": true, "find.singleBatch": true, "find.sort": true, "find.tailable": true,
}

func isNullish(v bsonraw.Value) bool {
	return v.Type == bsonraw.TypeNull || v.Type == bsonraw.TypeUndefined
}

// unknown is the error of an argument that the command does not have.
func (a argument) unknown() error {
	return mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", a.op.cmd.name, a.name)
}

// unsupported is the error of an argument that MongoDB has and this server does not, yet.
func (a argument) unsupported() error {
	return mongoerr.New(mongoerr.CommandNotSupported, "%s: the argument '%s' is not supported by this server yet", a.op.cmd.name, a.name)
}

func (a argument) doc(to *bsonraw.Doc) error {
	if a.Type != bsonraw.TypeDocument {
		return a.op.wrongType(a.name, a.Value, "object")
	}
	*to = a.Value.Doc()
	return nil
}

func (a argument) array(to *bsonraw.Doc) error {
	if a.Type != bsonraw.TypeArray {
		return a.op.wrongType(a.name, a.Value, "array")
	}
	*to = a.Value.Doc()
	return nil
}

// documents checks that an array holds nothing but documents.
func (a argument) documents() error {
	for it := a.Value.Doc().Iter(); it.Next(); {
		if v := it.Value(); v.Type != bsonraw.TypeDocument {
			return a.op.wrongType(a.name+"."+string(it.Key()), v, "object")
		}
	}
	return nil
}

func (a argument) str(to *string) error {
	if a.Type != bsonraw.TypeString {
		return a.op.wrongType(a.name, a.Value, "string")
	}
	*to = a.Value.Str()
	return nil
}

// flag accepts booleans and, as MongoDB does, numbers.
func (a argument) flag(to *bool) error {
	if a.Type != bsonraw.TypeBool && !a.Type.IsNumber() {
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected types '[bool, long, int, decimal, double']",
			a.op.cmd.name, a.name, a.Type.Name())
	}
	*to = a.Truthy()
	return nil
}

// strictFlag accepts booleans only.
func (a argument) strictFlag(to *bool) error {
	if a.Type != bsonraw.TypeBool {
		return a.op.wrongType(a.name, a.Value, "bool")
	}
	*to = a.Bool()
	return nil
}

// integer accepts every number and makes it whole.
func (a argument) integer(to *int64) error {
	if !a.Type.IsNumber() {
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected types '[long, int, decimal, double']",
			a.op.cmd.name, a.name, a.Type.Name())
	}
	*to = mqlargument.Whole(a.Value)
	return nil
}

// statementID accepts 32-bit numbers only.
func statementID(a argument, to *int32) error {
	if a.Type != bsonraw.TypeInt32 {
		return a.op.wrongType(a.name, a.Value, "int")
	}
	*to = a.Int32()
	return nil
}

// count accepts numbers that are not negative.
func (a argument) count(to *int64) error {
	if err := a.integer(to); err != nil {
		return err
	}
	if *to < 0 {
		return mongoerr.New(51024, "BSON field '%s' value must be >= 0, actual value '%d'", a.name, *to)
	}
	return nil
}

// collection reads a collection's name, usually the value of the command itself.
func (a argument) collection(to *string) error {
	if a.Type != bsonraw.TypeString {
		return mongoerr.New(mongoerr.BadValue, "collection name has invalid type %s", a.Type.Name())
	}
	*to = reuse(&a.op.names.coll, a.Value.Bytes())
	if err := checkCollectionName(a.op.db, *to); err != nil || reachesBuckets[a.op.cmd.name] {
		return err
	}
	return refuseBuckets(a.op.server.store.Catalog(), a.op.db, *to)
}

// written reads the name of a collection whose documents or indexes the command changes.
func written(a argument, to *string) error {
	if err := a.collection(to); err != nil {
		return err
	}
	return checkWritten(a.op.db, *to)
}

// checkWritten refuses collections that nobody can have, and the one that only the commands about views change.
func checkWritten(db, name string) error {
	if strings.Contains(name, ".system.") {
		return errWithin(db, name)
	}
	if name == store.ViewsCollection || store.IsOplog(db, name) {
		return mongoerr.New(mongoerr.InvalidNamespace, "cannot write to %s.%s", db, name)
	}
	return nil
}

func checkDatabaseName(db string) error {
	if db == "" || len(db) > 63 || strings.ContainsAny(db, "/\\. \"$\x00") && db != "$external" {
		return mongoerr.New(mongoerr.InvalidNamespace, "Invalid database name: '%s'", db)
	}
	return nil
}

// maxNamespace is the longest namespace, in bytes.
const maxNamespace = 255

// formedName reads the name of a collection that may have any letters: those that no collection can have are told of later.
func formedName(a argument, to *string) error {
	if a.Type != bsonraw.TypeString {
		return a.collection(to)
	}
	*to = a.Value.Str()
	return checkFormed(a.op.db, *to)
}

func checkFormed(db, name string) error {
	if name == "" || name[0] == '.' || strings.ContainsRune(name, 0) {
		return mongoerr.New(mongoerr.InvalidNamespace, "Invalid namespace specified '%s.%s'", db, name)
	}
	return nil
}

func checkCollectionName(db, name string) error {
	if err := checkFormed(db, name); err != nil {
		return err
	}
	if strings.Contains(name, "$") && (db != "local" || name != "oplog.$main") {
		return mongoerr.New(mongoerr.InvalidNamespace, "Invalid collection name: %s", name)
	}
	return nil
}

// errWithin is the error of a name with ".system." in it, as if it were another's system collection.
func errWithin(db, name string) error {
	return mongoerr.New(mongoerr.BadValue, "Invalid namespace: %s.%s", db, name)
}

// checkNewCollection checks a name that is about to be created.
func checkNewCollection(db, name string) error {
	switch {
	case strings.Contains(name, ".system."):
		return errWithin(db, name)
	case strings.ContainsRune(name, '$'):
		return mongoerr.New(mongoerr.InvalidNamespace, "Invalid collection name: %s", name)
	case len(db)+1+len(name) > maxNamespace:
		return mongoerr.New(mongoerr.InvalidNamespace, "Fully qualified namespace is too long. Namespace: %s.%s Max: %d", db, name, maxNamespace)
	case strings.HasPrefix(name, "system.") && !systemCollections[name] && !(db == "admin" && adminCollections[name]):
		return mongoerr.New(mongoerr.InvalidNamespace, "Invalid system namespace: %s.%s", db, name)
	}
	return nil
}

// systemCollections are the names under "system." that clients may create.
var systemCollections = map[string]bool{"system.js": true, "system.profile": true, "system.users": true, store.ViewsCollection: true}

// adminCollections are those that the admin database has besides.
var adminCollections = map[string]bool{
	"system.roles": true, "system.version": true, "system.keys": true, "system.new_users": true, "system.backup_users": true,
}
