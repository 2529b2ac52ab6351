package command

import (
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// renameCollection {renameCollection: "db.a", to: "db.b", dropTarget} renames a collection; dropTarget drops one that has the
// name already, as a UUID only if it is that one. Across databases the collection is copied.
func renameCollection(op *operation) error {
	var r rename
	if err := op.arguments(r.parse); err != nil {
		return err
	}
	if op.body.Lookup("to").IsMissing() {
		return required(op, "to")
	}
	if err := r.check(); err != nil {
		return err
	}
	run := r.run
	if r.db != r.toDB {
		run = r.runAcross
	}
	op.writeConcern.due = true
	for {
		commit, done, err := run(op)
		if err != nil {
			return err
		}
		if done {
			return op.acknowledge(commit)
		}
	}
}

// rename is a rename in the making.
type rename struct {
	from, to             string
	db, source           string // of from
	toDB, target         string // of to
	dropTarget, stayTemp bool
	dropUUID             *[16]byte // of the collection that may be dropped; nil: any
}

func (r *rename) parse(name string, a argument) error {
	switch name {
	case "renameCollection":
		if a.Type != bsonraw.TypeString {
			return mongoerr.New(mongoerr.BadValue, "collection name has invalid type %s", a.Type.Name())
		}
		r.from = a.Str()
		var ok bool
		if r.db, r.source, ok = cutNamespace(r.from); !ok {
			return mongoerr.New(mongoerr.InvalidNamespace, "Invalid namespace specified '%s'", r.from)
		}
		return nil
	case "to":
		if err := a.str(&r.to); err != nil {
			return err
		}
		var ok bool
		if r.toDB, r.target, ok = cutNamespace(r.to); !ok {
			return mongoerr.New(mongoerr.InvalidNamespace, "Invalid target namespace: %s", r.to)
		}
		return nil
	case "dropTarget":
		if a.Type == bsonraw.TypeBinary {
			r.dropTarget, r.dropUUID = true, new([16]byte)
			if subtype, _ := a.Binary(); subtype != bsonraw.SubtypeUUID {
				return mongoerr.New(mongoerr.InvalidUUID, "uuid must be a 16-byte binary field with UUID (4) subtype")
			}
			return parseUUID(a, r.dropUUID)
		}
		if a.Type != bsonraw.TypeBool {
			return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected types '[bool, binData']",
				a.op.cmd.name, a.name, a.Type.Name())
		}
		return a.flag(&r.dropTarget)
	case "stayTemp":
		return a.flag(&r.stayTemp)
	case "collectionUUID":
		return parseCollectionUUID(a)
	}
	return a.unknown()
}

// cutNamespace splits "db.collection"; ok is false where one of them is missing or the database's name is not valid.
func cutNamespace(ns string) (db, coll string, ok bool) {
	db, coll, _ = strings.Cut(ns, ".")
	return db, coll, coll != "" && checkDatabaseName(db) == nil
}

// check refuses what does not depend on which collections exist.
func (r *rename) check() error {
	if r.from == r.to {
		return mongoerr.New(mongoerr.IllegalOperation, "Can't rename a collection to itself")
	}
	if store.IsOplog(r.db, r.source) || store.IsOplog(r.toDB, r.target) {
		return mongoerr.New(mongoerr.IllegalOperation, "can't rename live oplog while replicating")
	}
	for _, side := range []struct{ what, db, coll string }{{"source", r.db, r.source}, {"target", r.toDB, r.target}} {
		err := checkCollectionName(side.db, side.coll)
		if err == nil {
			err = checkNewCollection(side.db, side.coll)
		}
		if err == nil {
			err = checkWritten(side.db, side.coll)
		}
		if err != nil {
			return mongoerr.New(mongoerr.IllegalOperation, "error with %s namespace: %s", side.what, mongoerr.From(err).Msg)
		}
	}
	return nil
}

// run renames. done is false when another change came between: then it has to be tried again.
func (r *rename) run(op *operation) (commit store.Commit, done bool, err error) {
	st := op.server.store
	catalog := st.Catalog()
	source, target := catalog.Collection(r.db, r.source), catalog.Collection(r.db, r.target)
	if err := checkUUID(op, r.db, r.source, source); err != nil {
		return commit, false, err
	}
	if r.dropUUID != nil {
		if err := matchUUID(op, r.db, r.target, target, *r.dropUUID); err != nil {
			return commit, false, err
		}
	}
	switch {
	case catalog.ViewDefinition(r.db, r.source) != nil:
		return commit, false, mongoerr.New(mongoerr.CommandNotSupportedOnView, "cannot rename view: %s", r.from)
	case catalog.ViewDefinition(r.toDB, r.target) != nil:
		return commit, false, mongoerr.New(mongoerr.NamespaceExists, "a view already exists with that name: %s", r.to)
	case source == nil && len(catalog.Collections(r.db)) == 0:
		return commit, false, mongoerr.New(mongoerr.NamespaceNotFound, "Database %s does not exist or is drop pending", r.db)
	case source == nil:
		return commit, false, mongoerr.New(mongoerr.NamespaceNotFound, "Source collection %s does not exist", r.from)
	case target != nil && !r.dropTarget:
		return commit, false, mongoerr.New(mongoerr.NamespaceExists, "target namespace exists")
	}
	unlock, err := lockAlone(op.ctx, source, target)
	if err != nil {
		return commit, false, err
	}
	defer unlock()
	if err := checkNoBuilds(source); err != nil {
		return commit, false, err
	}
	ch := st.Change()
	now := st.Catalog()
	if now.Collection(r.db, r.source) != source || now.Collection(r.db, r.target) != target || now.ViewDefinition(r.db, r.target) != nil {
		ch.Discard()
		return commit, false, nil
	}
	if err := r.fill(op, ch, source, target); err != nil {
		ch.Discard()
		return commit, false, err
	}
	commit, err = ch.Commit()
	return commit, true, err
}

func (r *rename) fill(op *operation, ch *store.Change, source, target *store.Collection) error {
	o, at := bsonraw.BeginDoc(nil)
	o = bsonraw.AppendString(o, "renameCollection", r.from)
	o = bsonraw.AppendString(o, "to", r.to)
	o = bsonraw.AppendBool(o, "stayTemp", r.stayTemp)
	var o2 bsonraw.Doc
	if target != nil {
		o = bsonraw.AppendBinary(o, "dropTarget", bsonraw.SubtypeUUID, target.UUID[:])
		n, err := op.server.store.Count(op.ctx, target)
		if err != nil {
			return err
		}
		o2 = numRecords(n)
		if err := ch.Drop(target); err != nil {
			return err
		}
	}
	logCommand(ch, source, bsonraw.EndDoc(o, at), o2)
	renamed := *source
	renamed.Name = r.target
	if !r.stayTemp {
		renamed.SetOptions(withOption(source.Options, "temp", bsonraw.Value{}))
	}
	ch.Remove(source)
	return ch.Put(&renamed)
}
