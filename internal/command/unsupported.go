package command

import "github.com/sluicestream/sluice/internal/mongoerr"

// unsupported are commands that MongoDB 7.0 has and this server does not, with what stands in their place. Whoever asks for one is
// told so, rather than that there is no such command. What only shards and their routers say to each other is not among them.
var unsupported = map[string]string{
	"applyOps":                 "write documents with insert, update and delete, in a transaction where they belong together",
	"authenticate":             noUsers,
	"createRole":               noUsers,
	"createUser":               noUsers,
	"dropAllRolesFromDatabase": noUsers,
	"dropAllUsersFromDatabase": noUsers,
	"dropRole":                 noUsers,
	"dropUser":                 noUsers,
	"filemd5":                  "hash the file in the program that reads it",
	"getLastError":             "the reply of a write says what came of it",
	"grantPrivilegesToRole":    noUsers,
	"grantRolesToRole":         noUsers,
	"grantRolesToUser":         noUsers,
	"logout":                   noUsers,
	"mapReduce":                "use aggregate",
	"planCacheClearFilters":    noPlanCache,
	"planCacheListFilters":     noPlanCache,
	"planCacheSetFilter":       noPlanCache,
	"replSetFreeze":            oneMember,
	"replSetMaintenance":       oneMember,
	"replSetReconfig":          oneMember,
	"replSetResizeOplog":       "the size of the oplog is set when the server is started",
	"replSetStepDown":          oneMember,
	"replSetSyncFrom":          oneMember,
	"revokePrivilegesFromRole": noUsers,
	"revokeRolesFromRole":      noUsers,
	"revokeRolesFromUser":      noUsers,
	"rolesInfo":                noUsers,
	"rotateCertificates":       "there is no TLS",
	"saslContinue":             noUsers,
	"saslStart":                noUsers,
	"setDefaultRWConcern":      "name the concern in the command or in the client",
	"setIndexCommitQuorum":     oneMember,
	"setUserWriteBlockMode":    "stop the writers",
	"shutdown":                 "end the program that runs the server",
	"updateRole":               noUsers,
	"updateUser":               noUsers,
}

const (
	noUsers     = "there are no users and roles"
	noPlanCache = "plans are chosen anew for every command; give a hint"
	oneMember   = "the set has one member, which is the primary"
)

// newRefused makes the rows of those commands. They are refused last, after whatever ends a command that is run: so tests of clients
// can have them fail.
func newRefused() map[string]*command {
	rows := make(map[string]*command, len(unsupported))
	for name, instead := range unsupported {
		rows[name] = &command{name, loggedIn, changing, func(*operation) error {
			return mongoerr.New(mongoerr.CommandNotSupported, "the command '%s' is not supported by this server: %s", name, instead)
		}, "refused: " + instead}
	}
	return rows
}

// unknownCommand is the error of a command that this server does not have.
func unknownCommand(op *operation, name []byte) error {
	if op.req.Legacy {
		return mongoerr.New(mongoerr.UnsupportedOpQueryCommand, "Unsupported OP_QUERY command: %s. The client driver may require an upgrade.", name)
	}
	return mongoerr.New(mongoerr.CommandNotFound, "no such command: '%s'", name)
}
