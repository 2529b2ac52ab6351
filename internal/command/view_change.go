package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// modifyView {collMod: <view>, viewOn, pipeline} changes what a view reads. What is not named stays; it is logged whether it
// changes anything or not.
func modifyView(op *operation) error {
	args := viewArgs{view: store.ViewDefinition{DB: op.db}}
	if err := op.arguments(apart(args.parseChange, new(viewArgs).parseChange)); err != nil {
		return err
	}
	op.writeConcern.due = true
	if args.refused != nil {
		return args.refused
	}
	commit, err := args.modify(op)
	if err != nil {
		return err
	}
	return op.acknowledge(commit)
}

func (v *viewArgs) parseChange(name string, a argument) error {
	switch name {
	case "collMod":
		return a.collection(&v.view.Name)
	case "viewOn":
		return v.parseOn(a)
	case "pipeline":
		return v.parsePipeline(a)
	case "collectionUUID":
		return parseCollectionUUID(a)
	case "timeseries":
		return v.refuse(mongoerr.New(mongoerr.InvalidOptions, "option only supported on a time-series collection: %s", name))
	case "dryRun":
		var on bool
		if err := a.flag(&on); err != nil || !on {
			return err
		}
		return v.refuse(mongoerr.New(mongoerr.InvalidOptions, "dry run mode requires an valid index modification."))
	case "index", "validator", "validationLevel", "validationAction", "expireAfterSeconds", "recordPreImages", "cappedSize", "cappedMax", imagesOption:
		return v.refuse(mongoerr.New(mongoerr.InvalidOptions, "option not supported on a view: %s", name))
	}
	return a.unknown()
}

func (v *viewArgs) modify(op *operation) (store.Commit, error) {
	ch := op.server.store.Change()
	view := op.server.store.Catalog().ViewDefinition(op.db, v.view.Name)
	var err error
	if view == nil {
		err = mongoerr.New(mongoerr.NamespaceNotFound, "ns does not exist")
	} else if err = checkUUID(op, op.db, view.Name, nil); err == nil {
		next := *view
		if v.view.On != "" {
			next.On = v.view.On
		}
		if v.view.Pipeline != nil {
			next.Pipeline = v.view.Pipeline
		}
		err = putView(op, ch, &next)
	}
	if err != nil {
		ch.Discard()
		return store.Commit{}, err
	}
	return ch.Commit()
}

// dropView drops a view; ok is false when there is none of that name.
func dropView(op *operation, name string) (commit store.Commit, ok bool, err error) {
	ch := op.server.store.Change()
	catalog := op.server.store.Catalog()
	view := catalog.ViewDefinition(op.db, name)
	if view == nil {
		ch.Discard()
		return commit, false, nil
	}
	err = checkUUID(op, op.db, name, nil)
	if err == nil {
		err = ch.DropViewDefinition(catalog.Collection(op.db, store.ViewsCollection), view)
	}
	if err != nil {
		ch.Discard()
		return commit, false, err
	}
	commit, err = ch.Commit()
	return commit, true, err
}

// refuseView is the error of a command that views do not have; nil where the name is no view's.
func refuseView(op *operation, db, name string) error {
	catalog := op.server.store.Catalog()
	if catalog.Measurements(db, name) != nil {
		return mongoerr.New(mongoerr.CommandNotSupportedOnView, "Namespace %s.%s is a timeseries collection", db, name)
	}
	if v := catalog.ViewDefinition(db, name); v != nil {
		return mongoerr.New(mongoerr.CommandNotSupportedOnView, "Namespace %s is a view, not a collection", v.NS())
	}
	return nil
}

// checkTarget refuses what a command cannot be about: a collection that is not the one that the client means, and a view. c is
// nil where there is no collection of the name.
func checkTarget(op *operation, name string, c *store.Collection) error {
	if c != nil && c.Oplog {
		return mongoerr.New(mongoerr.InvalidNamespace, "cannot write to %s", c.NS())
	}
	if err := checkUUID(op, op.db, name, c); err != nil || c != nil {
		return err
	}
	return refuseView(op, op.db, name)
}

// viewEntry describes a view as listCollections gives it out.
func viewEntry(v *store.ViewDefinition, nameOnly bool) bsonraw.Doc {
	entry, at := bsonraw.BeginDoc(nil)
	entry = bsonraw.AppendString(entry, "name", v.Name)
	entry = bsonraw.AppendString(entry, "type", "view")
	if nameOnly {
		return bsonraw.EndDoc(entry, at)
	}
	entry = bsonraw.AppendDoc(entry, "options", v.Options())
	entry, info := bsonraw.BeginElem(entry, bsonraw.TypeDocument, "info")
	entry = bsonraw.EndDoc(bsonraw.AppendBool(entry, "readOnly", true), info)
	return bsonraw.EndDoc(entry, at)
}
