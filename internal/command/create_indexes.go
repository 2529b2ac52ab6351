package command

import (
	"fmt"
	"slices"
	"sync"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// createIndexes {createIndexes: <collection>, indexes: [{key, name, unique, sparse, hidden, partialFilterExpression,
// expireAfterSeconds, collation, v}], commitQuorum, ignoreUnknownIndexOptions} builds indexes, all or none, and creates the
// collection where there is none. An index that exists already is no error. commitQuorum is checked and given back: one node
// needs no quorum. Not supported: geo indexes; an index of texts has no entries.
func createIndexes(op *operation) error {
	args := createIndexesArgs{quorum: bsonraw.StringValue("votingMembers")}
	if err := op.arguments(args.parse); err != nil {
		return err
	}
	if of := measurementsOf(op, args.coll); of != nil {
		args.coll, args.series = of.Name, of.Series
	}
	if err := args.parseSpecs(op); err != nil {
		return err
	}
	for {
		done, err := args.run(op)
		if err != nil {
			return err
		}
		if done {
			return op.acknowledge(args.commit)
		}
	}
}

// maxIndexes is how many indexes a collection may have.
const maxIndexes = 64

type createIndexesArgs struct {
	coll    string
	list    bsonraw.Doc
	lenient bool
	quorum  bsonraw.Value
	specs   []*indexSpec
	series  *store.Series // nil for a collection of other documents

	commit store.Commit
}

func (c *createIndexesArgs) parse(name string, a argument) error {
	switch name {
	case "createIndexes":
		return written(a, &c.coll)
	case "indexes":
		return a.array(&c.list)
	case "collectionUUID":
		return parseCollectionUUID(a)
	case "ignoreUnknownIndexOptions":
		return a.flag(&c.lenient)
	case "commitQuorum":
		c.quorum = a.Value
		return a.commitQuorum()
	}
	return a.unknown()
}

// commitQuorum accepts the ways to count the members of a set.
func (a argument) commitQuorum() error {
	switch {
	case a.Type.IsNumber():
		if n, ok := a.AsInt64(); !ok || n < 0 || n > 50 {
			return mongoerr.New(mongoerr.FailedToParse, "commitQuorum has to be a non-negative number and not greater than 50")
		} else if n > 1 {
			return mongoerr.New(unsatisfiableCommitQuorum, "Not enough data-bearing nodes to satisfy commit quorum")
		}
		return nil
	case a.Type != bsonraw.TypeString:
		return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.%s' is the wrong type '%s', expected types '[long, int, decimal, double, string']",
			a.op.cmd.name, a.name, a.Type.Name())
	}
	if quorum := a.Str(); quorum != "votingMembers" && quorum != "majority" {
		return mongoerr.New(mongoerr.UnknownReplWriteConcern, "No write concern mode named '%s' found in replica set configuration", quorum)
	}
	return nil
}

const unsatisfiableCommitQuorum mongoerr.Code = 278

func (c *createIndexesArgs) parseSpecs(op *operation) error {
	if c.list == nil {
		return required(op, "indexes")
	}
	for it := c.list.Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			return op.wrongType("indexes."+string(it.Key()), it.Value(), "object")
		}
		given := it.Value().Doc()
		spec, err := parseIndexSpec(given, c.lenient)
		if mongoerr.Is(err, mongoerr.CommandNotSupported) {
			return err
		}
		if err != nil {
			return mongoerr.From(err).Prefix("Error in specification " + given.Shell() + " :: caused by :: ")
		}
		if c.series != nil {
			if err := checkSeriesIndex(spec, c.series); err != nil {
				return err
			}
		}
		if err := spec.check(); err != nil {
			return err
		}
		c.specs = append(c.specs, spec)
	}
	if len(c.specs) == 0 {
		return mongoerr.New(mongoerr.BadValue, "Must specify at least one index to create")
	}
	return nil
}

// run builds the indexes. done is false when others came between, who created the collection or build the same indexes: then it
// has to be tried again.
func (c *createIndexesArgs) run(op *operation) (done bool, err error) {
	lock := lockedAlone
	if op.transaction != nil {
		lock = lockedInTransaction
	}
	coll, unlock, err := lock(op, c.coll)
	op.writeConcern.due = false // MongoDB looks first whether there is anything to do
	if err != nil {
		return false, err
	}
	if coll == nil {
		defer unlock()
		return c.runNew(op)
	}
	unlock = sync.OnceFunc(unlock)
	defer unlock()
	missing, err := c.missing(coll)
	if err != nil {
		return false, err
	}
	if len(missing) == 0 {
		c.reply(op, coll, coll, false)
		return true, nil
	}
	if err := checkIndexable(op, coll); err != nil {
		return false, err
	}
	op.writeConcern.due = true
	documents, err := op.target.Count(op.ctx, coll)
	if err != nil {
		return false, err
	}
	if documents > 0 {
		return c.buildUnderway(op, coll, missing, unlock)
	}
	return c.runEmpty(op, op.target.Change(), coll, missing, op.transaction != nil)
}

