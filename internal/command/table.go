package command

import "sync"

// command is a row of the table.
type command struct {
	name      string
	privilege privilege
	flags
	run  func(*operation) error
	help string // what it does, for people
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
	noting   = flags{admin: true, concerns: true}
	inTxn    = flags{inTxn: true}
	reading  = flags{inTxn: true, snapshots: true, reads: true}
	finding  = flags{counted: true, inTxn: true, snapshots: true, reads: true}
	piping   = flags{inTxn: true, snapshots: true, reads: true, concerns: true}
	counting = flags{reads: true}
	awaiting = flags{awaits: true, counted: true, inTxn: true, snapshots: true, reads: true} // its read concern is that of its cursor
	writing  = flags{retries: true, counted: true, inTxn: true, concerns: true}
	creating = flags{inTxn: true, concerns: true}
	changing = flags{concerns: true}
	renaming = flags{admin: true, concerns: true}
	endsTxn  = flags{inTxn: true, endsTxn: true, admin: true, concerns: true}
)

// commands is every command that the engine knows, by name: those that it runs, and those that it refuses. It is made at first use,
// because rows and what they run refer to each other.
var commands struct {
	once            sync.Once
	byName, refused map[string]*command
}

// aliases are other spellings that clients use.
var aliases = map[string]string{
	"buildinfo": "buildInfo", "collstats": "collStats", "datasize": "dataSize", "dbhash": "dbHash", "dbstats": "dbStats",
	"deleteIndexes": "dropIndexes", "findandmodify": "findAndModify", "getlasterror": "getLastError", "ismaster": "isMaster", "mapreduce": "mapReduce",
}

func makeCommands() { commands.byName, commands.refused = newTable(), newRefused() }

// table returns the commands that are run by name.
func table() map[string]*command {
	commands.once.Do(makeCommands)
	return commands.byName
}

// refused returns the commands that are refused by name.
func refused() map[string]*command {
	commands.once.Do(makeCommands)
	return commands.refused
}

// lookup finds a command that is run by name, or nil.
func lookup(name []byte) *command { return lookupIn(table(), name) }

// lookupAny finds a command by name, also one that is refused, or nil.
func lookupAny(name []byte) *command {
	if c := lookup(name); c != nil {
		return c
	}
	return lookupIn(refused(), name)
}

func lookupIn(table map[string]*command, name []byte) *command {
	if c := table[string(name)]; c != nil {
		return c
	}
	return table[aliases[string(name)]]
}

func newTable() map[string]*command {
	table := map[string]*command{}
	for _, rows := range [][]command{documentCommands(), schemaCommands(), sessionCommands(), serverCommands(), testCommands()} {
		for i := range rows {
			table[rows[i].name] = &rows[i]
		}
	}
	return table
}

// documentCommands read and write documents.
func documentCommands() []command {
	return []command{
		{"aggregate", readData, piping, aggregate, "what a pipeline makes of documents, or a change stream"},
		{"count", readData, counting, count, "how many documents match"},
		{"delete", writeData, writing, deleteCommand, "removes documents"},
		{"distinct", readData, reading, distinct, "the values of a field"},
		{"explain", readData, plain, explain, "how a command would be done"},
		{"find", readData, finding, find, "documents that match"},
		{"findAndModify", writeData, writing, findAndModify, "changes or removes a document and returns it"},
		{"getMore", readData, awaiting, getMore, "a cursor's next batch"},
		{"insert", writeData, writing, insert, "stores new documents"},
		{"killCursors", readData, inTxn, killCursors, "ends cursors"},
		{"update", writeData, writing, updateCommand, "changes documents"},
	}
}

// schemaCommands are about collections, their indexes and views.
func schemaCommands() []command {
	return []command{
		{"cloneCollectionAsCapped", schema, changing, cloneCollectionAsCapped, "copies the newest documents into a capped collection"},
		{"collMod", schema, changing, collMod, "changes options of a collection, an index or a view"},
		{"collStats", readData, plain, collStats, "how much a collection holds and takes"},
		{"compact", schema, plain, compact, "rewrites what is stored of a collection"},
		{"convertToCapped", schema, changing, convertToCapped, "makes a collection a capped one"},
		{"create", schema, creating, create, "creates a collection or a view"},
		{"createIndexes", schema, creating, createIndexes, "builds indexes"},
		{"createSearchIndexes", schema, plain, searchIndexes, atlasSearch},
		{"dataSize", readData, plain, dataSize, "how many documents of how many bytes a collection has"},
		{"dbHash", readData, plain, dbHash, "hashes of a database's collections"},
		{"dbStats", readData, plain, dbStats, "how much a database holds and takes"},
		{"drop", schema, changing, drop, "drops a collection or a view"},
		{"dropDatabase", schema, changing, dropDatabase, "drops a database"},
		{"dropIndexes", schema, changing, dropIndexes, "drops indexes"},
		{"dropSearchIndex", schema, plain, searchIndexes, atlasSearch},
		{"listCollections", readData, plain, listCollections, "a database's collections and views"},
		{"listDatabases", readData, onAdmin, listDatabases, "the databases"},
		{"listIndexes", readData, plain, listIndexes, "a collection's indexes"},
		{"listSearchIndexes", readData, plain, searchIndexes, atlasSearch},
		{"planCacheClear", schema, plain, planCacheClear, "forgets plans, of which none are kept"},
		{"reIndex", schema, plain, reIndex, "is refused, as by every member of a set: IllegalOperation"},
		{"renameCollection", schema, renaming, renameCollection, "gives a collection another name, in another database too"},
		{"updateSearchIndex", schema, plain, searchIndexes, atlasSearch},
		{"validate", schema, plain, validate, "checks what is stored of a collection"},
	}
}

