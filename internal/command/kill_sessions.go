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

// killAll ends the transactions and the cursors of the sessions that are chosen. The sessions themselves stay: what they have
// done is remembered.
func killAll(op *operation, which func(key string) bool) {
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
