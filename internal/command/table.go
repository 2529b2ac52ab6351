package command

import "sync"

// command is a row of the table.
type command struct {
	name      string
	privilege privilege
	flags
	run func(*operation) error
}

// privilege is what a user must be allowed to run a command. No field of a row can be left out, so neither can this one.
type privilege int

const (
	public    privilege = iota + 1 // anybody, before authentication too
	loggedIn                       // any user
	readData                       // find on the namespace
	writeData                      // insert, update or remove on the namespace
	schema                         // create, drop and such on the namespace
	monitor                        // clusterMonitor
	operate                        // hostManager, killAnySession and such
)

// flags are a command's peculiarities.
type flags struct {
	greets    bool // allowed by OP_QUERY
	admin     bool // only against the admin database
	awaits    bool // its maxTimeMS is how long it waits for data, not a limit on its run
	retries   bool // may be a retryable write
	counted   bool // has a count of its own in serverStatus
	inTxn     bool // may be run in a transaction
	endsTxn   bool // ends one
	snapshots bool // reads with the read concern "snapshot"
	reads     bool // takes every read concern but "snapshot", not only "local"
	concerns  bool // takes a write concern
}

var (
	plain    = flags{}
	greeting = flags{greets: true}
	onAdmin  = flags{admin: true}
	inTxn    = flags{inTxn: true}
	reading  = flags{inTxn: true, snapshots: true, reads: true}
	finding  = flags{counted: true, inTxn: true, snapshots: true, reads: true}
	piping   = flags{inTxn: true, snapshots: true, reads: true, concerns: true}
	counting = flags{reads: true}
	awaiting = flags{awaits: true, counted: true, inTxn: true, reads: true} // its read concern is that of its cursor
	writing  = flags{retries: true, counted: true, inTxn: true, concerns: true}
	creating = flags{inTxn: true, concerns: true}
	changing = flags{concerns: true}
	renaming = flags{admin: true, concerns: true}
	endsTxn  = flags{inTxn: true, endsTxn: true, admin: true, concerns: true}
)

// commands is every command that the engine knows, by name. It is made at first use, because rows and what they run refer to
// each other.
var commands struct {
	once   sync.Once
	byName map[string]*command
}

// aliases are other spellings that clients use.
var aliases = map[string]string{
	"ismaster": "isMaster", "buildinfo": "buildInfo", "findandmodify": "findAndModify",
}

// lookup finds a command by name, or nil.
func lookup(name []byte) *command {
	commands.once.Do(func() { commands.byName = newTable() })
	if c := commands.byName[string(name)]; c != nil {
		return c
	}
	return commands.byName[aliases[string(name)]]
}

func newTable() map[string]*command {
	rows := []command{
		{"abortTransaction", loggedIn, endsTxn, abortTransaction},
		{"aggregate", readData, piping, aggregate},
		{"buildInfo", public, plain, buildInfo},
		{"cloneCollectionAsCapped", schema, changing, cloneCollectionAsCapped},
		{"collMod", schema, changing, collMod},
		{"commitTransaction", loggedIn, endsTxn, commitTransaction},
		{"configureFailPoint", operate, onAdmin, configureFailPoint},
		{"connectionStatus", public, plain, connectionStatus},
		{"convertToCapped", schema, changing, convertToCapped},
		{"count", readData, counting, count},
		{"create", schema, creating, create},
		{"createIndexes", schema, creating, createIndexes},
		{"createSearchIndexes", schema, plain, searchIndexes},
		{"currentOp", monitor, onAdmin, currentOp},
		{"delete", writeData, writing, deleteCommand},
		{"distinct", readData, reading, distinct},
		{"drop", schema, changing, drop},
		{"dropDatabase", schema, changing, dropDatabase},
		{"dropIndexes", schema, changing, dropIndexes},
		{"dropSearchIndex", schema, plain, searchIndexes},
		{"endSessions", loggedIn, plain, endSessions},
		{"find", readData, finding, find},
		{"findAndModify", writeData, writing, findAndModify},
		{"getClusterParameter", monitor, onAdmin, getClusterParameter},
		{"getCmdLineOpts", monitor, onAdmin, getCmdLineOpts},
		{"getLog", monitor, onAdmin, getLog},
		{"getMore", readData, awaiting, getMore},
		{"getParameter", monitor, onAdmin, getParameter},
		{"hello", public, greeting, hello},
		{"hostInfo", monitor, onAdmin, hostInfo},
		{"insert", writeData, writing, insert},
		{"isMaster", public, greeting, isMaster},
		{"killAllSessions", operate, plain, killAllSessions},
		{"killAllSessionsByPattern", operate, plain, killAllSessionsByPattern},
		{"killCursors", readData, inTxn, killCursors},
		{"killOp", operate, onAdmin, killOp},
		{"killSessions", loggedIn, plain, killSessions},
		{"listCollections", readData, plain, listCollections},
		{"listDatabases", readData, onAdmin, listDatabases},
		{"listSearchIndexes", readData, plain, searchIndexes},
		{"listIndexes", readData, plain, listIndexes},
		{"ping", public, plain, ping},
		{"refreshSessions", loggedIn, plain, refreshSessions},
		{"renameCollection", schema, renaming, renameCollection},
		{"serverStatus", monitor, plain, serverStatus},
		{"setClusterParameter", operate, onAdmin, setClusterParameter},
		{"startSession", loggedIn, plain, startSession},
		{"testDeprecation", public, plain, testDeprecation},
		{"testVersion2", public, plain, testVersion2},
		{"update", writeData, writing, updateCommand},
		{"updateSearchIndex", schema, plain, searchIndexes},
		{"whatsmyuri", public, plain, whatsMyURI},
	}
	table := make(map[string]*command, len(rows))
	for i := range rows {
		table[rows[i].name] = &rows[i]
	}
	return table
}
