package command

import (
	"slices"
	"strings"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// dropIndexes {dropIndexes: <collection>, index: <name> | [names] | <key pattern> | "*"} drops indexes, all or none; "*" means
// all but the one on _id, which cannot be dropped. Those that are being built are not built on.
func dropIndexes(op *operation) error {
	var coll string
	var which bsonraw.Value
	err := op.arguments(func(name string, a argument) error {
		switch name {
		case "dropIndexes":
			return a.collection(&coll)
		case "index":
			which = a.Value
			return a.indexChoice()
		case "collectionUUID":
			return parseCollectionUUID(a)
		}
		return a.unknown()
	})
	if err != nil {
		return err
	}
	if which.IsMissing() {
		return required(op, "index")
	}
	c, commit, killed, err := dropIndexesOf(op, underneath(op, coll), which)
	if err == nil {
		err = waitForBuilds(op.ctx, killed)
	}
	if err != nil {
		return err
	}
	op.out = bsonraw.AppendInt32(op.out, "nIndexesWas", int32(c.IndexCount()))
	if isEveryIndex(which) {
		op.out = bsonraw.AppendString(op.out, "msg", "non-_id indexes dropped for collection")
	}
	return op.acknowledge(commit)
}

// indexChoice checks the types of the index argument.
func (a argument) indexChoice() error {
	switch a.Type {
	case bsonraw.TypeString, bsonraw.TypeDocument:
		return nil
	case bsonraw.TypeArray:
		for it := a.Doc().Iter(); it.Next(); {
			if it.Value().Type != bsonraw.TypeString {
				return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type 'array', expected types '[string']", a.op.cmd.name, a.name)
			}
		}
		return nil
	}
	return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected types '[string, object']",
		a.op.cmd.name, a.name, a.Type.Name())
}

// isEveryIndex reports whether "*" is asked for, by itself or in a list.
func isEveryIndex(which bsonraw.Value) bool {
	return which.Str() == "*" || slices.Contains(stringsOf(which), "*")
}

// dropIndexesOf drops the indexes and returns the collection as it was, and the builds that it has killed.
func dropIndexesOf(op *operation, coll string, which bsonraw.Value) (*store.Collection, store.Commit, []*store.Build, error) {
	c, unlock, err := lockedAlone(op, coll)
	if err != nil {
		return nil, store.Commit{}, nil, err
	}
	defer unlock()
	if c == nil {
		return nil, store.Commit{}, nil, mongoerr.New(mongoerr.NamespaceNotFound, "ns not found %s.%s", op.db, coll)
	}
	indexes, killed, err := chooseIndexes(c, which)
	if err != nil {
		return nil, store.Commit{}, nil, err
	}
	killBuilds(killed)
	if len(indexes) == 0 {
		return c, store.Commit{}, killed, nil
	}
	ch := op.server.store.Change()
	next := *c
	next.Indexes = slices.DeleteFunc(slices.Clone(c.Indexes), func(x *store.Index) bool { return slices.Contains(indexes, x) })
	for _, x := range indexes {
		if err == nil {
			err = ch.DropIndex(x)
		}
		o, at := bsonraw.BeginDoc(nil)
		o = bsonraw.AppendString(o, "dropIndexes", c.Name)
		o = bsonraw.AppendString(o, "index", x.Name)
		logCommand(ch, c, bsonraw.EndDoc(o, at), x.Spec)
	}
	if err == nil {
		err = ch.Put(&next)
	}
	if err != nil {
		ch.Discard()
		return nil, store.Commit{}, nil, err
	}
	commit, err := ch.Commit()
	return c, commit, killed, err
}

// chooseIndexes finds the indexes that are to be dropped, and the builds under way that make such.
func chooseIndexes(c *store.Collection, which bsonraw.Value) ([]*store.Index, []*store.Build, error) {
	if isEveryIndex(which) {
		return slices.DeleteFunc(slices.Clone(c.Indexes), (*store.Index).IsID), c.Builds(), nil
	}
	if which.Type == bsonraw.TypeDocument {
		x, err := indexByKey(c, which.Doc())
		if mongoerr.Is(err, mongoerr.IndexNotFound) {
			if b := buildOf(c, func(x *store.Index) bool { return sameKey(x.Key, which.Doc()) }); b != nil {
				return nil, []*store.Build{b}, checkOnlyIndex(b)
			}
		}
		return []*store.Index{x}, nil, err
	}
	names := stringsOf(which)
	if which.Type == bsonraw.TypeString {
		names = []string{which.Str()}
	}
	var list []*store.Index
	var killed []*store.Build
	for _, name := range names {
		x := c.Index(name)
		switch b := buildOf(c, func(x *store.Index) bool { return x.Name == name }); {
		case x == nil && b != nil:
			if err := checkOnlyIndex(b); err != nil {
				return nil, nil, err
			}
			killed = append(killed, b)
		case x == nil:
			return nil, nil, mongoerr.New(mongoerr.IndexNotFound, "index not found with name [%s]", name)
		case x.IsID():
			return nil, nil, errDropOnID(x)
		case !slices.Contains(list, x):
			list = append(list, x)
		}
	}
	return list, killed, nil
}

// buildOf returns the build under way that makes an index, or nil.
func buildOf(c *store.Collection, which func(*store.Index) bool) *store.Build {
	for _, b := range c.Builds() {
		if slices.ContainsFunc(b.Indexes, which) {
			return b
		}
	}
	return nil
}

// checkOnlyIndex refuses to drop one of several indexes that are built together.
func checkOnlyIndex(b *store.Build) error {
	if len(b.Indexes) == 1 {
		return nil
	}
	return mongoerr.New(backgroundOperationInProgress, "cannot drop one index of the build %s, which makes %d: drop them all with '*'", uuidText(b.UUID), len(b.Indexes))
}

// errDropOnID is the error of dropping the index on _id.
func errDropOnID(x *store.Index) error {
	if x.Clustered {
		return mongoerr.New(5979800, "It is illegal to drop the clusteredIndex")
	}
	return mongoerr.New(mongoerr.InvalidOptions, "cannot drop _id index")
}

func indexByKey(c *store.Collection, key bsonraw.Doc) (*store.Index, error) {
	var found []*store.Index
	for _, x := range c.Listed() {
		if sameKey(x.Key, key) {
			found = append(found, x)
		}
	}
	switch {
	case len(found) == 0:
		return nil, mongoerr.New(mongoerr.IndexNotFound, "can't find index with key: %s", key.Shell())
	case len(found) > 1:
		specs := make([]string, len(found))
		for i, x := range found {
			specs[i] = x.Spec.Shell()
		}
		return nil, mongoerr.New(mongoerr.AmbiguousIndexKeyPattern, "%d indexes found for key: %s, identify by name instead. Conflicting indexes: %s",
			len(found), key.Shell(), strings.Join(specs, ", "))
	case found[0].IsID():
		return nil, errDropOnID(found[0])
	}
	return found[0], nil
}
