package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// readConcern says how sure a read has to be of what it reads.
type readConcern struct {
	present          bool
	level            string // as given; empty: not given
	afterClusterTime oplog.Timestamp
	atClusterTime    oplog.Timestamp // of a snapshot
}

func (g *generic) parseReadConcern(v bsonraw.Value) error {
	if v.Type != bsonraw.TypeDocument {
		if g.command == "aggregate" && !isNullish(v) {
			return g.wrongType("readConcern", v, "object")
		}
		return mongoerr.New(mongoerr.FailedToParse, "readConcern field should be an object")
	}
	g.readConcern.present = true
	for it := v.Doc().Iter(); it.Next(); {
		if err := g.readConcern.parseField(string(it.Key()), it.Value()); err != nil {
			return err
		}
	}
	return g.readConcern.check()
}

func (rc *readConcern) parseField(name string, v bsonraw.Value) error {
	switch name {
	case "level":
		if v.Type != bsonraw.TypeString {
			return wrongType("readConcern.level", v, "string")
		}
		return rc.parseLevel(v.Str())
	case "afterClusterTime":
		return clusterTime(name, v, &rc.afterClusterTime)
	case "atClusterTime":
		return clusterTime(name, v, &rc.atClusterTime)
	case "afterOpTime": // members of a set say it; there is one, and it is always that far
		if v.Type != bsonraw.TypeDocument {
			return wrongType("readConcern.afterOpTime", v, "object")
		}
	case "provenance":
		var source string
		return parseProvenance("readConcern", v, &source)
	default:
		return mongoerr.New(mongoerr.InvalidOptions, "Unrecognized option in readConcern: %s", name)
	}
	return nil
}

func (rc *readConcern) parseLevel(level string) error {
	switch rc.level = level; level {
	case "local", "majority", "available", "linearizable", "snapshot":
		return nil
	}
	return mongoerr.New(mongoerr.FailedToParse, "readConcern.level must be either 'local', 'majority', 'linearizable', 'available', or 'snapshot'; found '%s'", level)
}

func clusterTime(name string, v bsonraw.Value, to *oplog.Timestamp) error {
	if v.Type != bsonraw.TypeTimestamp {
		return wrongType("readConcern."+name, v, "timestamp")
	}
	if *to = oplog.Timestamp(v.Int64()); *to == 0 {
		return mongoerr.New(mongoerr.InvalidOptions, "%s cannot be a null timestamp", name)
	}
	return nil
}

// check refuses what does not go together.
func (rc *readConcern) check() error {
	switch {
	case rc.atClusterTime != 0 && rc.afterClusterTime != 0:
		return mongoerr.New(mongoerr.InvalidOptions, "Specifying a timestamp for readConcern snapshot in a causally consistent session is not allowed")
	case rc.afterClusterTime != 0 && (rc.level == "available" || rc.level == "linearizable"):
		return mongoerr.New(mongoerr.InvalidOptions, "afterClusterTime field can be set only if level is equal to majority, local, or snapshot")
	case rc.atClusterTime != 0 && rc.level != "snapshot":
		return mongoerr.New(mongoerr.InvalidOptions, "atClusterTime field can be set only if level is equal to snapshot")
	}
	return nil
}

// checkConcerns refuses the concerns that the command does not take. Every command takes a read concern of "local"; transactions
// have their own rules.
func (op *operation) checkConcerns() error {
	if op.txn.in {
		return nil
	}
	if level := op.readConcern.level; !op.cmd.reads && level != "" && level != "local" && level != "snapshot" {
		return mongoerr.New(mongoerr.InvalidOptions, "Command %s does not support { readConcern: { level: \"%s\" } } :: caused by :: read concern not supported",
			op.cmd.name, level)
	}
	if op.writeConcern.present && !op.cmd.concerns {
		return mongoerr.New(mongoerr.InvalidOptions, "Command %s does not support writeConcern", op.cmd.name)
	}
	return nil
}

// prepareRead makes the operation read as its read concern asks. Reads see everything applied; a majority read answers when all that
// it could have seen is durable.
func (op *operation) prepareRead() error {
	if op.transaction != nil {
		return nil // its snapshot was taken when it began
	}
	if err := checkClusterTime(op); err != nil {
		return err
	}
	switch op.readConcern.level {
	case "majority", "linearizable":
		op.durable = true
	case "snapshot":
		return readSnapshot(op)
	}
	return nil
}

// checkClusterTime refuses a read at or after a time that has not come: nothing later was ever written here, so the time comes
// from another deployment or from a broken clock.
func checkClusterTime(op *operation) error {
	rc, now := op.readConcern, op.server.store.Applied()
	for _, c := range []struct {
		field string
		at    oplog.Timestamp
	}{{"afterClusterTime", rc.afterClusterTime}, {"atClusterTime", rc.atClusterTime}} {
		if c.at > now {
			return mongoerr.New(mongoerr.InvalidOptions, "readConcern %s value must not be greater than the current clusterTime. "+
				"Requested clusterTime: %v; current clusterTime: %v", c.field, c.at, now)
		}
	}
	return nil
}
