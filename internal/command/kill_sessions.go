package command

import (
	"slices"

	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// killSessions {killSessions: [ids]} ends what is under way in sessions; without ids in all of them.
func killSessions(op *operation) error {
	keys, err := sessionKeys(op)
	if err != nil {
		return err
	}
	killAll(op, func(key string) bool { return len(keys) == 0 || slices.Contains(keys, key) })
	return nil
}

// killAll ends the commands under way, the transactions and the cursors of the sessions that are chosen. The sessions themselves stay: what they have
// done is remembered.
func killAll(op *operation, which func(key string) bool) {
	op.interrupt(func(r *running) bool { return r.session != "" && which(r.session) }, errSessionKilled)
	op.server.transactions.killWhere(func(t *transaction) bool { return which(t.session) }, errSessionKilled)
	op.server.cursors.removeWhere(func(c *cursor) bool { return c.session != "" && which(c.session) })
}

var errSessionKilled = mongoerr.New(mongoerr.Interrupted, "operation was interrupted: its session was killed")

// killAllSessions {killAllSessions: [{user, db}, ...]} ends all sessions, or those of the users named. There are no users, so
// naming one is an error.
func killAllSessions(op *operation) error {
	err := op.arguments(func(name string, a argument) error {
		if name != op.cmd.name {
			return a.unknown()
		}
		var users bsonraw.Doc
		if err := a.array(&users); err != nil {
			return err
		}
		for it := users.Iter(); it.Next(); {
			return checkUser(op, a.name+"."+string(it.Key()), it.Value())
		}
		return nil
	})
	if err != nil {
		return err
	}
	killAll(op, func(string) bool { return true })
	return nil
}

// checkUser always fails: with what is wrong about a user's name, or because nobody has that name.
func checkUser(op *operation, field string, v bsonraw.Value) error {
	if v.Type != bsonraw.TypeDocument {
		return op.wrongType(field, v, "object")
	}
	for it := v.Doc().Iter(); it.Next(); {
		if key := string(it.Key()); key != "user" && key != "db" {
			return argument{op, op.cmd.name + "." + key, it.Value()}.unknown()
		}
	}
	user, db := v.Doc().Lookup("user"), v.Doc().Lookup("db")
	if user.IsMissing() {
		return required(op, op.cmd.name+".user")
	}
	if db.IsMissing() {
		return required(op, op.cmd.name+".db")
	}
	return mongoerr.New(mongoerr.UserNotFound, "Could not find user \"%s\" for db \"%s\"", user.Bytes(), db.Bytes())
}

// killAllSessionsByPattern {killAllSessionsByPattern: [{lsid: {id, uid}}, {uid: <digest>}, {}]} ends what is under way in the sessions that fit one of
// the patterns; without patterns in all of them. The users and roles of a pattern say in whose name a router asks, not whom it means.
func killAllSessionsByPattern(op *operation) error {
	patterns := op.body.Lookup(op.cmd.name)
	if patterns.Type != bsonraw.TypeArray {
		return op.wrongType(op.cmd.name, patterns, "array")
	}
	var which []func(key string) bool
	for it := patterns.Doc().Iter(); it.Next(); {
		if it.Value().Type != bsonraw.TypeDocument {
			return op.wrongType(op.cmd.name+"."+string(it.Key()), it.Value(), "object")
		}
		fits, err := parseSessionPattern(op, it.Value().Doc())
		if err != nil {
			return err
		}
		which = append(which, fits)
	}
	killAll(op, func(key string) bool {
		return len(which) == 0 || slices.ContainsFunc(which, func(fits func(string) bool) bool { return fits(key) })
	})
	return nil
}

// parseSessionPattern reads a pattern and returns whether the key of a session fits it.
func parseSessionPattern(op *operation, pattern bsonraw.Doc) (fits func(key string) bool, err error) {
	field := op.cmd.name + "." + op.cmd.name
	fits = func(string) bool { return true }
	for it := pattern.Iter(); it.Next(); {
		switch key, v := string(it.Key()), it.Value(); key {
		case "lsid":
			if v.Type != bsonraw.TypeDocument {
				return nil, wrongType(field+".lsid", v, "object")
			}
			id, err := parseSessionID(field+".lsid", v.Doc())
			if err != nil {
				return nil, err
			}
			if id.uid == nil {
				return nil, mongoerr.New(mongoerr.IDLFailedToParse, "BSON field '%s.lsid.uid' is missing but a required field", field)
			}
			wanted := id.key()
			fits = func(key string) bool { return key == wanted }
		case "uid":
			uid, err := digestOf(field, "uid", v)
			if err != nil {
				return nil, err
			}
			owner := sessionID{uid: slices.Clone(uid)}.key()
			fits = func(key string) bool { return key[uuidSize:] == owner }
		case "users", "roles":
			if v.Type != bsonraw.TypeArray {
				return nil, wrongType(field+"."+key, v, "array")
			}
		default:
			return nil, mongoerr.New(mongoerr.IDLUnknownField, "BSON field '%s.%s' is an unknown field.", field, key)
		}
	}
	return fits, nil
}
