package command

import (
	"math"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	"github.com/sluicestream/sluice/internal/oplog"
)

// generic are the arguments that every command takes.
type generic struct {
	command      string // the command's name, for messages
	db           string
	lsid         bsonraw.Doc
	txnNumber    int64
	hasTxnNumber bool
	maxTime      time.Duration
	comment      bsonraw.Value
	readConcern  readConcern
	writeConcern writeConcern
	txn          txnArguments
}

// readConcern says how sure a read has to be of what it reads.
type readConcern struct {
	present          bool
	level            string // as given; empty: not given
	afterClusterTime oplog.Timestamp
	atClusterTime    oplog.Timestamp // of a snapshot
}

// isGeneric reports whether an argument belongs to every command, so that the commands' own parsers pass over it.
func isGeneric(key []byte) bool {
	switch string(key) {
	case "$db", "lsid", "txnNumber", "autocommit", "startTransaction", "maxTimeMS", "comment", "readConcern", "writeConcern",
		"$clusterTime", "$readPreference", "apiVersion", "apiStrict", "apiDeprecationErrors", "$audit", "$client", "$configServerState",
		"allowImplicitCollectionCreation", "maxTimeMSOpOnly", "databaseVersion", "shardVersion", "$queryOptions", "help", "coordinator":
		return true
	}
	return false
}

func (op *operation) parseGeneric() error {
	op.command = op.cmd.name
	for it := op.body.Iter(); it.Next(); {
		if err := op.generic.parse(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	if op.db == "" && !op.req.Legacy {
		return mongoerr.New(40571, "OP_MSG requests require a $db argument")
	}
	if op.req.Legacy {
		op.db = "admin"
	}
	return nil
}

func (g *generic) parse(key []byte, v bsonraw.Value) (err error) {
	switch string(key) {
	case "$db":
		if v.Type != bsonraw.TypeString {
			return g.wrongType("$db", v, "string")
		}
		g.db = v.Str()
		return checkDatabaseName(g.db)
	case "lsid":
		return g.parseLSID(v)
	case "txnNumber":
		if v.Type != bsonraw.TypeInt64 {
			return g.wrongType("txnNumber", v, "long")
		}
		g.txnNumber, g.hasTxnNumber = v.Int64(), true
		if g.txnNumber < 0 {
			return mongoerr.New(mongoerr.InvalidOptions, "Transaction number cannot be negative: %d", g.txnNumber)
		}
	case "autocommit", "startTransaction":
		return g.parseTxnArgument(string(key), v)
	case "maxTimeMS":
		g.maxTime, err = parseMaxTime(v)
	case "comment":
		g.comment = v
	case "readConcern":
		return g.parseReadConcern(v)
	case "writeConcern":
		return g.parseWriteConcern(v)
	case "apiVersion":
		if v.Str() != "1" {
			return mongoerr.New(mongoerr.APIVersionError, "API version must be \"1\"")
		}
	}
	return err
}

// parseMaxTime reads maxTimeMS: a whole number of milliseconds that fits 32 bits; 0 means no limit.
func parseMaxTime(v bsonraw.Value) (time.Duration, error) {
	if !v.Type.IsNumber() {
		return 0, mongoerr.New(mongoerr.BadValue, "maxTimeMS must be a number")
	}
	f, _ := v.AsFloat64()
	n, ok := v.AsInt64()
	if !ok || f != math.Trunc(f) {
		return 0, mongoerr.New(mongoerr.BadValue, "maxTimeMS has non-integral value")
	}
	if n < 0 || n > math.MaxInt32 {
		return 0, mongoerr.New(mongoerr.BadValue, "%d value for maxTimeMS is out of range [0, 2147483647]", n)
	}
	return time.Duration(n) * time.Millisecond, nil
}

func (g *generic) parseLSID(v bsonraw.Value) error {
	if v.Type != bsonraw.TypeDocument {
		return g.wrongType("lsid", v, "object")
	}
	subtype, id := v.Doc().Lookup("id").Binary()
	if subtype != bsonraw.SubtypeUUID || len(id) != 16 {
		return mongoerr.New(mongoerr.InvalidUUID, "lsid.id must be a UUID: BinData of subtype 4 with 16 bytes")
	}
	g.lsid = v.Doc()
	return nil
}

func (g *generic) parseReadConcern(v bsonraw.Value) error {
	if v.Type != bsonraw.TypeDocument {
		return g.wrongType("readConcern", v, "object")
	}
	g.readConcern.present = true
	for it := v.Doc().Iter(); it.Next(); {
		switch v := it.Value(); string(it.Key()) {
		case "level":
			g.readConcern.level = v.Str()
		case "afterClusterTime":
			if v.Type != bsonraw.TypeTimestamp {
				return g.wrongType("readConcern.afterClusterTime", v, "timestamp")
			}
			g.readConcern.afterClusterTime = oplog.Timestamp(v.Int64())
		case "provenance":
		case "atClusterTime":
			if v.Type != bsonraw.TypeTimestamp {
				return g.wrongType("readConcern.atClusterTime", v, "timestamp")
			}
			g.readConcern.atClusterTime = oplog.Timestamp(v.Int64())
		default:
			return mongoerr.New(mongoerr.IDLUnknownField, "BSON field 'readConcern.%s' is an unknown field.", it.Key())
		}
	}
	rc := g.readConcern
	switch {
	case rc.atClusterTime != 0 && rc.level != "snapshot":
		return mongoerr.New(mongoerr.InvalidOptions, "atClusterTime field can be set only if level is equal to snapshot")
	case rc.atClusterTime != 0 && rc.afterClusterTime != 0:
		return mongoerr.New(mongoerr.InvalidOptions, "readConcern: atClusterTime and afterClusterTime cannot be given together")
	}
	switch rc.level {
	case "", "local", "majority", "available", "linearizable", "snapshot":
		return nil
	}
	return mongoerr.New(mongoerr.FailedToParse, "Enumeration value '%s' for field 'readConcern.level' is not a valid value.", g.readConcern.level)
}

// prepareRead waits until what the read concern asks for is so. Reads see everything applied; a majority read returns only
// what is durable, so it waits for all that it could see.
func (op *operation) prepareRead() error {
	if op.transaction != nil {
		return nil // its snapshot was taken when it began
	}
	if err := checkClusterTime(op); err != nil {
		return err
	}
	switch op.readConcern.level {
	case "majority", "linearizable":
		return op.server.store.WaitDurable(op.ctx, op.server.store.Applied())
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

func (g *generic) wrongType(field string, v bsonraw.Value, want string) error {
	return wrongType(g.command+"."+field, v, want)
}

// wrongType is the error of an argument of the wrong type, in MongoDB's words.
func wrongType(field string, v bsonraw.Value, want string) error {
	return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s' is the wrong type '%s', expected type '%s'", field, v.Type.Name(), want)
}
