package command

import (
	"math"
	"time"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
	mqlargument "github.com/sluicestream/sluice/internal/mql/argument"
)

// generic are the arguments that every command takes.
type generic struct {
	began        time.Time // the command
	names        *names
	command      string // the command's name, for messages
	db           string
	lsid         bsonraw.Doc
	sessionKey   string // of lsid
	txnNumber    int64
	hasTxnNumber bool
	maxTime      time.Duration
	hasMaxTime   bool
	comment      bsonraw.Value
	readConcern  readConcern
	writeConcern writeConcern
	txn          txnArguments
	api          api
}

// isGeneric reports whether an argument belongs to every command, so that the commands' own parsers pass over it.
func isGeneric(key []byte) bool {
	switch string(key) {
	case "$db", "lsid", "txnNumber", "autocommit", "startTransaction", "maxTimeMS", "comment", "readConcern", "writeConcern",
		"$clusterTime", "$readPreference", "apiVersion", "apiStrict", "apiDeprecationErrors", "$audit", "$client", "$configServerState",
		"allowImplicitCollectionCreation", "maxTimeMSOpOnly", "databaseVersion", "shardVersion", "$queryOptions", "help", "coordinator",
		"mayBypassWriteBlocking", "clientOperationKey":
		return true
	}
	return false
}

// timeLimit is when the time of a command that has a limit is over.
func (g *generic) timeLimit() time.Time { return g.began.Add(g.maxTime) }

func (op *operation) parseGeneric() error {
	op.command = op.cmd.name
	var names mqlargument.Names
	var failed error
	repeated := false
	for it := op.body.Iter(); it.Next(); {
		repeated = names.Add(it.Key()) || repeated
		switch {
		case failed != nil: // that an argument is there twice is said in its place
		case string(it.Key()) == "writeConcern" && !op.cmd.concerns && op.body.Lookup("autocommit").IsMissing():
			failed = mongoerr.New(mongoerr.InvalidOptions, "Command %s does not support writeConcern", op.cmd.name)
		default:
			failed = op.generic.parse(it.Key(), it.Value())
		}
	}
	if repeated {
		if err := mqlargument.RefuseRepeated(op.cmd.name, op.body); err != nil {
			return err
		}
	}
	if failed != nil {
		return failed
	}
	if op.db == "" && !op.req.Legacy {
		return mongoerr.New(40571, "OP_MSG requests require a $db argument")
	}
	if op.req.Legacy {
		op.db = "admin"
	}
	if err := op.api.check(op); err != nil {
		return err
	}
	return op.checkConcerns()
}

func (g *generic) parse(key []byte, v bsonraw.Value) (err error) {
	switch string(key) {
	case "$db":
		if v.Type != bsonraw.TypeString {
			return g.wrongType("$db", v, "string")
		}
		g.db = reuse(&g.names.db, v.Bytes())
		return checkDatabaseName(g.db)
	case "lsid":
		if v.Type == bsonraw.TypeNull {
			return nil
		}
		return g.parseLSID(v)
	case "txnNumber":
		if v.Type == bsonraw.TypeNull {
			return nil
		}
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
		g.maxTime, err = g.parseMaxTime(v)
		g.hasMaxTime = true
	case "comment":
		g.comment = v
	case "readConcern":
		return g.parseReadConcern(v)
	case "writeConcern":
		return g.parseWriteConcern(v)
	case "apiVersion", "apiStrict", "apiDeprecationErrors":
		return g.api.parse(string(key), v)
	case "$clusterTime":
		return checkGossip(v, g.began)
	case "$readPreference":
		return checkReadPreference(v)
	case "maxTimeMSOpOnly":
		return mongoerr.New(mongoerr.InvalidOptions, "Can not specify maxTimeMSOpOnly for non internal clients")
	}
	return err
}

// parseMaxTime reads maxTimeMS: a whole number of milliseconds that fits 32 bits; 0 means no limit.
func (g *generic) parseMaxTime(v bsonraw.Value) (time.Duration, error) {
	if !v.Type.IsNumber() {
		if !isNullish(v) && (g.command == "aggregate" || g.command == "getMore") { // MongoDB has it among their own arguments
			return 0, mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s.maxTimeMS' is the wrong type '%s', expected types '[long, int, decimal, double']",
				g.command, v.Type.Name())
		}
		return 0, mongoerr.New(mongoerr.BadValue, "maxTimeMS must be a number")
	}
	n := mqlargument.Whole(v)
	if v.Type == bsonraw.TypeDouble && v.Double() != float64(n) {
		return 0, mongoerr.New(mongoerr.BadValue, "maxTimeMS has non-integral value")
	}
	if n < 0 && g.command == "aggregate" {
		return 0, mongoerr.New(51024, "BSON field 'maxTimeMS' value must be >= 0, actual value '%d'", n)
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
	id, err := parseSessionID("OperationSessionInfo.lsid", v.Doc())
	if err != nil {
		return err
	}
	if id.internal {
		return mongoerr.New(mongoerr.InvalidOptions, "Internal sessions are not supported outside of transactions")
	}
	g.lsid = v.Doc()
	if id.isNobodys() {
		g.sessionKey = reuse(&g.names.session, id.id)
	} else {
		g.sessionKey = id.key()
	}
	return nil
}

// names are those that a connection's last commands gave: most say the same again, and need no string of their own then.
type names struct{ db, coll, session string }

// reuse returns a name as a string.
func reuse(last *string, name []byte) string {
	if string(name) != *last {
		*last = string(name)
	}
	return *last
}

func (g *generic) wrongType(field string, v bsonraw.Value, want string) error {
	return wrongType(g.command+"."+field, v, want)
}

// wrongType is the error of an argument of the wrong type, in MongoDB's words.
func wrongType(field string, v bsonraw.Value, want string) error {
	return mongoerr.New(mongoerr.TypeMismatch, "BSON field '%s' is the wrong type '%s', expected type '%s'", field, v.Type.Name(), want)
}