// runNew creates the collection with its indexes.
func (c *createIndexesArgs) runNew(op *operation) (done bool, err error) {
	if slices.ContainsFunc(c.specs, func(s *indexSpec) bool { return s.clustered }) {
		return false, mongoerr.New(6100900, "Cannot implicitly create a new collection with createIndex 'clustered' option")
	}
	st := op.target
	ch := st.Change()
	if st.Catalog().Collection(op.db, c.coll) != nil {
		ch.Discard()
		return false, nil
	}
	coll, err := addCollection(st, ch, op.db, c.coll, newCollection{idIndex: idIndexSpec})
	var missing []*indexSpec
	if err == nil {
		missing, err = c.missing(coll)
	}
	if err != nil {
		ch.Discard()
		return false, err
	}
	return c.runEmpty(op, ch, coll, missing, true)
}

// runEmpty adds indexes to a collection that has no documents, in a change that was begun.
func (c *createIndexesArgs) runEmpty(op *operation, ch *store.Change, coll *store.Collection, missing []*indexSpec, created bool) (done bool, err error) {
	next := *coll
	next.Indexes = slices.Clone(coll.Indexes)
	for _, s := range missing {
		x, err := addIndex(ch, coll, next.Indexes, s)
		if err != nil {
			ch.Discard()
			build := uuidText(newUUID())
			return false, mongoerr.From(err).Prefix(fmt.Sprintf("Index build failed: %s: Collection %s ( %s ) :: caused by :: index build on empty collection failed: %s :: caused by :: ",
				build, coll.NS(), uuidText(coll.UUID), build))
		}
		next.Indexes = append(next.Indexes, x)
	}
	logIndexes(ch, coll, next.Indexes[len(coll.Indexes):], [16]byte{}, false)
	if err := ch.Put(&next); err != nil {
		ch.Discard()
		return false, err
	}
	if c.commit, err = ch.Commit(); err != nil {
		return false, err
	}
	c.reply(op, coll, &next, created)
	return true, nil
}

// missing returns the specifications of the indexes that do not exist yet.
func (c *createIndexesArgs) missing(coll *store.Collection) ([]*indexSpec, error) {
	for _, s := range c.specs {
		if err := s.checkClustered(coll.Indexes[0]); err != nil {
			return nil, err
		}
		if err := s.resolve(coll.Options); err != nil {
			return nil, err
		}
	}
	var list []*indexSpec
	for _, s := range c.specs {
		exists, err := s.exists(coll.Indexes)
		if err != nil {
			return nil, err
		}
		if !exists {
			list = append(list, s)
		}
	}
	return list, nil
}

// addIndex makes one index beside those that there are.
func addIndex(ch *store.Change, c *store.Collection, indexes []*store.Index, s *indexSpec) (*store.Index, error) {
	exists, err := s.exists(indexes)
	switch {
	case err != nil:
		return nil, err
	case exists:
		return nil, mongoerr.New(mongoerr.IndexAlreadyExists, "Identical index already exists: %s", s.name)
	case len(indexes) >= maxIndexes:
		return nil, mongoerr.New(mongoerr.CannotCreateIndex, "add index fails, too many indexes for %s key:%s", c.NS(), s.key.Shell())
	}
	return ch.NewIndex(s.doc())
}

// logIndexes adds the oplog entries of new indexes, as MongoDB does: one for each where there was nothing to build, one for all
// where there was.
func logIndexes(ch *store.Change, c *store.Collection, indexes []*store.Index, build [16]byte, built bool) {
	if !built {
		for _, x := range indexes {
			o, at := bsonraw.BeginDoc(nil)
			o = bsonraw.AppendString(o, "createIndexes", c.Name)
			logCommand(ch, c, bsonraw.EndDoc(append(o, elements(x.Spec)...), at), nil)
		}
		return
	}
	o, at := bsonraw.BeginDoc(nil)
	o = bsonraw.AppendString(o, "commitIndexBuild", c.Name)
	o = bsonraw.AppendBinary(o, "indexBuildUUID", bsonraw.SubtypeUUID, build[:])
	o = bsonraw.AppendHeader(o, bsonraw.TypeArray, "indexes")
	list := bsonraw.BeginArray(o)
	for _, x := range indexes {
		list.AppendDoc(x.Spec)
	}
	logCommand(ch, c, bsonraw.EndDoc(list.End(), at), nil)
}

func (c *createIndexesArgs) reply(op *operation, before, after *store.Collection, created bool) {
	built := len(after.Indexes) - len(before.Indexes)
	op.out = bsonraw.AppendInt32(op.out, "numIndexesBefore", int32(before.IndexCount()))
	op.out = bsonraw.AppendInt32(op.out, "numIndexesAfter", int32(after.IndexCount()))
	if built > 0 || created {
		op.out = bsonraw.AppendBool(op.out, "createdCollectionAutomatically", created)
		op.out = bsonraw.AppendValue(op.out, "commitQuorum", c.quorum)
	}
	switch {
	case built == 0:
		op.out = bsonraw.AppendString(op.out, "note", "all indexes already exist")
	case built < len(c.specs):
		op.out = bsonraw.AppendString(op.out, "note", "index already exists")
	}
}