// atlasSearch is the help of commands that answer with an error of their own.
const atlasSearch = "belongs to Atlas Search, which is not here: SearchNotEnabled"

// sessionCommands are about sessions and transactions.
func sessionCommands() []command {
	return []command{
		{"abortTransaction", loggedIn, endsTxn, abortTransaction, "ends a transaction without its writes"},
		{"commitTransaction", loggedIn, endsTxn, commitTransaction, "ends a transaction with its writes"},
		{"endSessions", loggedIn, plain, endSessions, "lets sessions expire"},
		{"killAllSessions", operate, plain, killAllSessions, "ends all sessions"},
		{"killAllSessionsByPattern", operate, plain, killAllSessionsByPattern, "ends the sessions that match"},
		{"killSessions", loggedIn, plain, killSessions, "ends sessions"},
		{"refreshSessions", loggedIn, plain, refreshSessions, "keeps sessions alive"},
		{"startSession", loggedIn, plain, startSession, "begins a session"},
	}
}

// serverCommands are about the server.
func serverCommands() []command {
	return []command{
		{"appendOplogNote", operate, noting, appendOplogNote, "logs a note"},
		{"buildInfo", public, plain, buildInfo, "which version this is"},
		{"connPoolStats", monitor, plain, connPoolStats, "connections to other servers, of which there are none"},
		{"connectionStatus", public, plain, connectionStatus, "who the client is"},
		{"currentOp", monitor, onAdmin, currentOp, "what is being executed"},
		{"features", public, plain, features, "the number in this server's ObjectIds"},
		{"fsync", operate, onAdmin, fsync, "waits until everything is durable"},
		{"fsyncUnlock", operate, onAdmin, fsyncUnlock, "ends a lock, of which there are none"},
		{"getClusterParameter", monitor, onAdmin, getClusterParameter, "parameters of the deployment"},
		{"getCmdLineOpts", monitor, onAdmin, getCmdLineOpts, "how the server was set up"},
		{"getDefaultRWConcern", monitor, onAdmin, getDefaultRWConcern, "the concerns of commands that name none"},
		{"getLog", monitor, onAdmin, getLog, "the newest lines of a log"},
		{"getParameter", monitor, onAdmin, getParameter, "parameters of the server"},
		{"hello", public, greeting, hello, "what this server is"},
		{"hostInfo", monitor, onAdmin, hostInfo, "on what machine the server runs"},
		{"isMaster", public, greeting, isMaster, "hello by its old name"},
		{"killOp", operate, onAdmin, killOp, "interrupts a command"},
		{"listCommands", public, plain, listCommands, "the commands"},
		{"logRotate", operate, onAdmin, logRotate, "begins a new file of the log, of which there is none"},
		{"ping", public, plain, ping, "nothing but an answer"},
		{"profile", monitor, plain, profile, "how commands are recorded: they are not"},
		{"replSetGetConfig", monitor, onAdmin, replSetGetConfig, "the configuration of the set"},
		{"replSetGetStatus", monitor, onAdmin, replSetGetStatus, "the state of the set"},
		{"replSetInitiate", operate, onAdmin, replSetInitiate, "is refused: AlreadyInitialized"},
		{"serverStatus", monitor, plain, serverStatus, "how the server does"},
		{"setClusterParameter", operate, onAdmin, setClusterParameter, "changes parameters of the deployment"},
		{"setFeatureCompatibilityVersion", operate, onAdmin, setFeatureCompatibilityVersion, "sets the only version that there is"},
		{"setParameter", operate, onAdmin, setParameter, "changes parameters of the server"},
		{"top", monitor, onAdmin, top, "how much collections were used"},
		{"usersInfo", monitor, plain, usersInfo, "lists users, of whom there are none"},
		{"whatsmyuri", public, plain, whatsMyURI, "the client's own address"},
	}
}

// testCommands are there only where test commands are enabled.
func testCommands() []command {
	return []command{
		{"configureFailPoint", operate, onAdmin, configureFailPoint, "makes commands fail on purpose"},
		{"testDeprecation", public, plain, testDeprecation, "tests what clients do with the Stable API"},
		{"testVersion2", public, plain, testVersion2, "tests what clients do with the Stable API"},
	}
}
