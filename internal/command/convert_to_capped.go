package command

import (
	"errors"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/store"
)

// convertToCapped {convertToCapped: <collection>, size} makes a collection a capped one. It loses its indexes but the one on _id,
// and what does not fit. Other arguments are accepted and not used.
func convertToCapped(op *operation) error {
	name, err := capsule(op)
	if err != nil {
		return err
	}
	c, unlock, err := beginCapped(op, name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := checkNoBuilds(c.from); err != nil {
		return err
	}
	c.name = temporaryName(op.db, "convertToCapped."+name)
	c.options = withOption(c.options, "temp", bsonraw.BoolValue(true))
	made, unlockMade, err := c.run()
	if err != nil {
		return err
	}
	defer unlockMade()
	ch := op.server.store.Change()
	if err := moveInto(op, ch, made, c.from, name, false); err != nil {
		ch.Discard()
		return errors.Join(err, c.drop(made))
	}
	commit, err := ch.Commit()
	if err != nil {
		return err
	}
	return op.acknowledge(commit)
}

// cloneCollectionAsCapped {cloneCollectionAsCapped: <collection>, toCollection, size, temp} makes a capped collection with the
// newest documents of another. Other arguments are accepted and not used.
func cloneCollectionAsCapped(op *operation) error {
	name, to, err := cloneNames(op)
	if err != nil {
		return err
	}
	c, unlock, err := beginCapped(op, name)
	if err != nil {
		return err
	}
	defer unlock()
	if op.server.store.Catalog().Collection(op.db, to) != nil {
		return mongoerr.New(mongoerr.NamespaceExists, "cloneCollectionAsCapped failed - destination collection %s.%s already exists. source collection: %s",
			op.db, to, c.from.NS())
	}
	c.name = to
	if op.body.Lookup("temp").Truthy() {
		c.options = withOption(c.options, "temp", bsonraw.BoolValue(true))
	}
	_, unlockMade, err := c.run()
	if err != nil {
		return err
	}
	unlockMade()
	return op.acknowledge(store.Commit{})
}

func cloneNames(op *operation) (from, to string, err error) {
	for _, name := range []struct {
		argument, which string
		to              *string
	}{{op.cmd.name, "source", &from}, {"toCollection", "target", &to}} {
		v := op.body.Lookup(name.argument)
		if v.Type != bsonraw.TypeString {
			return "", "", mongoerr.New(mongoerr.TypeMismatch, "'%s' must be of type String", name.argument)
		}
		*name.to = v.Str()
		if checkCollectionName(op.db, v.Str()) != nil {
			return "", "", mongoerr.New(mongoerr.InvalidNamespace, "Invalid %s collection name: %s", name.which, v.Str())
		}
	}
	return from, to, nil
}

// capsule reads the name of the collection that convertToCapped converts.
func capsule(op *operation) (name string, err error) {
	v := op.body.Lookup(op.cmd.name)
	if v.Type != bsonraw.TypeString {
		return "", mongoerr.New(mongoerr.InvalidNamespace, "collection name has invalid type %s", v.Type.Name())
	}
	return v.Str(), checkCollectionName(op.db, v.Str())
}

// capsuleSize reads the size. mongod has no code for one that is missing.
func capsuleSize(op *operation) (int64, error) {
	v := op.body.Lookup("size")
	size := int64(0)
	if v.Type.IsNumber() {
		if err := (argument{op, "size", v}).integer(&size); err != nil {
			return 0, err
		}
	}
	switch {
	case size == 0:
		return 0, mongoerr.New(mongoerr.OK, "invalid command spec: size must be a number greater than 0")
	case size < 0:
		return 0, mongoerr.New(mongoerr.BadValue, "size has to be >= 0")
	case size > maxCappedSize:
		return 0, mongoerr.New(mongoerr.BadValue, "size cannot exceed 1 PB")
	}
	return roundedSize(size), nil
}

// beginCapped prepares the copy of a collection that is capped, which nobody else uses until unlock.
func beginCapped(op *operation, name string) (c *copying, unlock func(), err error) {
	size, err := capsuleSize(op)
	if err != nil {
		return nil, nil, err
	}
	from, unlock, err := lockedAlone(op, name)
	if err != nil {
		return nil, nil, err
	}
	c = cappedCopy(op, from, size)
	if err := c.check(name); err != nil {
		unlock()
		return nil, nil, err
	}
	return c, unlock, nil
}

// cappedCopy prepares a copy that is capped. From may be nil; check tells.
func cappedCopy(op *operation, from *store.Collection, size int64) *copying {
	c := &copying{op: op, from: from, db: op.db, hidden: true}
	if from != nil {
		c.options = withOption(from.Options, "capped", bsonraw.BoolValue(true))
		c.options = withOption(c.options, "size", numberValue(size))
	}
	return c
}

// check refuses what cannot be copied into a capped collection, and finds out how much will not fit.
func (c *copying) check(name string) error {
	switch {
	case c.from == nil && len(c.op.server.store.Catalog().Collections(c.db)) == 0:
		return mongoerr.New(mongoerr.NamespaceNotFound, "database %s not found", c.db)
	case c.from == nil:
		return mongoerr.New(mongoerr.NamespaceNotFound, "source collection %s.%s does not exist", c.db, name)
	case c.from.Indexes[0].Clustered:
		return mongoerr.New(mongoerr.CommandNotSupported, "%s: %s is clustered; a clustered collection that is capped is not supported by this server",
			c.op.cmd.name, c.from.NS())
	}
	stats, err := c.op.server.store.Stats(c.op.ctx, c.from)
	if err != nil {
		return err
	}
	size, _ := c.options.Lookup("size").AsInt64()
	c.excess = stats.Bytes - max(2*size, leastExcess)
	return nil
}

// leastExcess is from how many bytes on documents are left out that a small capped collection would push out at once.
const leastExcess = 8192
