package command

import (
	"github.com/sluicestream/sluice/internal/bsonraw"
	"github.com/sluicestream/sluice/internal/mongoerr"
)

// killSessions {killSessions: [ids]} ends sessions with all that is under way in them; without ids it ends all.
func killSessions(op *operation) error {
	keys, err := sessionKeys(op)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		keys = op.server.sessions.killAll()
	}
	endAll(op, keys)
	return nil
}

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
	endAll(op, op.server.sessions.killAll())
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
